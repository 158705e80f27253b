"""Reliability and precision-recall, by hand and beside scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from runner.inspect.curves import Bin, average_precision, calibration_error, precision_recall, reliability


def test_confidence_is_held_against_the_share_that_is_right():
    bins = reliability([(0.95, True), (0.97, False), (1.0, True), (0.15, False)])
    assert [(b.low, b.n, round(b.confidence, 6), round(b.accuracy, 6)) for b in bins] == [
        (0.1, 1, 0.15, 0.0), (0.9, 3, 0.973333, 0.666667),
    ]  # fmt: skip
    assert calibration_error(bins) == pytest.approx((0.15 + 3 * (0.973333 - 0.666667)) / 4, abs=1e-5)
    assert calibration_error([]) is None


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


def test_bins_are_tenths():
    assert reliability([(0.0, False), (0.1, True)]) == [Bin(0.0, 0.1, 1, 0.0, 0.0), Bin(0.1, 0.2, 1, 0.1, 1.0)]
