"""What is in a corpus, and what is wrong with it: facts, counted and placed. Judging and printing are the command's.

    facts = part_facts(corpus.train)
    facts.texts["duplicates"]

Every `Trouble` counts something and names the first few places, file:line. One pass over the docs for the text, one for each
kind of annotation; nothing here reads a file or knows a model.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import accumulate
from typing import Any

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.encoding import FAULTS, encoding_faults, mojibake
from runner.corpus.example import Example

N_PLACES = 3  # shown of each trouble
LONG_ENTITY = 12  # words
SHORT_TEXT = 5  # words: shorter texts repeat by chance
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # white space and marks that str.isspace does not know

KINDS = ("entities", "tags", "trees", "categories")


@dataclass
class Trouble:
    """Something counted, and where it is first seen."""

    n: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str, n: int = 1) -> None:
        self.n += n
        if len(self.places) < N_PLACES and place not in self.places:
            self.places.append(place)

    def __bool__(self) -> bool:
        return self.n > 0


@dataclass
class Annotation:
    """One kind of annotation in one part of a corpus."""

    n_annotated: int = 0  # docs
    n_docs: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    n_values: int = 0  # entities, tags, arcs or categories

    def trouble(self, name: str) -> Trouble:
        return self.troubles.setdefault(name, Trouble())


@dataclass
class Part:
    """A part of a corpus: train or dev."""

    n_docs: int
    n_sents: int
    n_words: int
    words: Counter[str]  # norms (lower case)
    lengths: dict[str, float]  # of sentences, in words: min, median, mean, p95, max
    texts: dict[str, Trouble]
    annotations: dict[str, Annotation]
    spans: Counter[str] = field(default_factory=Counter)  # texts of entities, in lower case


@dataclass
class Shared:
    """Train and dev beside each other."""

    overlap: Trouble  # dev docs whose text is in train
    overlap_long: Trouble  # … of more than SHORT_TEXT words
    unknown_words: float  # share of dev's words that are not in train, in any case
    unknown_entities: float | None  # share of dev's entities whose text is not one of train's


# Parts


def part_facts(examples: Sequence[Example]) -> Part:
    """Count what is in a part of a corpus, and what looks wrong."""
    words: Counter[str] = Counter()
    lengths: list[int] = []
    texts = {name: Trouble() for name in (*FAULTS, "mojibake", "white space in words", "empty texts")}
    texts |= {"duplicates": Trouble(), "duplicates that disagree": Trouble()}
    first: dict[str, tuple[int, Example]] = {}
    spans: Counter[str] = Counter()
    for i, example in enumerate(examples):
        doc, place = example.reference, _place(example, i)
        words.update(word.lower() for word in example.predicted.words)
        lengths += map(len, doc.sents)
        for name, n in encoding_faults(doc.text).items():
            shown = "".join(mojibake(doc.text)[:1])
            texts[name].add(f"{place} {shown!r}" if name == "mojibake" else place, n)
        if n := sum(map(_is_odd, doc.words)):
            texts["white space in words"].add(place, n)
        if not doc.words:
            texts["empty texts"].add(place)
        key = text_key(doc)
        if key in first:
            before = _place(first[key][1], first[key][0])
            texts["duplicates"].add(f"{place} = {before}")
            if not _agree(doc, first[key][1].reference):
                texts["duplicates that disagree"].add(f"{place} = {before}")
        else:
            first[key] = i, example
        spans.update(" ".join(ent.text.lower().split()) for ent in doc.ents)
    annotations = {kind: count(examples) for kind, count in _COUNTERS.items()}
    return Part(
        n_docs=len(examples),
        n_sents=len(lengths),
        n_words=words.total(),
        words=words,
        lengths=_quantiles(lengths),
        texts={name: trouble for name, trouble in texts.items() if trouble},
        annotations=annotations,
        spans=spans,
    )


def shared_facts(train: Sequence[Example], dev: Sequence[Example], of_train: Part, of_dev: Part) -> Shared:
    """What dev has in common with train."""
    seen: dict[str, str] = {}
    for i, example in enumerate(train):
        seen.setdefault(text_key(example.reference), _place(example, i))
    overlap, overlap_long = Trouble(), Trouble()
    by_length = sorted(
        range(len(dev)), key=lambda i: -len(dev[i].reference)
    )  # the longest first: they cannot be chance
    for i in by_length:
        doc = dev[i].reference
        if (key := text_key(doc)) in seen:
            place = f"{_place(dev[i], i)} = {seen[key]}"
            overlap.add(place)
            if len(doc) > SHORT_TEXT:
                overlap_long.add(place)
    unknown = sum(n for word, n in of_dev.words.items() if word not in of_train.words)
    entities = of_dev.spans.total()
    new = sum(n for text, n in of_dev.spans.items() if text not in of_train.spans)
    return Shared(overlap, overlap_long, unknown / max(of_dev.n_words, 1), new / entities if entities else None)


def text_key(doc: Doc) -> str:
    """What two docs share that have the same text: its characters without white space, so that tokens don't matter."""
    return "".join(doc.words)


def _agree(one: Doc, other: Doc) -> bool:
    """Whether two docs of the same text have the same annotation, as far as both have any."""

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


def _place(example: Example, i: int) -> str:
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


# Annotations


def entities(examples: Sequence[Example]) -> Annotation:
    """Entities by label; those that do not align, hold or border white space, cross a sentence, are long or only marks."""
    facts = Annotation(n_docs=len(examples))
    for i, example in enumerate(examples):
        doc, place = example.reference, _place(example, i)
        if not doc.has_ents:
            continue
        facts.n_annotated += 1
        if not doc.ents:
            facts.trouble("docs without entities").add(place)
        if n := example.excluded_ents:
            facts.trouble("not aligned with the tokens").add(f"{place} {_unaligned(example)!r}", n)
        starts = {i for i, is_start in enumerate(doc.sent_starts or ()) if is_start}
        for ent in doc.ents:
            facts.labels[ent.label] += 1
            words = doc.words[ent.start : ent.end]
            here = f"{place} {ent.text[:40]!r}"
            if any(_is_blank(word) for word in (words[0], words[-1])):
                facts.trouble("bordering white space").add(here)
            elif any(_is_odd(word) or _is_blank(word) for word in words):
                facts.trouble("holding odd white space").add(here)
            if starts.intersection(range(ent.start + 1, ent.end)):
                facts.trouble("crossing a sentence's end").add(here)
            if len(words) > LONG_ENTITY:
                facts.trouble(f"longer than {LONG_ENTITY} words").add(here)
            if all(unicodedata.category(c)[0] in "PSZ" for word in words for c in word):
                facts.trouble("of punctuation alone").add(here)
    facts.n_values = facts.labels.total()
    return facts


def _unaligned(example: Example) -> str:
    """The text of an entity that is left out."""
    doc = example.reference
    for first, end, _ in doc.meta.get(UNALIGNED, ()):
        return " ".join(doc.words[first:end])[:40]
    kept = len(example.aligned_ents())
    found = [ent for ent in doc.ents if example.alignment.span_to_predicted(ent.start, ent.end) is None]
    return found[0].text[:40] if found and kept < len(doc.ents) else ""


def _is_odd(word: str) -> bool:
    """Whether a word holds white space, or nothing that can be seen."""
    return word.split() != [word] or (not word.isascii() and not word.strip(INVISIBLE))


def _is_blank(word: str) -> bool:
    """Whether a word begins or ends with white space, or with characters that look like it."""
    return word != word.strip().strip(INVISIBLE)


def tags(examples: Sequence[Example]) -> Annotation:
    """Fine tags by label; docs where only some words have one."""
    facts = Annotation(n_docs=len(examples))
    for i, example in enumerate(examples):
        known = [tag for tag in example.reference.tags or () if tag]
        if not known:
            continue
        facts.n_annotated += 1
        facts.labels.update(known)
        if len(known) < len(example.reference):
            facts.trouble("docs with a tag for some words only").add(_place(example, i))
    facts.n_values = facts.labels.total()
    return facts


def trees(examples: Sequence[Example]) -> Annotation:
    """Dependency labels; trees that are not projective, have several roots, or are none."""
    facts = Annotation(n_docs=len(examples))
    for i, example in enumerate(examples):
        doc, place = example.reference, _place(example, i)
        heads = doc.heads or ()
        if all(head is None for head in heads):
            continue
        facts.n_annotated += 1
        facts.labels.update(label for label in doc.deps or () if label)
        facts.n_values += sum(head is not None for head in heads)
        if any(head is None for head in heads):
            facts.trouble("docs with a head for some words only").add(place)
        if has_cycle(heads):
            facts.trouble("heads that lead in a circle").add(place)
        elif n := crossing_arcs(heads):
            facts.trouble("not projective").add(place)
            facts.trouble("arcs that cross another").add(place, n)
        if sum(head == j for j, head in enumerate(heads)) > len(doc.sents):
            facts.trouble("more roots than sentences").add(place)
    return facts


def has_cycle(heads: Sequence[int | None]) -> bool:
    """Whether following heads leads back to where one began; a root is its own head, which is no circle.

    >>> has_cycle([1, 1, 1]), has_cycle([1, 2, 0])
    (False, True)
    """
    state = [0] * len(heads)  # 0 not seen, 1 on the way, 2 leads to a root
    for start in range(len(heads)):
        path = []
        i: int | None = start
        while i is not None and state[i] == 0:
            state[i] = 1
            path.append(i)
            i = None if heads[i] == i else heads[i]
        if i is not None and state[i] == 1:
            return True
        for j in path:
            state[j] = 2
    return False


def crossing_arcs(heads: Sequence[int | None]) -> int:
    """How many arcs cross one that begins to the left of them; 0 for a projective tree. Roots hang from no arc.

    A root below an arc counts as crossed too, as a root's own arc from outside would be.

    >>> crossing_arcs([1, 1, 1, 2]), crossing_arcs([2, 3, 2, 3])
    (0, 2)
    """
    arcs = sorted(
        ((min(i, head), max(i, head)) for i, head in enumerate(heads) if head is not None and head != i),
        key=lambda arc: (arc[0], -arc[1]),
    )
    change = [0] * (len(heads) + 1)  # of how many arcs pass over a word, from the word before it
    for left, right in arcs:
        change[left + 1] += 1
        change[right] -= 1
    crossed = sum(above > 0 for i, above in enumerate(accumulate(change[:-1])) if heads[i] == i)
    open_arcs: list[int] = []  # right ends, the innermost last
    for left, right in arcs:
        while open_arcs and open_arcs[-1] <= left:
            open_arcs.pop()
        if open_arcs and open_arcs[-1] < right:
            crossed += 1
        open_arcs.append(right)
        open_arcs.sort(reverse=True)
    return crossed


def categories(examples: Sequence[Example]) -> Annotation:
    """Categories by label, each doc counted for those of at least one half; docs of none, and of more than one."""
    facts = Annotation(n_docs=len(examples))
    for i, example in enumerate(examples):
        cats = example.reference.cats
        if not cats:
            continue
        facts.n_annotated += 1
        held = [label for label, value in cats.items() if value >= 0.5]
        facts.labels.update(dict.fromkeys(cats, 0))
        facts.labels.update(held)
        if not held:
            facts.trouble("docs of no category").add(_place(example, i))
        if len(held) > 1:
            facts.trouble("docs of several categories").add(_place(example, i))
    facts.n_values = facts.labels.total()
    return facts


_COUNTERS: dict[str, Callable[[Sequence[Example]], Annotation]] = {
    "entities": entities,
    "tags": tags,
    "trees": trees,
    "categories": categories,
}


def plain(facts: Any) -> Any:
    """Facts as JSON has them. Of words and of entities' texts only how many there are."""
    if isinstance(facts, Part):
        made = {f.name: plain(getattr(facts, f.name)) for f in fields(facts) if f.name not in ("words", "spans")}
        return {**made, "n_distinct_words": len(facts.words), "n_distinct_entities": len(facts.spans)}
    if is_dataclass(facts):
        return {f.name: plain(getattr(facts, f.name)) for f in fields(facts)}
    if isinstance(facts, Mapping):
        return {name: plain(value) for name, value in facts.items()}
    return facts
