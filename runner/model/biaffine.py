"""Arcs and labels of dependency trees from token vectors (Dozat and Manning, 2017), with two changes.

    arc(i, j)   = (W d_i + v) · h_j + distance[j - i]       for a root, j = i, and h_j is a learned vector
    label(i, j) = W_out maxout(A x_i + B x_j + b) + b_out    additive, for one head j a token: the gold or the decoded head

Arc scores are (docs, length, length), so docs are scored in buckets of similar length: padding stays small, and a long doc
does not widen the arrays of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Layout, Packed, transposed
from runner.model.ops import Ops
from runner.model.ops.windows import backprop_maxout, maxout
from runner.model.parameters import glorot_uniform, uniform, zeros
from runner.model.trees import decode

MAX_DISTANCE = 12  # tokens; longer arcs share a score
_LIMITS = [step << k for k in range(2, 40) for step in (2, 3)]  # of lengths: 8, 12, 16, 24, 32, …
_CELLS = 1 << 21  # arc scores in one bucket, unless a single doc has more

Floats3d = NDArray[Any]
Ints = NDArray[np.intp]


class Bucket(NamedTuple):
    """Docs of similar length, padded to the longest."""

    columns: Ints  # (n_docs, longest) of the packed array; padding repeats a valid column
    lengths: Ints  # (n_docs,)
    inside: NDArray[np.bool_]  # (n_docs, longest)


class Arcs(NamedTuple):
    """Arc scores of a batch, bucket by bucket: [d, i, j] of head j for token i, [d, i, i] of i as root."""

    buckets: list[Bucket]
    scores: list[Floats3d]  # (n_docs, longest, longest) each; very low for heads past the doc's end


def buckets(layout: Layout) -> list[Bucket]:
    """Sort a batch's docs into buckets by `_LIMITS`; docs without tokens are in no bucket."""
    order = np.argsort(layout.lengths, kind="stable")
    sorted_lengths = layout.lengths[order]
    starts = layout.starts[order]
    result = []
    bounds = np.searchsorted(sorted_lengths, [0, *_LIMITS], side="right").tolist()
    for limit, first, last in zip(_LIMITS, bounds, bounds[1:], strict=False):
        size = max(1, _CELLS // limit**2)
        for at in range(first, last, size):
            lengths = sorted_lengths[at : min(at + size, last)]
            positions = np.arange(lengths[-1])
            inside = positions < lengths[:, None]
            columns = starts[at : at + len(lengths), None] + positions * inside
            result.append(Bucket(columns, lengths, inside))
    return result


def arc_scores(name: str, *, nI: int) -> Model[tuple[Floats2d, Floats2d, Layout], Arcs]:
    """(dependents (nI, n_tokens), heads (nI, n_tokens), layout) → Arcs.

    Parameters: W (nI, nI) and v (nI,), zero at first: every head is equally likely; root (nI,); distance
    (2 MAX_DISTANCE + 1,), whose middle value is added to roots.
    """
    return Model(
        name,
        forward_arcs,
        dims={"nI": nI},
        params=dict.fromkeys(("W", "v", "root", "distance")),
        attrs={
            "init": {
                "W": ((nI, nI), zeros),
                "v": ((nI,), zeros),
                "root": ((nI,), uniform(0.1)),
                "distance": ((2 * MAX_DISTANCE + 1,), zeros),
            }
        },
    )


def forward_arcs(
    model: Model[Any, Arcs], inputs: tuple[Floats2d, Floats2d, Layout], is_train: bool
) -> tuple[Arcs, Callable[[list[Floats3d]], tuple[Floats2d, Floats2d]]]:
    D, H, layout = inputs
    W, v, root, distance = (model.get_param(name) for name in ("W", "v", "root", "distance"))
    # (n_tokens, nI). Both products are equal up to rounding; only the second would change what a seed trains.
    QT = transposed(model.ops.gemm(W, D)) if is_train else model.ops.gemm(D, W, trans1=True, trans2=True)
    QT += v
    HT = transposed(H)
    root_scores = QT @ root  # (n_tokens,)
    all_scores = []
    batch = buckets(layout)
    for columns, _, inside in batch:
        longest = columns.shape[1]
        S = QT.take(columns, axis=0) @ HT.take(columns, axis=0).transpose(0, 2, 1)  # (n_docs, longest, longest)
        diagonal = np.arange(longest)
        S[:, diagonal, diagonal] = root_scores[columns]
        S += _distance_values(distance, longest)
        np.copyto(S, -1e9, where=~inside[:, None, :])
        all_scores.append(S)

    def backprop(d_scores: list[Floats3d]) -> tuple[Floats2d, Floats2d]:
        """Gradients of rows and columns past a doc's end must be 0. Overwrites d_scores."""
        n, nI = QT.shape
        dQT, dHT = np.zeros((2, n + 1, nI), dtype=QT.dtype)  # the last row takes the gradients of padding
        d_roots = np.zeros(n + 1, dtype=QT.dtype)
        d_distance = np.zeros(distance.shape)
        for (columns, _, inside), dS in zip(batch, d_scores, strict=True):
            longest = columns.shape[1]
            diagonal = np.arange(longest)
            places = np.where(inside, columns, n)
            d_distance += _distance_gradient(dS.sum(axis=0), len(distance))
            d_roots[places] = dS[:, diagonal, diagonal]
            dS[:, diagonal, diagonal] = 0
            dQT[places] = dS @ HT.take(columns, axis=0)
            dHT[places] = dS.transpose(0, 2, 1) @ QT.take(columns, axis=0)
        dQT, dHT, d_roots = dQT[:-1], dHT[:-1], d_roots[:-1]
        model.inc_grad("distance", d_distance.astype(distance.dtype))
        model.inc_grad("root", d_roots @ QT)
        dQT += d_roots[:, None] * root
        model.inc_grad("v", dQT.sum(axis=0))
        model.inc_grad("W", model.ops.gemm(dQT, D, trans1=True, trans2=True))
        return model.ops.gemm(W, dQT, trans1=True, trans2=True), transposed(dHT)

    return Arcs(batch, all_scores), backprop


def _rows_by_offset(longest: int) -> Ints:
    """(2 longest - 1,) rows of the table of distances for the offsets 1 - longest, …, longest - 1 from token to head."""
    return np.clip(np.arange(1 - longest, longest), -MAX_DISTANCE, MAX_DISTANCE) + MAX_DISTANCE


# [i, j]: the row for token i and head j. Shorter docs use a corner of it; longer docs compute their rows.
_ROWS = sliding_window_view(_rows_by_offset(128), 128)[::-1].copy()


def _distance_values(distance: NDArray[Any], longest: int) -> Floats2d:
    """(longest, longest): [i, j], the score of the distance from token i to head j."""
    if longest <= len(_ROWS):
        return distance.take(_ROWS[:longest, :longest])
    return sliding_window_view(distance[_rows_by_offset(longest)], longest)[::-1]


def _distance_gradient(dS: Floats2d, n_rows: int) -> NDArray[Any]:
    """Sum a gradient (longest, longest) over equal distances: (n_rows,)."""
    longest = len(dS)
    if longest <= len(_ROWS):
        return np.bincount(_ROWS[:longest, :longest].ravel(), dS.ravel(), n_rows)
    return np.bincount(_rows_by_offset(longest), _sums_by_offset(dS), n_rows)


def _sums_by_offset(A: Floats2d) -> NDArray[Any]:
    """Sums along the diagonals of (n, n): (2 n - 1,), from the lower left to the upper right corner.

    >>> _sums_by_offset(np.array([[1, 2], [4, 8]])).tolist()
    [4, 9, 2]
    """
    n = len(A)
    wide = np.zeros((n, 2 * n), dtype=A.dtype)
    wide[:, n - 1 :: -1] = A
    return (
        wide.ravel()[: n * (2 * n - 1)].reshape(n, 2 * n - 1).sum(axis=0)[::-1]
    )  # each row is shifted one further right


def arc_loss(arcs: Arcs, gold: NDArray[np.integer[Any]]) -> tuple[float, list[Floats3d]]:
    """Negative log-probability of the gold heads, summed, and its gradient.

    gold: (n_tokens,) positions in the doc, -1 for unknown heads.
    """
    total = 0.0
    gradients = []
    for (columns, _, inside), S in zip(*arcs, strict=True):
        heads = np.where(inside, gold[columns], -1)
        P = S - S.max(axis=2, keepdims=True)
        np.exp(P, out=P)
        P /= P.sum(axis=2, keepdims=True)
        P[heads < 0] = 0
        at = (*np.nonzero(heads >= 0), heads[heads >= 0])
        total -= float(np.log(np.maximum(P[at], 1e-30)).sum())
        P[at] -= 1
        gradients.append(P)
    return total, gradients


def decode_arcs(ops: Ops, arcs: Arcs, n_tokens: int, *, single_root: bool) -> Ints:
    """The best trees: (n_tokens,) heads as positions in their docs. If a bucket has a score that is not finite, all are roots."""
    heads = np.zeros(n_tokens, dtype="intp")
    for (columns, lengths, inside), S in zip(*arcs, strict=True):
        if np.isfinite(S).all():
            heads[columns[inside]] = decode(ops, S, lengths, single_root=single_root)[inside]
        else:  # there is no best tree; the component raises an error for such scores
            heads[columns[inside]] = np.broadcast_to(np.arange(S.shape[1]), inside.shape)[inside]
    return heads


def head_probabilities(arcs: Arcs, heads: Ints, temperature: float = 1.0) -> NDArray[np.float64]:
    """The probability of these heads: for each token a softmax over all heads and the root, as in `arc_loss`.

    heads: (n_tokens,) positions in the docs. Returns (n_tokens,).
    """
    P = np.ones(len(heads))
    for (columns, _, inside), S in zip(*arcs, strict=True):
        below = (S - S.max(axis=2, keepdims=True)).astype("float64") / temperature
        chosen = np.take_along_axis(below, heads[columns][:, :, None], axis=2)[:, :, 0]
        P[columns[inside]] = (np.exp(chosen) / np.exp(below).sum(axis=2))[inside]
    return P


def all_head_probabilities(arcs: Arcs) -> list[Floats3d]:
    """For each token a softmax over all heads and the root: (n_docs, longest, longest) a bucket, 0 past the docs' ends."""
    result = []
    for (_, _, inside), S in zip(*arcs, strict=True):
        P = S - S.max(axis=2, keepdims=True)
        np.exp(P, out=P)
        P /= P.sum(axis=2, keepdims=True)
        P[~inside] = 0
        result.append(P)
    return result


def label_scores(
    name: str, *, n_labels: int, nO: int, nI: int, nP: int, dropout: Dropout
) -> Model[tuple[Packed, Ints], Floats2d]:
    """(Packed (nI, n_tokens), heads as columns (n_tokens,), -1 for roots) → (n_labels, n_tokens).

    Parameters: A, B (nP, nO, nI), b, root (nP, nO), W_out (n_labels, nO), b_out (n_labels,). Only W_out and b_out grow
    with the labels.
    """
    init = glorot_uniform(2 * nI, nO)
    return Model(
        name,
        forward_labels,
        dims={"nO": n_labels, "nI": nI},
        params=dict.fromkeys(("A", "B", "b", "root", "W_out", "b_out")),
        attrs={
            "dropout": dropout,
            "init": {
                "A": ((nP, nO, nI), init),
                "B": ((nP, nO, nI), init),
                "b": ((nP, nO), zeros),
                "root": ((nP, nO), uniform(0.1)),
                "W_out": ((n_labels, nO), uniform(sqrt(6 / nO))),
                "b_out": ((n_labels,), zeros),
            },
        },
    )


def forward_labels(
    model: Model[Any, Floats2d], inputs: tuple[Packed, Ints], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    (X, _), heads = inputs
    dropout: Dropout = model.attrs["dropout"]
    A, B, W_out = (model.get_param(name) for name in ("A", "B", "W_out"))
    nP, nO, nI = A.shape
    n = X.shape[1]
    AB = np.concatenate([A.reshape(-1, nI), B.reshape(-1, nI)])
    both = model.ops.gemm(AB, X)  # (2 nP nO, n_tokens)
    of_heads = np.concatenate(
        [both[nP * nO :], model.get_param("root").reshape(-1, 1)], axis=1
    )  # the last column: of a root
    pieces = both[: nP * nO] + of_heads.take(heads, axis=1)
    pieces += model.get_param("b").reshape(-1, 1)
    pieces = pieces.reshape(nP, nO, n)
    hidden = maxout(pieces)  # (nO, n_tokens)
    mask = dropout.mask(*hidden.shape) if is_train else None
    kept = hidden if mask is None else hidden * mask
    Y = model.ops.gemm(W_out, kept)  # (n_labels, n_tokens)
    Y += model.get_param("b_out")[:, None]

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("W_out", model.ops.gemm(dY, kept, trans2=True))
        model.inc_grad("b_out", dY.sum(axis=1))
        d_hidden = model.ops.gemm(W_out, dY, trans1=True)
        if mask is not None:
            d_hidden *= mask
        dP = backprop_maxout(d_hidden, hidden, pieces).reshape(nP * nO, n)
        model.inc_grad("b", dP.sum(axis=1).reshape(nP, nO))
        is_root = heads < 0
        model.inc_grad("root", dP[:, is_root].sum(axis=1).reshape(nP, nO))
        dPT = transposed(dP)
        d_heads = np.zeros_like(dPT)
        if dPT.dtype == np.float32:
            model.ops.scatter_add(d_heads, heads[~is_root].astype("int32"), dPT[~is_root])
        else:
            np.add.at(d_heads, heads[~is_root], dPT[~is_root])
        d_both = np.concatenate([dP, d_heads.T])  # (2 nP nO, n_tokens)
        dAB = model.ops.gemm(d_both, X, trans2=True).reshape(2, nP, nO, nI)
        model.inc_grad("A", dAB[0])
        model.inc_grad("B", dAB[1])
        return model.ops.gemm(AB, d_both, trans1=True)

    return Y, backprop
