"""Every layer's backward pass against finite differences, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed, Tokens, transposed
from runner.model.linear import linear, linear_biluo
from runner.model.maxout_window import maxout_window
from runner.model.ops import Ops
from runner.model.ops.windows import backprop_maxout, maxout
from runner.model.parameters import Parameters
from runner.model.tok2vec import hash_embed_cnn, hide_words

LAYOUT = Layout([3, 1, 0, 4])
OPS = Ops(use_blis=False)


def in_float64(model, seed=0):
    parameters = Parameters()
    parameters.bind({"model": model}, seed)
    rng = np.random.default_rng(seed)
    parameters.weights = parameters.weights.astype("float64") + rng.normal(0, 0.1, parameters.weights.shape)
    parameters.gradient = parameters.gradient.astype("float64")
    parameters._attach()
    return parameters


def check_gradients(model, run, inputs=None, seed=0, samples=60):
    """`run()` → (Y, backprop). Compares the gradients of sum(Y * R) with finite differences."""
    parameters = in_float64(model, seed)
    rng = np.random.default_rng(seed + 1)
    Y, backprop = run()
    R = rng.normal(size=Y.shape)
    dX = backprop(R.copy())

    def objective():
        return float((run()[0] * R).sum())

    def numeric(array, index, step=1e-6):
        old = array[index]
        array[index] = old + step
        high = objective()
        array[index] = old - step
        low = objective()
        array[index] = old
        return (high - low) / (2 * step)

    analytic = parameters.gradient.copy()
    touched = np.flatnonzero(analytic)
    assert len(touched)
    for i in rng.choice(touched, min(samples, len(touched)), replace=False):
        assert analytic[i] == pytest.approx(numeric(parameters.weights, i), abs=1e-5, rel=1e-4)
    if inputs is not None:
        for _ in range(samples):
            index = tuple(rng.integers(size) for size in inputs.shape)
            assert dX[index] == pytest.approx(numeric(inputs, index), abs=1e-5, rel=1e-4)


@pytest.mark.parametrize("window_size", [0, 1, 2])
@pytest.mark.parametrize("is_residual", [False, True])
@pytest.mark.parametrize("n_pieces", [1, 2, 3])
def test_maxout_window(window_size, is_residual, n_pieces):
    dropout = Dropout()
    X = np.random.default_rng(3).normal(size=(5, LAYOUT.n_tokens))
    layer = maxout_window(
        "layer", nO=5, nI=5, nP=n_pieces, window_size=window_size, is_residual=is_residual, dropout=dropout
    )

    def run():
        dropout.reset(0.4, 9)
        packed, backprop = layer(Packed(X, LAYOUT), True)
        return packed.X, backprop

    check_gradients(layer, run, X)


def test_one_piece_is_a_relu():
    pieces = np.array([[[1.0, -2.0, 0.5, -0.25]]])  # (nP, nO, n)
    M = maxout(pieces)
    assert M.tolist() == [[1.0, 0.0, 0.5, 0.0]]
    assert backprop_maxout(np.array([[3.0, 4.0, -5.0, 6.0]]), M, pieces).tolist() == [[[3.0, 0.0, -5.0, 0.0]]]


@pytest.mark.parametrize("n_pieces", [2, 3, 4])
def test_the_gradient_goes_to_the_piece_that_won(n_pieces):
    rng = np.random.default_rng(n_pieces)
    pieces = rng.normal(size=(n_pieces, 7, 9)).astype("float32")
    dM = rng.normal(size=(7, 9)).astype("float32")
    won = pieces.argmax(axis=0) == np.arange(n_pieces)[:, None, None]
    assert (backprop_maxout(dM, maxout(pieces), pieces) == won * dM).all()


def test_scores():
    X = np.random.default_rng(3).normal(size=(5, LAYOUT.n_tokens))
    layer = linear("layer", nO=3, nI=5)
    check_gradients(layer, lambda: layer(Packed(X, LAYOUT), True), X)


def test_tok2vec_with_dropout_and_word_dropout():
    dropout = Dropout()
    build = hash_embed_cnn(6, 2, 20, features=("norm", "prefix", "suffix", "shape"), word_dropout=0.3)
    model = build("tok2vec", 0, dropout)
    features = np.random.default_rng(5).integers(1, 2**60, (4, 4)).astype("uint64")
    tokens = Tokens(features, np.array([0, 1, 2, 0, 3, 3, 1, 0]), LAYOUT, counts=np.array([1, 2, 0, 9]))

    def run():
        dropout.reset(0.2, 11)
        packed, backprop = model(tokens, True)
        return packed.X, backprop

    check_gradients(model, run, samples=150)


def test_a_window_stops_at_the_edge_of_its_doc():
    X = np.arange(1.0, 9.0)[None]  # docs: 1 2 3 | 4 | (empty) | 5 6 7 8
    C = OPS.expand_window(X, LAYOUT, 1)
    assert C.tolist() == [[0, 1, 2, 0, 0, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8], [2, 3, 0, 0, 6, 7, 8, 0]]


def test_a_wide_window_over_a_short_batch():
    assert OPS.expand_window(np.array([[5.0]]), Layout([1]), 3).ravel().tolist() == [0, 0, 0, 5, 0, 0, 0]


def test_the_same_words_in_another_batch_get_the_same_vectors():
    model = hash_embed_cnn(8, 1, 50, features=("norm", "prefix", "suffix", "shape"))("tok2vec", 0, Dropout())
    Parameters().bind({"model": model}, seed=1)
    features = np.random.default_rng(5).integers(1, 2**60, (4, 4)).astype("uint64")
    both = model.predict(Tokens(features, np.array([0, 1, 2, 3, 1]), Layout([3, 2]))).X
    second = model.predict(Tokens(features[[1, 3]], np.array([1, 0]), Layout([2]))).X
    np.testing.assert_allclose(both[:, 3:], second, atol=1e-5)


def test_unknown_words_are_hidden_and_keep_their_affixes():
    features = np.array([[10, 11, 12, 13], [20, 21, 22, 23]], dtype="uint64")
    tokens = Tokens(features, np.array([0, 1, 0]), Layout([3]), counts=np.array([0, 1000]))
    names = ("norm", "prefix", "suffix", "shape")
    dropout = Dropout()
    dropout.reset(0.0, 3)
    for hidden in (hide_words(OPS, tokens, names, 0.25, None), hide_words(OPS, tokens, names, 0.25, dropout)):
        assert hidden.features[hidden.inverse].tolist() == [[1, 11, 12, 13], [20, 21, 22, 23], [1, 11, 12, 13]]
    assert features[0, 0] == 10


def test_rare_words_are_hidden_more_often():
    counts = np.array([1, 3])
    tokens = Tokens(np.array([[10], [20]], dtype="uint64"), np.repeat([0, 1], 20_000), Layout([40_000]), counts)
    dropout = Dropout()
    dropout.reset(0.0, 3)
    hidden = hide_words(OPS, tokens, ("norm",), 1.0, dropout)
    is_hidden = hidden.features[hidden.inverse][:, 0] == 1
    assert is_hidden[:20_000].mean() == pytest.approx(1 / 2, abs=0.02)
    assert is_hidden[20_000:].mean() == pytest.approx(1 / 4, abs=0.02)


def test_dropout_keeps_the_expected_value_and_repeats_from_its_seed():
    dropout = Dropout()
    dropout.reset(0.25, 1, 2)
    mask = dropout.mask(1000, 100)
    assert (mask == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert mask.mean() == pytest.approx(1.0, abs=0.01)
    dropout.reset(0.25, 1, 2)
    assert (dropout.mask(1000, 100) == mask).all()
    dropout.reset(0.0, 1)
    assert dropout.mask(3) is None
    dropout.reset(1.0, 1)
    assert not dropout.mask(3).any()


def test_initial_weights_depend_on_seed_and_path_alone():
    def weights(*names, seed=0):
        parameters = Parameters()
        parameters.bind({n: maxout_window(n, nO=3, nI=3, dropout=Dropout()) for n in names}, seed)
        return parameters.views(parameters.weights)

    alone, together, other = weights("b"), weights("a", "b", "c"), weights("b", seed=1)
    assert (alone["b/W"] == together["b/W"]).all()
    assert (alone["b/W"] != other["b/W"]).any()
    assert (together["a/W"] != together["b/W"]).any()


def test_growing_a_layer_keeps_what_it_knew():
    parameters = Parameters()
    small = linear("s", nO=2, nI=3)
    parameters.bind({"s": small}, 0)
    small.get_param("W")[...] = 7
    large = linear("s", nO=4, nI=3)
    parameters.bind({"s": large}, 0)
    assert large.get_param("W").tolist() == [[7] * 3, [7] * 3, [0] * 3, [0] * 3]


def test_an_entity_label_that_a_learned_layer_gains_starts_below_O():
    draw = np.random.default_rng(0)
    X = Packed(draw.normal(size=(3, 500)).astype("float32"), Layout([500]))
    parameters = Parameters()
    small, large = (linear_biluo("s", n_labels=n, nI=3) for n in (3, 5))
    parameters.bind({"s": small}, 0)
    parameters.weights[...] = draw.normal(size=len(parameters.weights))
    parameters.learned.add("s")
    before = small.predict(X)
    parameters.bind({"s": large}, 0)
    after = large.predict(X)
    states = after[1:].reshape(4, 5, -1)
    np.testing.assert_allclose(np.concatenate([after[:1], states[:, :3].reshape(12, -1)]), before, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(states[:, 3:], np.broadcast_to(before[0] - 2, (4, 2, 500)), rtol=1e-4, atol=1e-4)


def test_other_weights_are_borrowed_and_given_back_even_after_an_error():
    parameters = Parameters()
    layer = linear("s", nO=1, nI=1)
    parameters.bind({"s": layer}, 0)
    with pytest.raises(ZeroDivisionError), parameters.use(np.array([3.0, 4.0], dtype="float32")):
        assert layer.get_param("W").item() == 3
        raise ZeroDivisionError
    assert layer.get_param("W").item() == 0


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 40), (64, 16), (130, 7)])
def test_transposed(shape):
    X = np.random.default_rng(0).normal(size=shape)
    for array in (X, X.T):
        found = transposed(array, "float32")
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, array.T.astype("float32"))
