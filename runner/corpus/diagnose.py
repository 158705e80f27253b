"""Count a corpus's contents and flaws, with the places of flaws. The command judges and prints the facts.

    facts = part_facts(corpus.train)
    facts.texts["duplicates"]

A `Trouble` counts one kind of flaw and names the first few places, file:line. components/facts.py counts annotations.
This module reads no files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.encoding import FAULTS, encoding_faults, mojibake
from runner.corpus.example import Example

N_PLACES = 3  # places per trouble
SHORT_TEXT = 5  # words: shorter texts repeat by chance
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # unseen characters that str.isspace calls no space


@dataclass
class Trouble:
    """The count of one kind of flaw, and the flaw's first places."""

    n: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str, n: int = 1) -> None:
        self.n += n
        if len(self.places) < N_PLACES and place not in self.places:
            self.places.append(place)

    def __bool__(self) -> bool:
        return self.n > 0


@dataclass
class Part:
    """A part of a corpus: train or dev."""

    n_docs: int
    n_sents: int
    n_words: int
    words: Counter[str]  # norms (lower case)
    lengths: dict[str, float]  # of sentences, in words: min, median, mean, p95, max
    texts: dict[str, Trouble]


@dataclass
class Shared:
    """Facts of train and dev together."""

    overlap: Trouble  # dev docs whose text is in train
    overlap_long: Trouble  # overlap above SHORT_TEXT words
    unknown_words: float  # share of dev's words not in train, ignoring case


# Parts


def part_facts(examples: Sequence[Example]) -> Part:
    """The counts and flaws of a part of a corpus."""
    words: Counter[str] = Counter()
    lengths: list[int] = []
    texts = {name: Trouble() for name in (*FAULTS, "mojibake", "white space in words", "empty texts")}
    texts |= {"duplicates": Trouble(), "duplicates that disagree": Trouble()}
    first: dict[str, tuple[int, Example]] = {}
    for i, example in enumerate(examples):
        doc, place = example.reference, place_of(example, i)
        words.update(word.lower() for word in example.predicted.words)
        lengths += map(len, doc.sents)
        for name, n in encoding_faults(doc.text).items():
            shown = "".join(mojibake(doc.text)[:1])
            texts[name].add(f"{place} {shown!r}" if name == "mojibake" else place, n)
        if n := sum(map(is_odd, doc.words)):
            texts["white space in words"].add(place, n)
        if not doc.words:
            texts["empty texts"].add(place)
        key = text_key(doc)
        if key in first:
            before = place_of(first[key][1], first[key][0])
            texts["duplicates"].add(f"{place} = {before}")
            if not _agree(doc, first[key][1].reference):
                texts["duplicates that disagree"].add(f"{place} = {before}")
        else:
            first[key] = i, example
    return Part(
        n_docs=len(examples),
        n_sents=len(lengths),
        n_words=words.total(),
        words=words,
        lengths=_quantiles(lengths),
        texts={name: trouble for name, trouble in texts.items() if trouble},
    )


def shared_facts(train: Sequence[Example], dev: Sequence[Example], of_train: Part, of_dev: Part) -> Shared:
    """How dev overlaps with train."""
    seen: dict[str, str] = {}
    for i, example in enumerate(train):
        seen.setdefault(text_key(example.reference), place_of(example, i))
    overlap, overlap_long = Trouble(), Trouble()
    by_length = sorted(
        range(len(dev)), key=lambda i: -len(dev[i].reference)
    )  # longest first: short texts repeat by chance
    for i in by_length:
        doc = dev[i].reference
        if (key := text_key(doc)) in seen:
            place = f"{place_of(dev[i], i)} = {seen[key]}"
            overlap.add(place)
            if len(doc) > SHORT_TEXT:
                overlap_long.add(place)
    unknown = sum(n for word, n in of_dev.words.items() if word not in of_train.words)
    return Shared(overlap, overlap_long, unknown / max(of_dev.n_words, 1))


def text_key(doc: Doc) -> str:
    """The text without white space: the same for any tokenization of a text."""
    return "".join(doc.words)


def _agree(one: Doc, other: Doc) -> bool:
    """Whether two docs of the same text agree in each annotation that both have."""

    def spans(doc: Doc) -> list[tuple[int, int, str]]:
        return [(len("".join(doc.words[: e.start])), len("".join(doc.words[: e.end])), e.label) for e in doc.ents]

    if one.has_ents and other.has_ents and spans(one) != spans(other):
        return False
    if one.cats is not None and other.cats is not None and one.cats != other.cats:
        return False
    if one.words != other.words:
        return True
    pairs = ((one.tags, other.tags), (one.heads, other.heads), (one.deps, other.deps))
    return all(a is None or b is None or a == b for a, b in pairs)


def place_of(example: Example, i: int) -> str:
    return example.reference.source or f"doc {i}"


def _quantiles(lengths: list[int]) -> dict[str, float]:
    if not lengths:
        return dict.fromkeys(("min", "median", "mean", "p95", "max"), 0.0)
    ordered = sorted(lengths)
    n = len(ordered)
    return {
        "min": ordered[0],
        "median": ordered[n // 2],
        "mean": round(sum(ordered) / n, 1),
        "p95": ordered[min(int(n * 0.95), n - 1)],
        "max": ordered[-1],
    }


def is_odd(word: str) -> bool:
    """Whether a word has white space, or invisible characters only."""
    return word.split() != [word] or (not word.isascii() and not word.strip(INVISIBLE))


def is_blank(word: str) -> bool:
    """Whether a word begins or ends with white space or invisible characters."""
    return word != word.strip().strip(INVISIBLE)


def plain(facts: Any) -> Any:
    """Facts as JSON values; a Part's `words` become their number."""
    if isinstance(facts, Part):
        made = {f.name: plain(getattr(facts, f.name)) for f in fields(facts) if f.name != "words"}
        return {**made, "n_distinct_words": len(facts.words)}
    if is_dataclass(facts):
        return {f.name: plain(getattr(facts, f.name)) for f in fields(facts)}
    if isinstance(facts, Mapping):
        return {name: plain(value) for name, value in facts.items()}
    return facts
