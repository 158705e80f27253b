"""Reliability and precision-recall curves, from probabilities and whether each came true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

N_BINS = 10
_MAX_POINTS = 200  # of a curve, so that pages stay small


class Bin(NamedTuple):
    """The predictions whose confidence lies in one tenth of 0 to 1."""

    low: float
    high: float
    n: int
    confidence: float  # mean
    accuracy: float  # share that is right


class Point(NamedTuple):
    """Precision and recall if everything of at least this probability counts as predicted."""

    recall: float
    precision: float
    threshold: float


def reliability(pairs: Sequence[tuple[float, bool]]) -> list[Bin]:
    """The bins that are not empty. pairs: (confidence, is right).

    >>> reliability([(0.92, True), (0.98, False), (0.31, False)])[1]
    Bin(low=0.9, high=1.0, n=2, confidence=0.95, accuracy=0.5)
    """
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(N_BINS)]
    for confidence, is_right in pairs:
        bins[min(int(confidence * N_BINS), N_BINS - 1)].append((confidence, is_right))
    return [
        Bin(i / N_BINS, (i + 1) / N_BINS, len(some), sum(c for c, _ in some) / len(some), sum(r for _, r in some) / len(some))
        for i, some in enumerate(bins)
        if some
    ]  # fmt: skip


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """The expected calibration error (Naeini et al., 2015): mean |confidence − accuracy| of the bins, weighted by size.

    None without predictions.

    >>> calibration_error([Bin(0.9, 1.0, 3, 0.95, 0.65), Bin(0.3, 0.4, 1, 0.3, 0.0)])
    0.3
    """
    total = sum(one.n for one in bins)
    return round(sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / total, 6) if total else None


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
