"""An encoder below the CNN: its vectors are projected, added to the embeddings, and read by the convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.encoder.encoder import encoder
from runner.model.ops import make_ops
from runner.model.parameters import Parameters
from runner.model.tok2vec import hash_embed_cnn
from tests.model.encoder.small import TEXTS, write_encoder
from tests.model.encoder.test_encoder import in_float64, own_cache, tokens

__all__ = ["own_cache"]


def cnn(context: Any, depth: int = 1, rate: float = 0.0) -> tuple[Any, Parameters]:
    dropout = Dropout()
    dropout.reset(rate, 3)
    build = hash_embed_cnn(width=8, depth=depth, embed_size=50, features=["norm"], context=context)
    model = build("tok2vec", 0, dropout)
    parameters = Parameters(make_ops("numpy"))
    parameters.bind({"tok2vec": model}, 0)
    return model, parameters


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "encoder", "bert")


def test_with_a_projection_of_zeros_it_is_the_cnn_alone(folder: Path) -> None:
    model, parameters = cnn(encoder(str(folder), train=False, pooling="mean"))
    alone, _ = cnn(None)
    parameters.views(parameters.weights)["tok2vec/project/W"][...] = 0
    np.testing.assert_array_equal(model.predict(tokens(*TEXTS)).X, alone.predict(tokens(*TEXTS)).X)


def test_the_convolutions_read_the_encoders_vectors_of_neighbours(folder: Path) -> None:
    """One column of the context changes what its neighbours become, too."""
    model, _ = cnn(encoder(str(folder), train=False))
    context = model.attrs["context"].layers[0]
    plain = model.predict(tokens(TEXTS[0])).X
    vectors = context.predict(tokens(TEXTS[0]))
    vectors.X[:, 3] += 1
    context._func = lambda *_, **__: (vectors, None)
    moved = np.abs(model.predict(tokens(TEXTS[0])).X - plain).max(axis=0) > 1e-6
    assert moved.tolist() == [False, False, True, True, True, False, False]


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_gradients_of_a_tuned_encoder_are_those_of_finite_differences(folder: Path, rate: float) -> None:
    model, _ = cnn(encoder(str(folder), pooling="mean"), rate=rate)
    weights = {f"{node.name}/{name}": (node, name, value) for node, name, value in in_float64(model)}
    towards = np.random.default_rng(1).standard_normal((8, sum(len(text.split()) for text in TEXTS)))

    def loss() -> tuple[float, Any]:
        model.attrs["dropout"].reset(rate, 7)
        packed, backprop = model(tokens(*TEXTS), True)
        return float((packed.X * towards).sum()), backprop

    loss()[1](towards)
    for path in ("tok2vec/project/W", "tok2vec/context/encoder/layer1/feed_forward/U", "tok2vec/encode1/W"):
        node, name, value = weights[path]
        gradient = node.get_grad(name).copy()
        for place in np.argsort(-np.abs(gradient), axis=None)[:4]:
            at = np.unravel_index(place, value.shape)
            before, losses = value[at], []
            for step in (1e-5, -1e-5):
                value[at] = before + step
                losses.append(loss()[0])
            value[at] = before
            assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradient[at], rel=2e-3, abs=1e-4), path


def test_an_encoder_that_does_not_learn_has_no_place_in_the_flat_arrays(folder: Path) -> None:
    model, parameters = cnn(encoder(str(folder), train=False))
    assert not [path for path in parameters.layout if "context" in path]
    packed, backprop = model(tokens(*TEXTS), True)
    backprop(np.ones_like(packed.X))
    assert parameters.views(parameters.gradient)["tok2vec/project/W"].any()


def test_a_context_with_features_of_its_own_is_refused(folder: Path) -> None:
    beside = hash_embed_cnn(width=4, depth=0, features=["norm"])
    with pytest.raises(RunnerError, match="reads features of its own"):
        cnn(encoder(str(folder), beside=beside))


def test_a_context_without_convolutions_is_refused(folder: Path) -> None:
    with pytest.raises(RunnerError, match="depth is 0"):
        cnn(encoder(str(folder)), depth=0)
