"""Turn facts about a corpus into findings: errors, warnings and notes.

An error means that the run would fail or its score would mean nothing: a component without training labels, a flaw that
degenerate.py refuses, a failure of the rehearsal. Everything else that looks wrong is a warning.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runner.components.base import Component
from runner.components.facts import Facts, Fault
from runner.corpus.diagnose import SHORT_TEXT, Part, Shared
from runner.corpus.example import Example
from runner.corpus.readers.reader import LeftOut
from runner.foreign import shown_name

Level = Literal["error", "warning", "note", "ok"]

_SINGULAR = {"entities": "entity", "tagged words": "tagged word"}
RARE = 10  # examples in train under which a label is rare
UNKNOWN_VECTORS = 0.3  # share of words without a vector from which on the vectors look wrong
MAX_NAMED = 8  # labels that a line lists by name


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Level
    section: str  # "corpus", "text", or a component's name
    text: str
    places: tuple[str, ...] = ()
    hint: str | None = None


def of_text(train: Part, dev: Part, shared: Shared) -> Iterator[Finding]:
    """Yield findings about encoding, duplicates, overlap and unknown words."""
    for name, part in (("train", train), ("dev", dev)):
        for trouble, cases in part.texts.items():
            if trouble == "duplicates":
                level: Level = "warning" if cases.n > 0.05 * part.n_docs else "note"
                text = f"{_of(cases.n, part.n_docs)} {name} texts repeat an earlier one"
                yield Finding(level, "text", text, tuple(cases.places), "Leave them out, or they count twice.")
            elif trouble == "duplicates that disagree":
                text = f"{cases.n:,} of them are annotated otherwise than that one"
                yield Finding("warning", "text", text, tuple(cases.places), "Decide for one of the two.")
            elif trouble == "empty texts":
                yield Finding("note", "text", f"{cases.n:,} {name} texts are empty", tuple(cases.places))
            elif trouble == "white space in words":
                text = f"{_n(cases.n, 'words')} in {name} with white space in it, or nothing visible"
                yield Finding("warning", "text", text, tuple(cases.places), "They look like others and are not.")
            else:
                hint = "Was the file read in the right encoding? It must be UTF-8."
                yield Finding("warning", "text", f"{_n(cases.n, trouble)} in {name}", tuple(cases.places), hint)
    yield overlap(shared, dev.n_docs, "dev")
    if not train.texts and not dev.texts:
        yield Finding("ok", "text", "no duplicates, no trouble with the encoding")
    elif not any(name not in ("duplicates", "duplicates that disagree") for p in (train, dev) for name in p.texts):
        yield Finding("ok", "text", "no trouble with the encoding")
    level = "warning" if shared.unknown_words > 0.3 else "note"
    yield Finding(level, "text", f"{_percent(shared.unknown_words)} of dev's words are not in train")


def overlap(shared: Shared, n_docs: int, part: str) -> Finding:
    """Return the finding on how many texts of a part ("dev" or "test") are also in train."""
    if not shared.overlap:
        return Finding("ok", "text", f"no {part} text stands in train")
    text = f"{_of(shared.overlap.n, n_docs)} {part} texts stand in train too"
    if shared.overlap_long.n < shared.overlap.n:
        text += f", {shared.overlap_long.n or 'none'} of them longer than {SHORT_TEXT} words"
    is_grave = bool(shared.overlap_long) or shared.overlap.n > 0.05 * n_docs
    places = (shared.overlap_long if shared.overlap_long else shared.overlap).places
    hint = "The score is too good by what was learned by heart; take them out of train."
    return Finding("warning" if is_grave else "note", "text", text, tuple(places), hint if is_grave else None)


def of_reading(left_out: LeftOut) -> Iterator[Finding]:
    """Yield findings about data that was left out, was read on a guess, or looks like a misspelt key."""
    for what, n in sorted(left_out.items()):
        yield Finding("note", "text", f"left out of the data: {n:,} {what}")
    for remark, place, text in left_out.remark_texts():
        if remark.is_warning:
            yield Finding("warning", "text", text, (place,))
        else:
            yield Finding("note", "text", f"{place.rpartition('/')[2]}: {text}")


def of_component(
    component: Component,
    in_train: Facts,
    in_dev: Facts,
    examples: Sequence[Example] = (),
    learned: Collection[str] = (),
) -> Iterator[Finding]:
    """Yield findings about a component's labels and annotation.

    examples: of train, to explain missing labels. learned: labels of the model that the run starts from.
    """
    name, unit = component.name, in_train.unit
    if not any(in_train.labels.values()):
        flaw = component.nothing_to_learn(examples)
        yield Finding("error", name, flaw.fact, ("corpus.train",), flaw.hint)
        return
    if not in_dev.n_annotated:
        hint = "Annotate some, choose another corpus.dev, or hold back a part of train: corpus.dev=null corpus.folds=5."
        yield Finding("warning", name, "no example of the dev data is annotated", ("corpus.dev",), hint)
    elif not any(in_dev.labels.values()):
        yield Finding("warning", name, f"dev has no {unit} at all: there is nothing to find", ("corpus.dev",))
    for part_name, facts in (("train", in_train), ("dev", in_dev)):
        if 0 < facts.n_annotated < facts.n_docs:
            missing = facts.n_docs - facts.n_annotated
            yield Finding("note", name, f"{_of(missing, facts.n_docs)} {part_name} texts lack its annotation")
    rare = {label: n for label, n in in_train.labels.items() if n < RARE}
    if rare:
        named = _named(
            {label: f"{visible(label)} {n}" for label, n in sorted(rare.items(), key=lambda item: (item[1], item[0]))}
        )
        hint = "A handful of examples teaches little; annotate more, or merge labels."
        yield Finding("warning", name, f"{_labels(rare)} with fewer than {RARE} {unit} in train: {named}", (), hint)
    unseen = [label for label, n in in_dev.labels.items() if n and not in_train.labels[label]]
    if only_dev := {label: label for label in unseen if label not in learned}:
        hint = "They can never be predicted; is one misspelt?"
        yield Finding("warning", name, f"{_labels(only_dev)} in dev alone: {_named(only_dev)}", (), hint)
    if in_dev.n_annotated and (
        only_train := {label: label for label, n in in_train.labels.items() if n and not in_dev.labels[label]}
    ):
        yield Finding("note", name, f"{_labels(only_train)} in train alone, never scored: {_named(only_train)}")
    if alike := labels_alike([*in_train.labels, *in_dev.labels]):
        named = "; ".join(" and ".join(map(repr, labels)) for labels in alike[:MAX_NAMED])
        hint = "Are they meant as one? Each is learned and scored for itself."
        yield Finding("warning", name, f"labels that differ in blanks or case alone: {named}", (), hint)
    if blank := [label for label in dict.fromkeys([*in_train.labels, *in_dev.labels]) if label != label.strip()]:
        named = ", ".join(map(repr, blank[:MAX_NAMED]))
        yield Finding("warning", name, f"labels that begin or end with a blank: {named}", (), "Take the blank out.")
    if not rare and not only_dev:
        yield Finding("ok", name, f"every label has at least {RARE} {unit} in train")
    for part_name, facts in (("train", in_train), ("dev", in_dev)):
        for kind, fault in facts.faults.items():
            yield _of_fault(name, part_name, kind, fault, facts)
    if in_dev.spans:
        new = sum(n for text, n in in_dev.spans.items() if text not in in_train.spans)
        yield Finding("note", name, f"{_percent(new / in_dev.spans.total())} of dev's {unit} are none of train's")
    for flaw in in_train.remarks:
        yield Finding("warning", name, flaw.fact, (), flaw.hint)


def of_vectors(component: Component, words: Callable[[str], Sequence[str]]) -> Iterator[Finding]:
    """Yield a finding on how many words have no vector, if the component reads static vectors. words: of "train" or "dev"."""
    without = {}
    for part in ("train", "dev"):
        known = component.have_vectors(words(part)) if component.have_vectors([]) is not None else None
        if known is None or not len(known):
            return
        without[part] = 1 - float(known.mean())
    shares = " and ".join(f"{_percent(share)} of {part}'s words" for part, share in without.items())
    is_odd = max(without.values()) > UNKNOWN_VECTORS
    hint = "Are the vectors of this language, and of words as they are tokenized here?" if is_odd else None
    yield Finding("warning" if is_odd else "note", component.name, f"{shares} have no vector", (), hint)


def _of_fault(name: str, part: str, kind: str, fault: Fault, facts: Facts) -> Finding:
    total = facts.total(fault)
    count = _of(fault.n, total) if total is not None else _n(fault.n, facts.unit)
    level: Level = "note" if fault.is_harmless else "warning"
    places = () if fault.is_harmless else tuple(fault.places)
    return Finding(level, name, f"{part}: {count} {fault.text or kind}", places, fault.hint)


def label_table(train: Mapping[str, int], dev: Mapping[str, int], limit: int = 12) -> list[tuple[str, int, int]]:
    """Return (label, count in train, count in dev), the most frequent first. The last row sums up the rest.

    >>> label_table({"LOC": 3, "PER": 9}, {"LOC": 1, "ORG": 2})
    [('PER', 9, 0), ('LOC', 3, 1), ('ORG', 0, 2)]
    """
    rows = [(visible(label), train.get(label, 0), dev.get(label, 0)) for label in {**train, **dev}]
    rows.sort(key=lambda row: (-row[1], -row[2], row[0]))
    if len(rows) > limit + 1:
        rest = rows[limit:]
        rows = [*rows[:limit], (f"… {len(rest)} more", sum(row[1] for row in rest), sum(row[2] for row in rest))]
    return rows


def visible(label: str) -> str:
    """Return the label, in quotes if it begins or ends with a blank."""
    return label if label == label.strip() else repr(label)


def labels_alike(labels: Sequence[str]) -> list[list[str]]:
    """Return groups of labels that differ only in blanks, case or Unicode form.

    >>> labels_alike(["PER", "PER ", "LOC", "per", "ORG"])
    [['PER', 'PER ', 'per']]
    """
    groups: dict[str, list[str]] = {}
    for label in dict.fromkeys(labels):
        groups.setdefault("".join(unicodedata.normalize("NFC", label).split()).casefold(), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def as_dict(finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level,
        "section": finding.section,
        "message": finding.text,
        "places": list(finding.places),
        "hint": finding.hint,
    }


def _n(n: int, what: str) -> str:
    """Return a count with its unit: "1 arc", "2 arcs"; a unit without a plural is counted in pieces."""
    if not what.endswith("s"):
        return f"{n:,} piece{'s' if n != 1 else ''} of {what}"
    return f"{n:,} {what if n != 1 else _SINGULAR.get(what, what[:-1])}"


def _labels(some: Mapping[str, Any]) -> str:
    return f"{len(some)} label{'s' if len(some) > 1 else ''}"


def _named(some: Mapping[str, str]) -> str:
    names = [shown_name(name) for name in some.values()]
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f", … {more} more" if more > 0 else "")


def _of(n: int, total: int) -> str:
    return f"{n:,} of {total:,} ({_percent(n / max(total, 1))})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
