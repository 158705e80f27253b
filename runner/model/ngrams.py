"""A linear layer over hashed n-grams: each run of one to N words in a text has a weight for each label.

    Y[:, doc] = sum over the doc's n distinct n-grams of sign * w(E[row]) * scale / sqrt(n) + b
    w(e) = e * (0.01 + |e|)

An n-gram's row and sign, 1 or -1, are a hash of its words' hashes, so there is no vocabulary to build. N-grams that share
a row share its weights; their signs are random, so that a collision adds noise and not bias (Weinberger et al., 2009).
Presence counts, not frequency: a word that occurs ten times tells little more than a word that occurs once (Pang, Lee and
Vaithyanathan, 2002). N-grams of all lengths and all docs of a batch are hashed together; the order of words beyond N is lost.

Why w is not linear: Adam divides by the size of past gradients, so an n-gram seen k times moves about sqrt(k) times as far as
an n-gram seen once. A text's own rare n-grams then explain the text, and nothing general is learned. With the square, the
factor is about k, as in plain gradient descent: on movie_reviews (two dev sets, 600 texts) about a point of F and half a
point of AUC better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Layout
from runner.model.ops import Ops
from runner.model.ops.ngrams import LongLongs
from runner.model.parameters import zeros

_BEND = 0.01  # smaller parameters count linearly, so that training leaves zero


class Keys(NamedTuple):
    """The input of the layer."""

    hashes: LongLongs  # (n_tokens,) of the words
    layout: Layout


def ngrams(name: str, *, nO: int, n_rows: int, max_order: int, scale: float, dropout: Dropout) -> Model[Keys, Floats2d]:
    """Keys → (nO, n_docs). An empty doc gives the bias alone.

    Parameters: E (n_rows, nO) and b (nO,), zeros at first. max_order: words of the longest n-gram. scale: of the inputs,
    and thereby of the step of one update. Dropout drops n-grams.
    """
    return Model(
        name,
        forward,
        dims={"nO": nO},
        params={"E": None, "b": None},
        attrs={
            "max_order": max_order,
            "scale": scale,
            "dropout": dropout,
            "tables": {"E": None},
            "init": {"E": ((n_rows, nO), zeros), "b": ((nO,), zeros)},
        },
    )


def forward(model: Model[Keys, Floats2d], keys: Keys, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    ops: Ops = model.ops
    E, b = model.get_param("E"), model.get_param("b")  # (n_rows, nO), (nO,)
    rows, signs, docs, counts = ops.extract_ngrams(*keys, E.shape[0], model.attrs["max_order"])
    if is_train:
        touched, rows = model.attrs["tables"]["E"].read(rows)
        E = touched.W
    size = (model.attrs["scale"] / np.sqrt(np.maximum(counts, 1))).astype(E.dtype)  # (n_docs,)
    X = size[docs] * signs.astype(E.dtype, copy=False)  # (n_features,)
    mask = model.attrs["dropout"].mask(len(X)) if is_train else None
    if mask is not None:
        X *= mask
    nO, n_docs = E.shape[1], len(counts)
    Y = np.empty((nO, n_docs), dtype=E.dtype)
    e = E.take(rows, axis=0)  # (n_features, nO); ten times as fast as E[rows]
    weighted = e * (_BEND + abs(e)) * X[:, None]
    filled = counts > 0
    starts = (np.cumsum(counts) - counts)[filled]
    Y[:, ~filled] = 0
    if len(starts):
        Y[:, filled] = np.add.reduceat(weighted, starts, axis=0).T
    Y += b[:, None]

    def backprop(dY: Floats2d) -> None:
        model.inc_grad("b", dY.sum(axis=1))
        if len(rows) and nO:
            dX = dY.T[docs]  # (n_features, nO)
            dX *= X[:, None]
            dX *= _BEND + 2 * abs(e)
            dE = touched.zeros()
            ops.scatter_add(dE, touched.places, dX)
            touched.add(dE)

    return Y, backprop
