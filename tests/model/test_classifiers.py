"""The classifier's layers: gradients by finite differences, n-grams by hand, and what hashing promises."""

from __future__ import annotations

import numpy as np
import pytest

from runner import registry
from runner.errors import RunnerError
from runner.model import losses
from runner.model.attention_pool import attention_pool, softmax_by_doc
from runner.model.classifiers import Texts
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed
from runner.model.ngrams import Keys, ngrams
from runner.model.ops import Ops
from runner.model.parameters import Parameters

LAYOUT = Layout([3, 1, 0, 4])
OPS = Ops(use_blis=False)
HASHES = np.random.default_rng(2).integers(1, 2**63, LAYOUT.n_tokens).astype("uint64")


def check_gradients(model, run, inputs=None, samples=60, step=1e-6):
    """`run()` → (Y, backprop). The gradients of sum(Y * R) against finite differences, in float64."""
    parameters = Parameters()
    parameters.bind({"model": model}, 0)
    rng = np.random.default_rng(1)
    parameters.weights = parameters.weights.astype("float64") + rng.normal(0, 0.1, parameters.weights.shape)
    parameters.gradient = parameters.gradient.astype("float64")
    parameters._attach()
    Y, backprop = run()
    R = rng.normal(size=Y.shape)
    dX = backprop(R.copy())

    def numeric(array, index):
        old, sides = array[index], []
        for shift in (step, -step):
            array[index] = old + shift
            sides.append(float((run()[0] * R).sum()))
        array[index] = old
        return (sides[0] - sides[1]) / (2 * step)

    analytic = parameters.gradient.copy()
    touched = np.flatnonzero(analytic)
    assert len(touched)
    for i in rng.choice(touched, min(samples, len(touched)), replace=False):
        assert analytic[i] == pytest.approx(numeric(parameters.weights, i), abs=1e-5, rel=1e-4)
    for index in np.ndindex(inputs.shape) if inputs is not None else ():
        assert dX[index] == pytest.approx(numeric(inputs, index), abs=1e-5, rel=1e-4)


def test_ngrams():
    dropout = Dropout()
    layer = ngrams("layer", nO=3, n_rows=40, max_order=3, scale=2.0, dropout=dropout)

    def run():
        dropout.reset(0.3, 5)
        return layer(Keys(HASHES, LAYOUT), True)

    check_gradients(layer, run)


def test_attention_pool():
    X = np.random.default_rng(3).normal(size=(4, LAYOUT.n_tokens))
    layer = attention_pool("layer", nI=4)
    check_gradients(layer, lambda: layer(Packed(X, LAYOUT), True), X)


@pytest.mark.parametrize("kind", ["bag_of_ngrams", "cnn", "ensemble"])
def test_architectures(kind):
    dropout = Dropout()
    X = np.random.default_rng(3).normal(size=(4, LAYOUT.n_tokens))
    options = {"bag_of_ngrams": {"rows": 30}, "cnn": {"hidden_width": 5}, "ensemble": {"rows": 30, "hidden_width": 5}}
    architecture = registry.classifiers.get(kind)(**options[kind])
    model = architecture.build("c", 3, 4, dropout)

    def run():
        dropout.reset(0.2, 5)
        return model(Texts(Keys(HASHES, LAYOUT), Packed(X, LAYOUT)), True)

    check_gradients(model, run, X if architecture.needs_vectors else None, samples=100)


@pytest.mark.parametrize("loss", [losses.categorical_cross_entropy, losses.binary_cross_entropy])
def test_losses(loss):
    rng = np.random.default_rng(4)
    Y = rng.normal(size=(2, 3, 4)) * 3
    gold = np.array([[1, 0, 0, 0.25], [0, 1, 0, 0.5], [0, 0, 0, 0.25]])
    if loss is losses.binary_cross_entropy:
        gold[:2, 1] = np.nan
    dY = loss(Y, gold)[1]
    for index in np.ndindex(Y.shape):
        up, down = Y.copy(), Y.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        assert dY[index] == pytest.approx((loss(up, gold)[0] - loss(down, gold)[0]) / 2e-6, abs=1e-6)


def test_losses_by_hand():
    value, gradient = losses.categorical_cross_entropy(np.zeros((1, 2, 2)), np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert value == pytest.approx(np.log(2))
    assert gradient.tolist() == [[[-0.5, 0.0], [0.5, 0.0]]]  # of the second text nothing is known
    value, gradient = losses.binary_cross_entropy(np.zeros((1, 2, 1)), np.array([[1.0], [np.nan]]))
    assert value == pytest.approx(np.log(2))
    assert gradient.tolist() == [[[-0.5], [0.0]]]
    assert losses.sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]
    assert losses.softmax(np.array([[1000.0], [1000.0]])).tolist() == [[0.5], [0.5]]


def test_each_distinct_ngram_counts_once_and_none_crosses_the_end_of_a_doc():
    a, b = 11, 12
    keys = Keys(np.array([a, b, a, b, a], dtype="uint64"), Layout([4, 0, 1]))  # "a b a b", "", "a"
    found = OPS.extract_ngrams(*keys, 2**20, 3)
    assert found.counts.tolist() == [6, 0, 1]  # a, b, ab, ba, aba, bab; nothing; a
    assert found.docs.tolist() == [0] * 6 + [2]
    assert OPS.extract_ngrams(*keys, 2**20, 1).counts.tolist() == [2, 0, 1]
    assert set(found.signs.tolist()) <= {1, -1}


def test_the_order_of_words_matters_to_ngrams_of_two():
    def rows(*words, order=2):
        return set(
            OPS.extract_ngrams(np.array(words, dtype="uint64"), Layout([len(words)]), 2**20, order).rows.tolist()
        )

    assert rows(1, 2) != rows(2, 1)
    assert rows(1, 2, order=1) == rows(2, 1, order=1)


def test_rows_and_signs_are_spread_evenly():
    keys = Keys(np.arange(60_000, dtype="uint64"), Layout([60_000]))  # hashes as bad as can be
    found = OPS.extract_ngrams(*keys, 100, 3)
    assert len(found.rows) == 200  # every row with either sign
    found = OPS.extract_ngrams(*keys, 2**24, 1)
    counts = np.bincount(found.rows // (2**24 // 16), minlength=16)
    assert abs(counts / 60_000 - 1 / 16).max() < 0.005
    assert abs(found.signs.mean()) < 0.02


def test_texts_score_alike_alone_and_in_a_batch():
    layer = ngrams("layer", nO=2, n_rows=50, max_order=2, scale=1.0, dropout=Dropout())
    parameters = Parameters()
    parameters.bind({"layer": layer}, 0)
    parameters.weights[...] = np.random.default_rng(1).normal(size=parameters.weights.shape)
    both = layer.predict(Keys(HASHES, LAYOUT))
    last = layer.predict(Keys(HASHES[4:], Layout([4])))
    np.testing.assert_allclose(both[:, 3:], last, rtol=1e-6)
    np.testing.assert_allclose(both[:, 2], layer.get_param("b"))  # the empty text


def test_attention_by_hand():
    layout = Layout([2, 0, 1])
    weights = softmax_by_doc(np.array([0.0, np.log(3.0), 5.0]), layout)
    np.testing.assert_allclose(weights, [0.25, 0.75, 1.0])
    layer = attention_pool("layer", nI=1)
    parameters = Parameters()
    parameters.bind({"layer": layer}, 0)
    parameters.weights[...] = np.log(3.0)
    Y = layer.predict(Packed(np.array([[0.0, 1.0, 5.0]], dtype="float32"), layout))
    root = 2**0.5 / 4
    np.testing.assert_allclose(Y, [[0.75 * root, 0, 1.25], [1, 0, 5], [0.5 * root, 0, 1.25]], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("bag_of_ngrams", {"rows": 0}), ("bag_of_ngrams", {"max_order": 0}), ("bag_of_ngrams", {"scale": 0.0}),
        ("bag_of_ngrams", {"rows": 2**30}), ("cnn", {"hidden_width": 0}), ("ensemble", {"maxout_pieces": 0}),
    ],
)  # fmt: skip
def test_sizes_that_make_no_sense(kind, options):
    with pytest.raises(RunnerError, match=next(iter(options))):
        registry.classifiers.get(kind)(**options)
