"""A component's predictions beside the gold annotation, one outcome each: what the error page shows and counts.

    gold       [Ada Lovelace PER]  met  [Bo PER]  in  [Rome LOC]
    predicted   Ada [Lovelace PER] met  [Bo LOC]  in   Rome
    outcomes    wrong boundary          wrong type     missed

A component's kinds of error are its own; only the kind "right" is the same for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from runner.components.scores import Entity

RIGHT = "right"
MISSED, INVENTED = "missed", "invented"
WRONG_TYPE, WRONG_BOUNDARY, WRONG_BOTH = "wrong type", "wrong boundary", "wrong type and boundary"

# How outcomes are drawn: words with one label each, spans of words, arcs between words, or a label of the whole text.
View = Literal["words", "spans", "arcs", "text"]


class Mark(NamedTuple):
    """A label on the tokens `start` to `end` (exclusive) of the predicted doc.

    head: token that the arc comes from; a root is its own head. None: the mark is no arc.
    """

    start: int
    end: int
    label: str
    head: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One gold annotation, one prediction, or both where the two are about the same words.

    kind: "right", or a kind of error. confidence: of the prediction, 0 to 1; None: unknown. groups: what the outcome is
    counted by, such as {"length": "2 words"}; the same keys in all outcomes of a component.
    """

    kind: str
    gold: Mark | None
    predicted: Mark | None
    confidence: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Mark:
        """The gold mark, or the predicted mark if the gold annotation has none."""
        mark = self.gold or self.predicted
        assert mark is not None
        return mark


class Chance(NamedTuple):
    """The probability that a text has a label, and whether it has the label by the gold annotation."""

    label: str
    probability: float
    is_gold: bool


def kind_of_span(gold: Entity | None, predicted: Entity | None) -> str:
    """Name the outcome of two spans, (start, end, label), that share a word; None: there is no such span.

    >>> kind_of_span((0, 2, "PER"), (1, 2, "PER"))
    'wrong boundary'
    """
    if gold is None or predicted is None:
        return MISSED if predicted is None else INVENTED
    if gold == predicted:
        return RIGHT
    if gold[:2] == predicted[:2]:
        return WRONG_TYPE
    return WRONG_BOUNDARY if gold[2] == predicted[2] else WRONG_BOTH


def paired(gold: Collection[Entity], predicted: Collection[Entity]) -> list[tuple[Entity | None, Entity | None]]:
    """Pair gold spans with predicted spans; each span stands in one pair, in text order.

    Spans pair if they share a word. Of several candidates those pair first that share most words, then those with equal
    labels, then the leftmost. None stands in for the missing span of a pair.

    >>> paired([(0, 3, "ORG")], [(0, 1, "ORG"), (1, 3, "PER")])
    [(None, (0, 1, 'ORG')), ((0, 3, 'ORG'), (1, 3, 'PER'))]
    """
    candidates = []
    for a in gold:
        for b in predicted:
            shared = min(a[1], b[1]) - max(a[0], b[0])
            if shared > 0:
                candidates.append((a == b, shared, a[2] == b[2], -a[0], -b[0], a, b))
    left_gold, left_predicted = set(gold), set(predicted)
    pairs: list[tuple[Entity | None, Entity | None]] = []
    for *_, a, b in sorted(candidates, reverse=True):
        if a in left_gold and b in left_predicted:
            pairs.append((a, b))
            left_gold.remove(a)
            left_predicted.remove(b)
    pairs += [(a, None) for a in left_gold]
    pairs += [(None, b) for b in left_predicted]
    return sorted(pairs, key=lambda pair: min(span for span in pair if span is not None))


def bucket(n: int, bounds: Collection[int], unit: str) -> str:
    """The range that holds `n`, in words. bounds: the largest number of each range but the last.

    >>> [bucket(n, (1, 3, 5), "words") for n in (1, 2, 4, 9)]
    ['1 word', '2–3 words', '4–5 words', '6+ words']
    """
    low = 1
    for high in bounds:
        if n <= high:
            return f"{low}–{high} {unit}" if low < high else f"{high} {unit if high != 1 else unit.removesuffix('s')}"
        low = high + 1
    return f"{low}+ {unit}"
