"""The decision threshold that gives the best F, for all labels together or for each, and the curve it was chosen from.

A threshold halfway between two neighbouring probabilities is as good as any other between them, so only such are tried (at
most 1,000, at even steps of rank). Of equal F the threshold nearest to the present one is taken: nothing moves without gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.components.decisions import Decisions
from runner.components.scores import prf

MAX_CANDIDATES = 1000
CURVE = tuple(i / 10 for i in range(11))


@dataclass(frozen=True)
class Point:
    """Precision, recall and F at a threshold: of one label, or means over the labels."""

    threshold: float
    p: float
    r: float
    f: float


@dataclass(frozen=True)
class Choice:
    """The best threshold. label: None for all labels. before: at the threshold now. curve: by threshold, `best` included."""

    label: str | None
    n_gold: int
    before: Point
    best: Point
    curve: Sequence[Point]


def best_for_all(decisions: Decisions) -> Choice:
    """One threshold for all labels, by macro F: the mean over the labels that occur in gold or prediction."""
    now = float(decisions.least[0]) if len(set(decisions.least.tolist())) == 1 else decisions.default
    columns = list(range(len(decisions.labels)))
    before = _macro(decisions, decisions.least, now)

    def at(threshold: float) -> Point:
        return _macro(decisions, np.full(len(columns), threshold), threshold)

    tried = [at(threshold) for threshold in candidates(decisions.probabilities[decisions.may_hold])]
    best = min([before, *tried], key=lambda point: (-point.f, abs(point.threshold - now)))
    return Choice(None, int(decisions.is_gold.sum()), before, best, _curve([at(t) for t in CURVE], best))


def best_by_label(decisions: Decisions) -> list[Choice]:
    """A threshold for each label, by the label's own F. A label without gold keeps its threshold."""
    choices = []
    for i, label in enumerate(decisions.labels):
        now = float(decisions.least[i])
        before = _at(decisions, i, now)
        n_gold = int(decisions.is_gold[:, i].sum())
        values = decisions.probabilities[decisions.may_hold[:, i], i]
        tried = [_at(decisions, i, threshold) for threshold in candidates(values)] if n_gold else []
        best = min([before, *tried], key=lambda point, now=now: (-point.f, abs(point.threshold - now)))  # type: ignore[misc]
        choices.append(Choice(label, n_gold, before, best, _curve([_at(decisions, i, t) for t in CURVE], best)))
    return choices


def candidates(values: NDArray[np.float64]) -> list[float]:
    """Thresholds that part the values in every way, or in MAX_CANDIDATES ways.

    >>> candidates(np.array([0.2, 0.6, 0.2]))
    [0.1, 0.4, 0.8]
    """
    edges = np.concatenate([[0.0], np.unique(values), [1.0]])
    middles = (edges[:-1] + edges[1:]) / 2
    if len(middles) > MAX_CANDIDATES:
        middles = middles[np.linspace(0, len(middles) - 1, MAX_CANDIDATES).astype(int)]
    return [float(value) for value in middles]


def _at(decisions: Decisions, i: int, threshold: float) -> Point:
    """A label's precision, recall and F at a threshold."""
    is_predicted = decisions.may_hold[:, i] & (decisions.probabilities[:, i] >= threshold)
    is_gold = decisions.is_gold[:, i]
    return Point(threshold, *prf(int((is_gold & is_predicted).sum()), int(is_predicted.sum()), int(is_gold.sum())))


def _macro(decisions: Decisions, least: NDArray[np.float64], threshold: float) -> Point:
    """The means over labels with gold or predictions. least: (n_labels,) thresholds. threshold: for the point."""
    is_predicted = decisions.may_hold & (decisions.probabilities >= least)
    right, n_predicted, n_gold = (
        x.sum(axis=0) for x in (decisions.is_gold & is_predicted, is_predicted, decisions.is_gold)
    )
    rows = [prf(int(a), int(b), int(c)) for a, b, c in zip(right, n_predicted, n_gold, strict=True) if b or c]
    p, r, f = (sum(column) / len(rows) for column in zip(*rows, strict=True)) if rows else (0.0, 0.0, 0.0)
    return Point(threshold, p, r, f)


def _curve(points: Sequence[Point], best: Point) -> list[Point]:
    return sorted({point.threshold: point for point in (*points, best)}.values(), key=lambda point: point.threshold)
