"""Architectures of the text classifier: texts in, one score a label and text out.

    bag_of_ngrams     which n-grams occur (ngrams.py): fast, no token vectors, hard to beat on long texts
    cnn               token vectors → hidden layer → attention, max and mean over the text → scores
    ensemble          both; their scores are added

All give (n_parts, n_labels, n_docs); the sum over the parts is the prediction. Each part learns to correct the sum of the
parts before it, and does not influence them (stagewise, as in boosting). If each part learned alone, the CNN's scores would
be larger and worse than the n-grams' and outvote them: on movie_reviews .80 for the sum, .87 for its n-grams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.errors import RunnerError
from runner.model.attention_pool import attention_pool
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed
from runner.model.linear import linear
from runner.model.maxout_window import maxout_window
from runner.model.ngrams import Keys, ngrams

Floats3d = NDArray[Any]
_CALM = 0.15  # a step of Adam moves a score by the size of its inputs: small inputs keep scores steady


class Texts(NamedTuple):
    """The input of an architecture."""

    keys: Keys
    vectors: Packed | None  # of the tokens; None if the architecture does not need them


@dataclass(frozen=True)
class Architecture:
    """build(name, n_labels, width of the token vectors, dropout) → Model[Texts, (n_parts, n_labels, n_docs)]."""

    build: Callable[[str, int, int, Dropout], Model[Texts, Floats3d]]
    needs_vectors: bool


@registry.classifiers("bag_of_ngrams")
def bag_of_ngrams(max_order: int = 2, rows: int = 2**19, scale: float = 30.0) -> Architecture:
    """A linear model of n-grams of 1 to `max_order` words.

    rows: of the hashed table, which has a weight per row and label. Adam updates only the rows that a batch reads. Other
    optimizers, and L2 that is not weight decay, make each update pass over the whole table; its size then sets the speed.
    scale: of the inputs; larger learns faster.
    """
    for key, value in (("max_order", max_order), ("rows", rows)):
        if value < 1:
            raise RunnerError(f"{key} is {value}; it must be at least 1")
    if scale <= 0:
        raise RunnerError(f"scale is {scale}; it must be more than 0")
    if rows > 2**28:
        raise RunnerError(f"rows is {rows}; it must be at most {2**28}")

    def build(name: str, n_labels: int, width: int, dropout: Dropout) -> Model[Texts, Floats3d]:
        layer = ngrams(f"{name}/ngrams", nO=n_labels, n_rows=rows, max_order=max_order, scale=scale, dropout=dropout)
        return Model(f"{name}/bag", _forward_keys, layers=[layer])

    return Architecture(build, needs_vectors=False)


@registry.classifiers("cnn")
def cnn(hidden_width: int = 64, maxout_pieces: int = 2) -> Architecture:
    """Token vectors through a maxout layer of `hidden_width` units, pooled over the text."""
    if hidden_width < 1 or maxout_pieces < 1:
        raise RunnerError(f"hidden_width {hidden_width} and maxout_pieces {maxout_pieces} must each be at least 1")

    def build(name: str, n_labels: int, width: int, dropout: Dropout) -> Model[Texts, Floats3d]:
        hidden = maxout_window(f"{name}/hidden", nO=hidden_width, nI=width, nP=maxout_pieces, dropout=dropout)
        pool = attention_pool(f"{name}/pool", nI=hidden_width)
        output = linear(f"{name}/scores", nO=n_labels, nI=3 * hidden_width)
        return Model(f"{name}/cnn", _forward_vectors, layers=[hidden, pool, output])

    return Architecture(build, needs_vectors=True)


@registry.classifiers("ensemble")
def ensemble(
    max_order: int = 2,
    rows: int = 2**19,
    scale: float = 30.0,
    hidden_width: int = 64,
    maxout_pieces: int = 2,
) -> Architecture:
    """The sum of `bag_of_ngrams` and `cnn`, with the keys of both."""
    parts = (bag_of_ngrams(max_order, rows, scale), cnn(hidden_width, maxout_pieces))

    def build(name: str, n_labels: int, width: int, dropout: Dropout) -> Model[Texts, Floats3d]:
        layers = [part.build(name, n_labels, width, dropout) for part in parts]
        return Model(f"{name}/ensemble", _forward_parts, layers=layers)

    return Architecture(build, needs_vectors=True)


Result = tuple[Floats3d, Callable[[Floats3d], Any]]


def _forward_keys(model: Model[Texts, Floats3d], texts: Texts, is_train: bool) -> Result:
    Y, backprop_layer = model.layers[0](texts.keys, is_train)  # (n_labels, n_docs)

    def backprop(dY: Floats3d) -> None:
        backprop_layer(dY[0])

    return Y[None], backprop


def _forward_vectors(model: Model[Texts, Floats3d], texts: Texts, is_train: bool) -> Result:
    assert texts.vectors is not None
    hidden, pool, output = model.layers
    H, backprop_hidden = hidden(texts.vectors, is_train)  # (hidden_width, n_tokens)
    V, backprop_pool = pool(H, is_train)  # (3 hidden_width, n_docs)
    V = V * V.dtype.type(_CALM)
    Y, backprop_output = output(Packed(V, Layout([1] * V.shape[1])), is_train)  # (n_labels, n_docs)

    def backprop(dY: Floats3d) -> Any:
        dV = backprop_output(dY[0])
        dV *= dV.dtype.type(_CALM)
        return backprop_hidden(backprop_pool(dV))

    return Y[None], backprop


def _forward_parts(model: Model[Texts, Floats3d], texts: Texts, is_train: bool) -> Result:
    """Concatenate the parts' scores; the gradient of the token vectors is the sum of the parts' gradients."""
    results = [layer(texts, is_train) for layer in model.layers]
    Y = np.concatenate([Y for Y, _ in results])

    def backprop(dY: Floats3d) -> Any:
        gradients = [backprop_part(dY[i : i + 1]) for i, (_, backprop_part) in enumerate(results)]
        of_vectors = [gradient for gradient in gradients if gradient is not None]
        return sum(of_vectors[1:], of_vectors[0]) if of_vectors else None

    return Y, backprop
