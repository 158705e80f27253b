"""Reliability and precision-recall, by hand and beside scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from runner.components.calibration import Bin, Graded, calibration
from runner.inspect.curves import average_precision, joined, precision_recall


def test_bins_are_joined_until_each_holds_enough():
    bins = [
        Bin(0.0, 0.2, 2, 0.1, 0.0),
        Bin(0.4, 0.6, 6, 0.5, 0.5),
        Bin(0.6, 0.8, 8, 0.7, 0.75),
        Bin(0.8, 1.0, 1, 0.9, 1.0),
    ]
    assert [(b.low, b.high, b.n) for b in joined(bins, 8)] == [(0.0, 0.6, 8), (0.6, 1.0, 9)]
    low, high = joined(bins, 8)
    assert (low.confidence, low.accuracy) == pytest.approx((3.2 / 8, 3 / 8))
    assert (high.confidence, high.accuracy) == pytest.approx((6.5 / 9, 7 / 9))


def test_joined_bins_keep_every_prediction():
    rng = np.random.default_rng(0)
    confidences = rng.random(200) ** 0.2  # most of them near 1
    bins = calibration(Graded(confidences, rng.random(200) < confidences)).bins
    curve = joined(bins)
    assert len(curve) < len(bins)
    assert all(one.n >= 10 for one in curve)
    assert sum(one.n * one.accuracy for one in curve) == pytest.approx(sum(one.n * one.accuracy for one in bins))
    assert sum(one.n for one in curve) == 200


def test_too_few_predictions_for_a_bin_are_one_bin():
    assert [one.n for one in joined([Bin(0.0, 0.1, 1, 0.05, 0.0), Bin(0.9, 1.0, 3, 0.95, 1.0)])] == [4]
    assert joined([]) == []


def test_curves_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    is_gold = rng.random(120) < 0.4
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * is_gold, 0.2), 0, 1), 1)  # with many ties
    pairs = list(zip(scores.tolist(), is_gold.tolist(), strict=True))
    precision, recall, thresholds = metrics.precision_recall_curve(is_gold, scores)
    own = precision_recall(pairs)
    by_threshold = {t: (r, p) for t, r, p in zip(thresholds, recall, precision, strict=False)}
    assert len(own) == len(by_threshold)
    for point in own:
        assert by_threshold[point.threshold] == pytest.approx((point.recall, point.precision))
    assert average_precision(pairs) == pytest.approx(metrics.average_precision_score(is_gold, scores))


def test_without_gold_there_is_no_curve():
    assert precision_recall([(0.5, False)]) == []
    assert average_precision([(0.5, False)]) is None


def test_a_long_curve_is_thinned_but_keeps_its_end():
    points = precision_recall([(i / 1000, i % 2 == 0) for i in range(1000)])
    assert len(points) <= 201
    assert points[-1].recall == 1.0
