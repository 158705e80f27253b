"""The parser's layers and its whole head: gradients against finite differences in float64, and shapes of the unusual."""

from __future__ import annotations

import doctest
from functools import partial

import numpy as np
import pytest

from runner.model import biaffine, lstm, parse
from runner.model.biaffine import arc_loss, arc_scores, buckets, label_scores
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed
from runner.model.losses import cross_entropy
from runner.model.lstm import bilstm
from runner.model.parameters import Parameters
from runner.model.parse import KINDS, ParserShape, parser_head, project
from runner.model.qrnn import biqrnn

LAYOUT = Layout([3, 1, 0, 4])
HEADS = np.array([1, 1, -1, 0, 3, 0, 2, 2])  # positions in docs of 3, 1, 0 and 4 tokens; the third is not known


def in_float64(model, seed=0):
    """The model with weights that are nowhere zero, and its parameters."""
    parameters = Parameters()
    parameters.bind({"model": model}, seed)
    rng = np.random.default_rng(seed)
    parameters.weights = parameters.weights.astype("float64") + rng.normal(0, 0.1, parameters.weights.shape)
    parameters.gradient = parameters.gradient.astype("float64")
    parameters._attach()
    return parameters


def check(parameters, X, losses):
    """`losses()` → (a number, its backward pass to X). Some values of every parameter, and all of X."""
    dX = losses()[1]()
    analytic = parameters.gradient.copy()

    def numeric(array, index, step=1e-6):
        old = array[index]
        array[index] = old + step
        high = losses()[0]
        array[index] = old - step
        low = losses()[0]
        array[index] = old
        return (high - low) / (2 * step)

    rng = np.random.default_rng(0)
    for path, (offset, shape) in parameters.layout.items():
        size = int(np.prod(shape))
        places = offset + rng.choice(size, min(12, size), replace=False)
        assert analytic[places].any(), path
        for i in places:
            assert analytic[i] == pytest.approx(numeric(parameters.weights, i), abs=1e-5, rel=1e-4), path
    for index in np.ndindex(X.shape):
        assert dX[index] == pytest.approx(numeric(X, index), abs=1e-5, rel=1e-4)


def check_layer(model, X, dropout, rate, run):
    """Through the sum of all outputs, each weighed by a random number."""
    parameters = in_float64(model)

    def losses():
        dropout.reset(rate, 9)
        Y, backprop = run()
        R = np.random.default_rng(1).normal(size=Y.shape)
        return float((Y * R).sum()), lambda: backprop(R)

    check(parameters, X, losses)


@pytest.fixture
def X():
    return np.random.default_rng(3).normal(size=(6, LAYOUT.n_tokens))


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_bilstm(X, rate):
    dropout = Dropout()
    layer = bilstm("lstm", nO=8, nI=6, dropout=dropout)

    def run():
        packed, backprop = layer(Packed(X, LAYOUT), True)
        return packed.X, backprop

    check_layer(layer, X, dropout, rate, run)


def test_biqrnn(X):
    layer = biqrnn("qrnn", nO=8, nI=6)

    def run():
        packed, backprop = layer(Packed(X, LAYOUT), True)
        return packed.X, backprop

    check_layer(layer, X, Dropout(), 0.0, run)


def test_biqrnn_by_its_formula(X):
    """Token by token, in both directions, with sigmoids as they are written."""
    layer = biqrnn("qrnn", nO=8, nI=6)
    in_float64(layer)
    W, b = layer.get_param("W"), layer.get_param("b")
    found = layer.predict(Packed(X, LAYOUT)).X
    expected = np.zeros_like(found)
    for start, length in zip(LAYOUT.starts, LAYOUT.lengths, strict=True):
        for half, tokens in ((slice(0, 4), range(length)), (slice(4, 8), range(length - 1, -1, -1))):
            c = np.zeros(4)
            for t in tokens:
                v, f, o = (W[gate, half] @ X[:, start + t] + b[gate, half] for gate in range(3))
                f, o = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o))
                c = f * c + (1 - f) * np.tanh(v)
                expected[half, start + t] = o * c
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_project(X):
    dropout = Dropout()
    layer = project("project", nO=5, nI=6, dropout=dropout)

    def run():
        packed, backprop = layer(Packed(X, LAYOUT), True)
        return packed.X, backprop

    check_layer(layer, X, dropout, 0.3, run)


def test_arc_scores(X):
    layer = arc_scores("arcs", nI=3)
    parameters = in_float64(layer)

    def losses():
        arcs, backprop = layer((X[:3], X[3:], LAYOUT), True)
        rng = np.random.default_rng(1)
        weights = [
            rng.normal(size=S.shape) * bucket.inside[:, :, None] * bucket.inside[:, None, :]
            for bucket, S in zip(*arcs, strict=True)
        ]
        total = sum(float((S * R).sum()) for S, R in zip(arcs.scores, weights, strict=True))
        return total, lambda: np.concatenate(backprop([R.copy() for R in weights]))

    check(parameters, X, losses)


@pytest.mark.parametrize("longest", [1, 5, 128, 129, 200])
def test_distances_of_short_and_long_docs(longest):
    table = np.random.default_rng(0).normal(size=2 * biaffine.MAX_DISTANCE + 1)
    dS = np.random.default_rng(1).normal(size=(longest, longest))
    gradient = np.zeros_like(table)
    values = biaffine._distance_values(table, longest)
    for i in range(longest):
        for j in range(longest):
            row = max(-biaffine.MAX_DISTANCE, min(biaffine.MAX_DISTANCE, j - i)) + biaffine.MAX_DISTANCE
            assert values[i, j] == table[row]
            gradient[row] += dS[i, j]
    np.testing.assert_allclose(biaffine._distance_gradient(dS, len(table)), gradient, atol=1e-9)


@pytest.mark.parametrize("layer", [biqrnn, partial(bilstm, dropout=Dropout())], ids=["qrnn", "lstm"])
@pytest.mark.parametrize("lengths", [[3, 1, 0, 4], [5], [0, 0], [], [1] * 40 + [13, 2, 9]])
@pytest.mark.parametrize("ahead", [1, 7, 1024])
def test_a_recurrent_layer_predicts_what_it_gives_in_training_without_dropout(layer, lengths, ahead, monkeypatch):
    monkeypatch.setattr(lstm, "_ROWS_AHEAD", ahead)
    model = layer("x", nO=8, nI=6)
    in_float64(model)
    layout = Layout(lengths)
    packed = Packed(np.random.default_rng(1).normal(size=(6, layout.n_tokens)), layout)
    learned, predicted = model(packed, True)[0].X, model.predict(packed).X
    assert learned.shape == predicted.shape == (8, layout.n_tokens)
    np.testing.assert_allclose(predicted, learned, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rnn", KINDS)
@pytest.mark.parametrize("words", [1, 4, 9, 3000])
def test_docs_scored_some_at_a_time_have_the_trees_of_docs_scored_together(rnn, words, monkeypatch):
    monkeypatch.setattr(parse, "_WORDS_SCORED", words)
    shape = ParserShape(rnn, rnn_width=4, rnn_depth=2, arc_width=5, label_width=4, maxout_pieces=2, single_root=False)
    head = parser_head("parser", shape, nI=6, n_labels=3, n_tags=4, dropout=Dropout())
    in_float64(head)
    layout = Layout([0, 3, 1, 0, 4, 9, 2, 0])
    packed = Packed(np.random.default_rng(2).normal(size=(6, layout.n_tokens)), layout)
    whole = head.predict((packed, None))
    parts = list(parse.parses(head, packed))
    assert [column for at, _ in parts for column in range(at.start, at.stop)] == list(range(layout.n_tokens))
    assert np.concatenate([part.heads for _, part in parts]).tolist() == whole.heads.tolist()
    labels = np.concatenate([part.labels for _, part in parts], axis=1)
    np.testing.assert_allclose(labels, whole.labels, rtol=1e-12, atol=1e-12)
    most = max(words, 9)
    assert all(part.labels.shape[1] <= most for _, part in parts)
    assert list(parse.parses(head, Packed(np.zeros((6, 0)), Layout([0, 0])))) == []


def test_label_scores(X):
    dropout = Dropout()
    layer = label_scores("labels", n_labels=3, nO=5, nI=6, nP=2, dropout=dropout)
    heads = np.array([1, -1, 1, -1, -1, 4, 6, 6])
    check_layer(layer, X, dropout, 0.3, lambda: layer((Packed(X, LAYOUT), heads), True))


@pytest.mark.parametrize(("rnn", "rate"), [("lstm", 0.0), ("lstm", 0.3), ("qrnn", 0.3)])
def test_the_whole_head_with_its_losses(X, rnn, rate):
    dropout = Dropout()
    head = parser_head(
        "parser", ParserShape(rnn, rnn_width=4, rnn_depth=2, arc_width=5, label_width=4, maxout_pieces=2, single_root=False),
        nI=6, n_labels=3, n_tags=4, dropout=dropout,
    )  # fmt: skip
    labels, tags = np.array([0, 1, -1, 2, 1, 0, 2, 0]), np.array([3, -1, 0, 1, 2, 3, 0, 0])

    def losses():
        dropout.reset(rate, 4)
        parse, backprop = head((Packed(X, LAYOUT), HEADS), True)
        arc, d_arcs = arc_loss(parse.arcs, HEADS)
        label, d_labels = cross_entropy(parse.labels, labels)
        tag, d_tags = cross_entropy(parse.tags, tags)
        return arc + label + 0.5 * tag, lambda: backprop(d_arcs, d_labels, 0.5 * d_tags)

    check(in_float64(head), X, losses)


@pytest.mark.parametrize("lengths", [[], [0], [1], [3000], [1] * 50 + [70, 2, 2, 300, 0, 41]])
def test_buckets_hold_every_token_once_and_little_padding(lengths):
    layout = Layout(lengths)
    found = buckets(layout)
    columns = np.concatenate([bucket.columns[bucket.inside] for bucket in found] or [np.zeros(0)])
    assert sorted(columns.tolist()) == list(range(layout.n_tokens))
    cells = sum(bucket.columns.size * bucket.columns.shape[1] for bucket in found)
    assert cells <= 2.25 * sum(max(n, 8) ** 2 for n in lengths)


def test_a_batch_with_one_long_doc_takes_the_memory_of_that_doc():
    found = buckets(Layout([1500] + [20] * 100))
    assert max(bucket.columns.size * bucket.columns.shape[1] for bucket in found) == 1500**2


@pytest.mark.parametrize("rnn", KINDS)
def test_docs_are_scored_alone_as_in_company(rnn):
    head = parser_head(
        "parser", ParserShape(rnn, rnn_width=4, rnn_depth=1, arc_width=5, label_width=4, maxout_pieces=2, single_root=True),
        nI=6, n_labels=3, n_tags=0, dropout=Dropout(),
    )  # fmt: skip
    in_float64(head)
    lengths = [5, 1, 0, 17, 3]
    X = np.random.default_rng(1).normal(size=(6, sum(lengths)))
    together = head.predict((Packed(X, Layout(lengths)), None))
    start = 0
    for n in lengths:
        alone = head.predict((Packed(X[:, start : start + n].copy(), Layout([n])), None))
        assert alone.heads.tolist() == together.heads[start : start + n].tolist()
        np.testing.assert_allclose(alone.labels, together.labels[:, start : start + n], atol=1e-9)
        start += n


def test_the_softmax_over_heads_by_hand():
    # A doc of two tokens whose scores are all 0: each head has probability 1/2.
    layout = Layout([2])
    head = parser_head(
        "parser", ParserShape("lstm", rnn_width=2, rnn_depth=0, arc_width=2, label_width=2, maxout_pieces=1, single_root=True),
        nI=2, n_labels=1, n_tags=0, dropout=Dropout(),
    )  # fmt: skip
    Parameters().bind({"head": head}, 0)
    arcs = head.predict((Packed(np.ones((2, 2), dtype="float32"), layout), None)).arcs
    loss, (gradient,) = arc_loss(arcs, np.array([1, -1]))
    assert loss == pytest.approx(np.log(2))
    assert gradient.tolist() == [[[0.5, -0.5], [0.0, 0.0]]]


def test_docstrings():
    assert doctest.testmod(biaffine).failed == 0
