"""A linear layer over hashed n-grams: which runs of one to N words a text has, and what each says for each label.

    Y[:, doc] = sum over the doc's distinct n-grams of sign * w(E[row]) * scale / sqrt(how many there are) + b
    w(e) = e * (0.01 + |e|)

An n-gram's row and sign, 1 or -1, are a hash of its words' hashes, so there is no vocabulary to build. N-grams that share
a row share its weights; thanks to the signs they disturb each other as often one way as the other, which is noise in
place of bias (Weinberger et al., 2009). Presence counts, not frequency: a word that comes ten times tells little more
than one that comes once (Pang, Lee and Vaithyanathan, 2002). All orders, all docs of a batch are hashed together; the
order of words beyond N is lost.

Why w is bent: Adam divides by the size of past gradients, so an n-gram seen k times moves about sqrt(k) as far as one seen
once. A text's own rare n-grams then explain it, and nothing general is learned. The square makes that about k, as in
plain gradient descent. On movie_reviews (two dev sets, 600 texts) it is worth about a point of F and half a point of AUC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Noise
from runner.model.layout import Floats2d, Layout
from runner.model.ops import kernels_of
from runner.model.parameters import zeros

LongLongs = NDArray[np.uint64]
Floats1d = NDArray[np.float32]
_BEND = 0.01  # parameters smaller than this count linearly, so that zero is no place to get stuck in
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: multiplying by it loses nothing
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # SplitMix64's


class Keys(NamedTuple):
    """What the layer reads."""

    hashes: LongLongs  # (n_tokens,) of each token's word
    layout: Layout


class Features(NamedTuple):
    """The distinct rows of each doc, doc by doc."""

    rows: NDArray[np.int32]  # (n_features,)
    signs: Floats1d  # (n_features,) float32, 1 or -1
    docs: NDArray[np.int64]  # (n_features,) the doc that each belongs to, ascending
    counts: NDArray[np.int64]  # (n_docs,) features of each doc


def mix(keys: LongLongs) -> LongLongs:
    """SplitMix64's finalizer (Steele et al., 2014): every bit of the result depends on every bit of the key."""
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX_2
    return keys ^ (keys >> np.uint64(31))


def extract(keys: Keys, n_rows: int, max_order: int, kernels: Any | None = None) -> Features:
    """The rows of all n-grams of 1 to `max_order` words, each once a doc. No n-gram reaches over the end of its doc."""
    hashes, layout = keys
    n_docs, n_tokens = len(layout.lengths), len(hashes)
    if kernels is not None:
        return _extract_compiled(kernels, keys, n_rows, max_order)
    doc_of = np.repeat(np.arange(n_docs), layout.lengths)  # (n_tokens,)
    rest = np.repeat(layout.lengths, layout.lengths) - layout.position  # (n_tokens,) words up to the end of the doc
    cells = []
    combined = np.zeros(n_tokens, dtype="uint64")
    for order in range(1, max_order + 1):
        length = max(n_tokens - order + 1, 0)
        combined = (combined[:length] ^ (combined[:length] >> np.uint64(29))) * _MULTIPLIER + hashes[order - 1 :]
        fits = rest[:length] >= order
        mixed = mix(combined[fits])
        rows = ((mixed >> np.uint64(32)) * np.uint64(n_rows)) >> np.uint64(32)  # 0 to n_rows - 1, each as likely
        is_negative = mixed & np.uint64(1)
        cells.append(2 * (doc_of[:length][fits] * n_rows + rows.astype("int64")) + is_negative.astype("int64"))
    distinct = np.concatenate(cells)
    distinct.sort()
    if len(distinct):
        distinct = distinct[np.concatenate([[True], distinct[1:] != distinct[:-1]])]
    signs = (1 - 2 * (distinct & 1)).astype("float32")
    distinct >>= 1
    docs = distinct // n_rows
    return Features((distinct - docs * n_rows).astype("int32"), signs, docs, np.bincount(docs, minlength=n_docs))


def _extract_compiled(kernels: Any, keys: Keys, n_rows: int, max_order: int) -> Features:
    hashes, layout = keys
    cells = np.empty(max_order * len(hashes), dtype="int64")
    cells = cells[: kernels.ngram_cells(hashes, layout.starts, layout.lengths, n_rows, max_order, cells)]
    cells.sort()
    rows, signs, docs = (np.empty(len(cells), dtype) for dtype in ("int32", "float32", "int64"))
    counts = np.empty(len(layout.lengths), dtype="int64")
    n = kernels.split_cells(cells, n_rows, rows, signs, docs, counts)
    return Features(rows[:n], signs[:n], docs[:n], counts)


def ngrams(name: str, *, nO: int, n_rows: int, max_order: int, scale: float, noise: Noise) -> Model[Keys, Floats2d]:
    """Keys → (nO, n_docs). An empty doc gives the bias alone.

    Parameters: E (n_rows, nO) and b (nO,), zeros at first. max_order: words of the longest n-gram. scale: of the inputs,
    and so of the step that one update takes. Dropout takes n-grams.
    """
    return Model(
        name,
        forward,
        dims={"nO": nO},
        params={"E": None, "b": None},
        attrs={
            "max_order": max_order,
            "scale": scale,
            "noise": noise,
            "tables": {"E": None},
            "init": {"E": ((n_rows, nO), zeros), "b": ((nO,), zeros)},
        },
    )


def forward(model: Model[Keys, Floats2d], keys: Keys, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    ops = model.ops
    E, b = model.get_param("E"), model.get_param("b")  # (n_rows, nO), (nO,)
    rows, signs, docs, counts = extract(keys, E.shape[0], model.attrs["max_order"], kernels_of(ops))
    if is_train:
        touched, rows = model.attrs["tables"]["E"].read(rows)
        E = touched.W
    size = (model.attrs["scale"] / np.sqrt(np.maximum(counts, 1))).astype(E.dtype)  # (n_docs,)
    X = size[docs] * signs.astype(E.dtype, copy=False)  # (n_features,)
    mask = model.attrs["noise"].mask(len(X)) if is_train else None
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
