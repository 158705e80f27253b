"""Softmax loss: a case worked by hand, and its gradient against finite differences."""

import numpy as np
import pytest

from runner.model import losses


def test_probabilities_by_hand():
    scores = np.log(np.array([[1.0, 2.0], [3.0, 2.0]]))  # odds 1:3 and 2:2
    assert np.allclose(losses.softmax(scores), [[0.25, 0.5], [0.75, 0.5]])
    value, gradient = losses.cross_entropy(scores, np.array([1, 0]))
    assert value == pytest.approx(-np.log(0.75) - np.log(0.5))
    assert np.allclose(gradient, [[0.25, -0.5], [-0.25, 0.5]])


def test_what_is_not_known_teaches_nothing():
    scores = np.random.default_rng(0).normal(size=(3, 4))
    value, gradient = losses.cross_entropy(scores, np.array([2, -1, 0, -1]))
    only, _ = losses.cross_entropy(scores[:, [0, 2]], np.array([2, 0]))
    assert value == pytest.approx(only)
    assert (gradient[:, [1, 3]] == 0).all()
    assert losses.cross_entropy(scores, np.full(4, -1))[0] == 0.0
    assert (losses.cross_entropy(scores, np.full(4, -1))[1] == 0).all()


def test_gradient_by_finite_differences():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(5, 7)) * 3
    gold = np.array([0, 4, -1, 2, 2, -1, 1])
    _, gradient = losses.cross_entropy(scores, gold)
    for i, j in np.ndindex(*scores.shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = scores.copy()
            moved[i, j] += step
            sides.append(losses.cross_entropy(moved, gold)[0])
        assert gradient[i, j] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-6)


def test_large_scores_and_no_tokens():
    scores = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype="float32")
    value, gradient = losses.cross_entropy(scores, np.array([0, 0]))
    assert value == pytest.approx(2e4)
    assert np.isfinite(gradient).all()
    for shape in ((3, 0), (0, 0)):
        value, gradient = losses.cross_entropy(np.zeros(shape, dtype="float32"), np.zeros(0, dtype="int32"))
        assert value == 0.0
        assert gradient.shape == losses.softmax(gradient).shape == shape
