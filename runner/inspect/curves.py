"""Reliability and precision-recall curves, thinned out for a page; components/calibration.py has the calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.components.calibration import Bin

_MAX_POINTS = 200  # of a curve, so that pages stay small
_FEW = 10  # a bin of fewer predictions says nothing by itself


class Point(NamedTuple):
    """Precision and recall if everything of at least this probability counts as predicted."""

    recall: float
    precision: float
    threshold: float


def joined(bins: Sequence[Bin], least: int = _FEW) -> list[Bin]:
    """The bins of a reliability curve, each joined with its neighbours above until it holds `least` predictions.

    Too few at the upper end are joined with the bin below them.

    >>> joined([Bin(0.2, 0.4, 2, 0.25, 0.0), Bin(0.8, 1.0, 8, 1.0, 1.0)])
    [Bin(low=0.2, high=1.0, n=10, confidence=0.85, accuracy=0.8)]
    """
    curve: list[Bin] = []
    for one in bins:
        if curve and curve[-1].n < least:
            curve[-1] = _merged(curve[-1], one)
        else:
            curve.append(one)
    if len(curve) > 1 and curve[-1].n < least:
        curve[-2:] = [_merged(*curve[-2:])]
    return curve


def _merged(a: Bin, b: Bin) -> Bin:
    n = a.n + b.n
    confidence, accuracy = (
        (x * a.n + y * b.n) / n for x, y in ((a.confidence, b.confidence), (a.accuracy, b.accuracy))
    )
    return Bin(a.low, b.high, n, confidence, accuracy)


def precision_recall(pairs: Sequence[tuple[float, bool]]) -> list[Point]:
    """The curve from high thresholds to low ones, a point for each distinct probability; thinned out if there are many.

    pairs: (probability, is gold). Empty if nothing is gold.

    >>> [point.precision for point in precision_recall([(0.9, True), (0.8, False), (0.7, True), (0.6, True)])]
    [1.0, 0.5, 0.6666666666666666, 0.75]
    """
    n_gold = sum(is_gold for _, is_gold in pairs)
    if not n_gold:
        return []
    ranked = sorted(pairs, key=lambda pair: -pair[0])
    points: list[Point] = []
    right = 0
    for i, (probability, is_gold) in enumerate(ranked, 1):
        right += is_gold
        if i == len(ranked) or ranked[i][0] != probability:  # equal probabilities are predicted together
            points.append(Point(right / n_gold, right / i, probability))
    every = -(-len(points) // _MAX_POINTS)
    return points if every <= 1 else [*points[:-1:every], points[-1]]


def average_precision(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """The area under the precision-recall curve as a sum of steps: Σ (R_n − R_(n−1)) · P_n. None if nothing is gold.

    >>> average_precision([(0.9, True), (0.8, False), (0.7, True)])
    0.8333333333333333
    """
    n_gold = sum(is_gold for _, is_gold in pairs)
    if not n_gold:
        return None
    ranked = sorted(pairs, key=lambda pair: -pair[0])
    area, right, before = 0.0, 0, 0
    for i, (probability, is_gold) in enumerate(ranked, 1):
        right += is_gold
        if i == len(ranked) or ranked[i][0] != probability:
            area += (right - before) / n_gold * right / i
            before = right
    return area
