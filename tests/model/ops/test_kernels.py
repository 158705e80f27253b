"""The compiled loops beside the numpy lines that they stand in for."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.__main__ import main
from runner.errors import RunnerError
from runner.model import crf
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed, Tokens
from runner.model.lstm import bilstm
from runner.model.maxout_window import maxout_window
from runner.model.ops import make_ops
from runner.model.parameters import Parameters
from runner.model.parse import ParserShape, parser_head
from runner.model.qrnn import biqrnn
from runner.model.tok2vec import hash_embed_cnn
from runner.model.trees import spanning_tree
from runner.training.adam import adam

pytest.importorskip("numba", reason="the extra numba is not installed")

NUMPY, NUMBA = make_ops("numpy"), make_ops("numba")
LAYOUT = Layout([3, 1, 0, 4, 150, 2])
SPREAD = Layout([0, 2])
LAYOUTS = {"mixed": LAYOUT, "spread": SPREAD, "empty": Layout([]), "one": Layout([1]), "long": Layout([300])}
RARE = Dropout()


def bound(model, ops, seed=0):
    """The model's parameters, none of them at its initial value."""
    parameters = Parameters(ops)
    parameters.bind({"model": model}, seed)
    parameters.weights += np.random.default_rng(seed).normal(0, 0.3, len(parameters.weights)).astype("float32")
    return parameters


def layer_results(ops, layout, *, drop=0.0, is_train=True, **settings):
    dropout = Dropout()
    model = maxout_window("x", nO=8, nI=8, dropout=dropout, **settings)
    parameters = bound(model, ops)
    dropout.reset(drop, 7)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(8, layout.n_tokens)).astype("float32")
    Y, backprop = model(Packed(X, layout), is_train)
    dX = backprop(rng.normal(size=Y.X.shape).astype("float32")) if is_train else X
    return Y.X, dX, parameters.gradient


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("nP", [1, 2, 3])
@pytest.mark.parametrize(
    ("window_size", "is_residual", "drop"), [(0, False, 0.3), (1, True, 0.2), (2, True, 0.0), (5, False, 0.5)]
)
def test_a_layer_gives_what_numpy_gives(layout, nP, window_size, is_residual, drop):
    chosen = {"nP": nP, "window_size": window_size, "is_residual": is_residual, "drop": drop}
    for expected, found in zip(
        layer_results(NUMPY, layout, **chosen), layer_results(NUMBA, layout, **chosen), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_a_layer_predicts_what_numpy_predicts():
    chosen = {"nP": 2, "window_size": 1, "is_residual": True, "drop": 0.5, "is_train": False}
    expected, found = layer_results(NUMPY, LAYOUT, **chosen)[0], layer_results(NUMBA, LAYOUT, **chosen)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nP", [1, 2])
def test_what_is_not_a_number_stays_so(nP):
    """A weight that is not a number must show in the output, or nothing would stop the training."""
    dropout = Dropout()
    for piece in range(nP):
        model = maxout_window("x", nO=4, nI=4, nP=nP, dropout=dropout)
        bound(model, NUMBA)
        model.get_param("W")[piece, 1] = np.nan
        Y = model.predict(Packed(np.ones((4, 3), "float32"), Layout([3])))
        assert np.isnan(Y.X).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=60))
def test_distinct_values_and_their_places(values):
    array = np.array(values, dtype="uint64")
    distinct, places = NUMBA.distinct(array)
    assert distinct.tolist() == list(dict.fromkeys(values))
    assert distinct[places].tolist() == values


@pytest.mark.parametrize("max_order", [1, 3])
@given(st.lists(st.lists(st.integers(0, 6) | st.integers(0, 2**64 - 1), max_size=9), max_size=5))
@settings(deadline=None)
def test_ngrams_are_those_of_numpy(max_order, docs):
    hashes, layout = (
        np.array([word for doc in docs for word in doc], dtype="uint64"),
        Layout([len(doc) for doc in docs]),
    )
    for n_rows in (5, 2**18):
        numpys, numbas = (ops.extract_ngrams(hashes, layout, n_rows, max_order) for ops in (NUMPY, NUMBA))
        for one, other in zip(numbas, numpys, strict=True):
            assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())


@pytest.mark.parametrize("layer", [biqrnn, partial(bilstm, dropout=RARE)], ids=["qrnn", "lstm"])
@pytest.mark.parametrize(
    "layout", [LAYOUT, SPREAD, Layout([]), Layout([0, 0])], ids=["mixed", "spread", "empty", "two empty"]
)
def test_a_recurrent_layer_gives_what_numpy_gives(layer, layout):
    results = []
    for ops in (NUMPY, NUMBA):
        RARE.reset(0.3, 1)
        model = layer("x", nO=6, nI=5)
        parameters = bound(model, ops)
        rng = np.random.default_rng(3)
        Y, backprop = model(Packed(rng.normal(size=(5, layout.n_tokens)).astype("float32"), layout), True)
        dX = backprop(rng.normal(size=Y.X.shape).astype("float32"))
        results.append((Y.X, dX, parameters.gradient))
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), max_size=5), n_labels=st.integers(0, 4), seed=st.integers(0, 99),
    scale=st.sampled_from([0.0, 1.0, 300.0]), known=st.sampled_from([0.0, 0.5, 1.0]),
)  # fmt: skip
def test_the_crf_is_that_of_numpy(lengths, n_labels, seed, scale, known):
    layout, rng = Layout(lengths), np.random.default_rng(seed)
    scores = rng.normal(0, scale, (crf.n_states(n_labels), layout.n_tokens)).astype("float32")
    gold = np.where(rng.random(layout.n_tokens) < known, 0, -1)  # O is legal anywhere
    for one, other in zip(crf.loss(NUMBA, scores, layout, gold), crf.loss(NUMPY, scores, layout, gold), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    assert NUMBA.crf_decode(scores, layout).tolist() == NUMPY.crf_decode(scores, layout).tolist()


@pytest.mark.parametrize("drop", [0.0, 0.4])
@pytest.mark.parametrize("is_train", [True, False])
@pytest.mark.parametrize("nP", [1, 2])
def test_the_parser_gives_what_numpy_gives(drop, is_train, nP):
    results = []
    layout = Layout([3, 1, 0, 9, 2])
    heads = np.array([0, 0, 1, 0, 4, 0, 0, -1, 2, 2, 8, 8, 1, 1, 1]) if is_train else None
    for ops in (NUMPY, NUMBA):
        dropout = Dropout()
        model = parser_head(
            "p", ParserShape("qrnn", rnn_width=8, rnn_depth=1, arc_width=4, label_width=6, maxout_pieces=nP, single_root=True),
            nI=6, n_labels=3, n_tags=2, dropout=dropout,
        )  # fmt: skip
        parameters = bound(model, ops)
        dropout.reset(drop, 5)
        rng = np.random.default_rng(3)
        parse, backprop = model((Packed(rng.normal(size=(6, 15)).astype("float32"), layout), heads), is_train)
        results.append([*parse.arcs.scores, parse.labels, parse.heads])
        if is_train:
            gradients = [
                rng.normal(size=scores.shape).astype("float32") for scores in (*parse.arcs.scores, parse.labels)
            ]
            for (_, _, inside), dS in zip(parse.arcs.buckets, gradients[:-1], strict=True):
                dS *= inside[:, :, None] * inside[:, None, :]
            dX = backprop(gradients[:-1], gradients[-1], rng.normal(size=parse.tags.shape).astype("float32"))
            results[-1] += [dX, parameters.gradient]
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@settings(deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 999), is_tied=st.booleans(), single_root=st.booleans())
def test_trees_are_those_of_numpy(n, seed, is_tied, single_root):
    scores = np.random.default_rng(seed).normal(size=(n, n)).astype("float32")
    if is_tied:
        scores = scores.round()
    numpys, numbas = (spanning_tree(ops, scores, single_root=single_root) for ops in (NUMPY, NUMBA))
    assert numbas.tolist() == numpys.tolist()


def test_sums_of_rows():
    rng = np.random.default_rng(0)
    E, places = rng.normal(size=(9, 5)).astype("float32"), rng.integers(9, size=(4, 7)).astype("int32")
    Y = NUMBA.sum_rows(E, places)
    np.testing.assert_allclose(Y, sum(E[rows] for rows in places), rtol=1e-5, atol=1e-6)
    dE = np.zeros_like(E)
    NUMBA.backprop_sum_rows(Y, places, dE)
    expected = np.zeros_like(E)
    for rows in places:
        np.add.at(expected, rows, Y)
    np.testing.assert_allclose(dE, expected, rtol=1e-5, atol=1e-6)


def trained(ops, *, use_averages=True, steps=60, L2=0.01, stop_at=None):
    """Weights, averages and moments after some updates of a tok2vec, whose table is read row by row.

    stop_at: a step after which all goes on elsewhere, from what a checkpoint keeps.
    """
    dropout = Dropout()
    model = hash_embed_cnn(width=8, depth=1, embed_size=300, word_dropout=0.5)("t", 0, dropout)
    parameters = bound(model, ops)
    settings = {"learn_rate": 0.01, "L2": L2, "grad_clip": 0.5, "use_averages": use_averages}
    sgd = adam(**settings)
    rng = np.random.default_rng(1)
    features = rng.integers(2**63, size=(40, 6)).astype("uint64")
    for step in range(steps):
        dropout.reset(0.2, step)
        n = int(rng.integers(1, 12))
        inverse = rng.integers(4, size=n)
        rows = rng.integers(40, size=4)
        tokens = Tokens(features[rows], inverse, Layout([n]), counts=rows)
        Y, backprop = model(tokens, True)
        backprop(np.sign(Y.X))
        sgd(parameters)
        if step == stop_at:
            weights, (about, arrays) = parameters.arrays()[0].copy(), sgd.snapshot()
            arrays = {name: array.copy() for name, array in arrays.items()}
            parameters, sgd = bound(model, ops, seed=1), adam(**settings)
            parameters.arrays()[0][...] = weights
            sgd.restore(parameters, about, arrays)
    assert any(sgd._lazy), "the table was to be updated lazily"
    sgd.settle()
    return parameters.weights, *(sgd.state[name] for name in sorted(sgd.state))


@pytest.mark.parametrize("use_averages", [True, False])
def test_training_follows_numpy(use_averages):
    expected, found = (trained(ops, use_averages=use_averages) for ops in (NUMPY, NUMBA))
    assert len(expected) == (4 if use_averages else 3)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=2e-3, atol=2e-5)


def test_the_same_bits_each_time():
    for one, other in zip(trained(NUMBA), trained(NUMBA), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("stop_at", [0, 17, 40])
def test_what_was_interrupted_goes_on_with_the_same_bits(stop_at):
    for one, other in zip(trained(NUMBA), trained(NUMBA, stop_at=stop_at), strict=True):
        assert one.tobytes() == other.tobytes()


def test_an_array_of_another_kind_is_refused():
    with pytest.raises(TypeError):
        NUMBA.sum_rows(np.zeros((2, 3)), np.zeros((1, 1), "int32"))


def hide_kernels(monkeypatch):
    """Forget the modules of the compiled loops, so that they are imported anew."""
    monkeypatch.delattr("runner.model.ops.kernels", raising=False)
    for name in [
        name for name in sys.modules if name.startswith(("runner.model.ops.kernels", "runner.model.ops.numba"))
    ]:
        monkeypatch.delitem(sys.modules, name)


def test_without_numba_the_next_move_is_told(monkeypatch):
    hide_kernels(monkeypatch)
    monkeypatch.setitem(sys.modules, "runner.model.ops.kernels", None)
    with pytest.raises(RunnerError, match=r"compute\.ops: numba is not installed") as caught:
        make_ops("numba")
    assert "declarative-runner[numba]" in str(caught.value)
    with pytest.raises(RunnerError, match="did you mean 'numba'"):
        make_ops("numbra")


def test_a_numba_that_does_not_fit_is_no_traceback(monkeypatch):
    """Numba raises an ImportError for a numpy newer than it knows."""
    hide_kernels(monkeypatch)
    monkeypatch.setitem(sys.modules, "numba", ModuleType("numba"))
    with pytest.raises(RunnerError, match=r"compute\.ops: numba cannot be used: cannot import name"):
        make_ops("numba")


def test_a_run_without_numba_ends_before_it_reads_anything(monkeypatch, tmp_path, capsys):
    from runner.commands import train

    hide_kernels(monkeypatch)
    monkeypatch.setitem(sys.modules, "runner.model.ops.kernels", None)
    monkeypatch.setattr(train, "make_corpus", lambda config: pytest.fail("the corpus was read"))
    monkeypatch.chdir(tmp_path)
    assert main(["pipeline=tagger", "compute=numba", "tracking=none"]) == 2
    assert "compute.ops: numba is not installed" in capsys.readouterr().err


def test_a_family_of_processes_tells_once_that_it_compiles(monkeypatch, capsys):
    class Now:
        def __init__(self, seconds, function, args, kwargs):
            self.start = lambda: function(*args, **kwargs)

        def cancel(self):
            pass

    monkeypatch.setattr("runner.model.ops.Timer", Now)
    monkeypatch.setenv("RUNNER_NUMBA_TOLD", "")
    monkeypatch.delenv("RUNNER_NUMBA_TOLD")
    make_ops("numba")
    assert "numba compiles its loops" in capsys.readouterr().err
    make_ops("numba")  # as in a child, which has its parent's environment
    assert capsys.readouterr().err == ""
