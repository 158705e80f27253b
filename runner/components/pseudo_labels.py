"""Pseudo-labels: a trained component writes what it is sure of into the gaps of annotated docs.

A student then learns from these docs as from any others. What is annotated is never changed; where the component is not sure,
the word or the text stays without a label, which is not the same as "no entity".

Lee (2013), "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks"; of what a model
must not forget: Robins (1995), "Catastrophic forgetting, rehearsal and pseudorehearsal".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.corpus.annotations import ANNOTATED
from runner.corpus.doc import Doc

WORD_LAYERS = ("tags", "pos", "heads", "deps")  # with one value and one confidence a word; heads come before deps
HEAD = "head"  # what a written head is counted as


@dataclass(frozen=True)
class Rule:
    """minimum: the lowest confidence of what is written, 0 to 1. annotated: the labels that the training data annotate.

    A label that is not among `annotated` is the teacher's to tell, in annotated docs too; of a doc without annotation, it tells
    all labels that it knows.
    """

    minimum: float
    annotated: frozenset[str] = frozenset()

    def told(self, known: Collection[str], reference: Doc) -> frozenset[str]:
        """The labels of entities that a teacher tells of this doc, among those that it knows."""
        if not reference.has_ents:
            return frozenset(known)
        return frozenset(known) - self.annotated if self.annotated else frozenset()


@dataclass
class Written:
    """labels: how often each was written. n_open: words whose entities stay unknown. n_docs: docs that got any of these."""

    labels: Counter[str] = field(default_factory=Counter)
    n_open: int = 0
    n_docs: int = 0

    def add(self, other: Written) -> None:
        """Count what was written into more docs."""
        self.labels.update(other.labels)
        self.n_open += other.n_open
        self.n_docs += other.n_docs

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the most frequent labels first."""
        ordered = sorted(self.labels.items(), key=lambda item: (-item[1], item[0]))
        return {"labels": dict(ordered), "open_words": self.n_open, "texts": self.n_docs}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Written:
        """What `as_dict` gave."""
        return cls(Counter(plain["labels"]), int(plain["open_words"]), int(plain["texts"]))


def fill_words(reference: Doc, predicted: Doc, layers: Collection[str], minimum: float) -> Counter[str]:
    """Write the sure values of the layers at the words that have none yet. Returns the values that were written.

    The label of an arc is written only where the reference has the same head.
    """
    written: Counter[str] = Counter()
    for layer in (layer for layer in WORD_LAYERS if layer in layers):
        new, sure = getattr(predicted, layer), (predicted.confidence or {}).get(layer)
        if new is None or not isinstance(sure, Sequence):
            continue
        before = getattr(reference, layer) or [None] * len(reference)
        fits: Sequence[bool] = [True] * len(reference)
        if layer == "deps" and predicted.heads is not None:
            fits = [a == b for a, b in zip(reference.heads or before, predicted.heads, strict=True)]
        places = [
            i for i, p in enumerate(sure) if before[i] is None and new[i] is not None and p >= minimum and fits[i]
        ]
        if places:
            after = list(before)
            for i in places:
                after[i] = new[i]
            setattr(reference, layer, after)
            written.update([HEAD] * len(places) if layer == "heads" else [str(new[i]) for i in places])
    return written


def fill_cats(reference: Doc, cats: Mapping[str, float]) -> Counter[str]:
    """Write the value of each category that the reference has none of. Returns the categories that hold."""
    new = {label: value for label, value in cats.items() if label not in (reference.cats or {})}
    if new:
        reference.cats = {**(reference.cats or {}), **new}
    return Counter(label for label, value in new.items() if value >= 0.5)


def fill_entities(
    reference: Doc, sure: Sequence[tuple[int, int, str]], p_none: Sequence[float], told: frozenset[str], rule: Rule
) -> Written:
    """Write entities beside those of the reference, and say of which words it stays open whether they are in one.

    sure: entities of the teacher's labels, predicted with the confidence that the rule asks for. p_none: for each word, the
    probability that it is in no entity of the labels `told`. A word that is neither in an entity nor surely in none may be of
    any label that is not annotated.
    """
    if not told or not len(reference):
        return Written()
    taken = [False] * len(reference)
    for start, end in [*((ent.start, ent.end) for ent in reference.ents), *reference.unknown_ents]:
        taken[start:end] = [True] * (end - start)
    new = [ent for ent in sure if ent[2] in told and not any(taken[ent[0] : ent[1]])]
    for start, end, _ in new:
        taken[start:end] = [True] * (end - start)
    unsure = [i for i, p in enumerate(p_none) if p < rule.minimum and not taken[i]]
    was_annotated = reference.has_ents
    reference.set_ents([*(ent.as_tuple() for ent in reference.ents), *new])
    before = rule.annotated if was_annotated else frozenset()
    ranges: list[tuple[int, int, Sequence[str]]] = [(0, len(reference), sorted(before | told))]
    for start, end in _ranges(unsure):
        if was_annotated:
            ranges.append((start, end, sorted(before)))
        else:
            reference.unknown_ents.append((start, end))
    reference.meta = {**reference.meta, ANNOTATED: ranges}
    return Written(Counter(label for _, _, label in new), len(unsure))


def _ranges(places: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (start, end) ranges, `end` exclusive.

    >>> _ranges([1, 2, 5])
    [(1, 3), (5, 6)]
    """
    ranges: list[tuple[int, int]] = []
    for i in places:
        if ranges and ranges[-1][1] == i:
            ranges[-1] = (ranges[-1][0], i + 1)
        else:
            ranges.append((i, i + 1))
    return ranges
