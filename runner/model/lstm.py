"""A bidirectional LSTM: each token sees all tokens before it in its doc, and all tokens after it.

    o, i, f = sigmoid(...)   g = tanh(...)   of W x_t + U h_(t-1) + b
    c_t = f * c_(t-1) + i * g               h_t = o * tanh(c_t)

Both directions and all docs of a batch advance together, longest doc first, so that the docs still running are always the
first rows; the loop is over positions, never over docs. W x does not depend on the step before, and is computed for all
steps at once.

LSTM: Hochreiter and Schmidhuber (1997), Gers et al. (2000). One dropout mask a doc, for the states as for the inputs:
Gal and Ghahramani (2016).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Packed, transposed
from runner.model.ops import Ops
from runner.model.ops.recurrent import Floats3d, States
from runner.model.parameters import Shape, uniform
from runner.model.time_order import TimeOrder

_ROWS_AHEAD = 1024  # tokens whose W x is computed at a time when predicting
_FEW_DOCS = 7  # for which U h is computed doc by doc when predicting: a third to two thirds of the time


def bilstm(name: str, *, nO: int, nI: int, dropout: Dropout) -> Model[Packed, Packed]:
    """Packed (nI, n_tokens) → Packed (nO, n_tokens); the first nO / 2 rows read forwards, the others backwards.

    Parameters, with the directions on the first axis and the gates in the order o, i, f, g: W (2, 2 nO, nI),
    U (2, 2 nO, nO / 2), b (2, 2 nO). The forget gate's bias starts at 1: the cell remembers until it learns to forget.
    """
    assert nO % 2 == 0
    H = nO // 2
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "U": None, "b": None},
        attrs={
            "dropout": dropout,
            "init": {
                "W": ((2, 4 * H, nI), uniform(0.5 / sqrt(nI))),  # small: token vectors are large, and gates saturate
                "U": ((2, 4 * H, H), uniform(1 / sqrt(H))),
                "b": ((2, 4 * H), _remember),
            },
        },
    )


def _remember(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    b = np.zeros(shape, dtype="float32")
    H = shape[1] // 4
    b[:, 2 * H : 3 * H] = 1
    return b


def forward(
    model: Model[Packed, Packed], packed: Packed, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    X, layout = packed
    dropout: Dropout = model.attrs["dropout"]
    W, U, b = model.get_param("W"), model.get_param("U"), model.get_param("b")
    H, n = U.shape[2], layout.n_tokens
    order = TimeOrder(layout)
    if not is_train:
        return Packed(outputs(model.ops, transposed(X), (W, U, b), order), layout), _no_way_back
    columns = order.both_directions  # (2, n) columns in time order, forwards and backwards
    state_mask = dropout.mask(2, len(order.docs), H) if is_train else None
    In = np.ones((2, n, len(X) + 1), dtype=X.dtype)  # the ones are b's
    In[..., :-1] = transposed(X).take(columns, axis=0)
    # sigmoid(x) = (1 + tanh(x / 2)) / 2: one tanh for all
    half = np.repeat(np.array([0.5, 1], dtype=X.dtype), [3 * H, H])
    WT = np.concatenate([W.transpose(0, 2, 1), b[:, None]], axis=1) * half  # (2, nI + 1, 4H)
    UT = np.ascontiguousarray(U.transpose(0, 2, 1)) * half  # (2, H, 4H)
    Z = In @ WT  # (2, n, 4H)
    states = run(model.ops, Z, UT, order, state_mask)
    inverse = np.argsort(columns, axis=1)
    out = np.concatenate([states.Y[direction].take(inverse[direction], axis=0).T for direction in (0, 1)])  # (2H, n)

    def backprop(dY: Floats2d) -> Floats2d:
        dYT = transposed(dY)  # (n, 2H)
        dH = np.stack(
            [dYT[:, direction * H : (direction + 1) * H].take(columns[direction], axis=0) for direction in (0, 1)]
        )
        dZ = run_backwards(model.ops, dH, states, U, order, state_mask)
        first = order.bounds[1] if n else 0
        dZT = dZ.transpose(0, 2, 1)
        dWb = dZT @ In  # (2, 4H, nI + 1)
        model.inc_grad("W", dWb[..., :-1])
        model.inc_grad("b", dWb[..., -1])
        before = states.Y.take(order.previous, axis=1)  # (2, n - first, H)
        if state_mask is not None:
            before *= state_mask.take(order.rank[first:], axis=1)
        model.inc_grad("U", dZT[..., first:] @ before)
        dIn = dZ @ W  # (2, n, nI)
        dX = dIn[0].take(inverse[0], axis=0)
        dX += dIn[1].take(inverse[1], axis=0)
        return transposed(dX)

    return Packed(out, layout), backprop


def _no_way_back(dY: Floats2d) -> Floats2d:
    raise AssertionError("a prediction has no gradient")


def outputs(ops: Ops, XT: Floats2d, parameters: tuple[Floats3d, Floats3d, Floats2d], order: TimeOrder) -> Floats2d:
    """What `forward` returns, without what backward needs. XT: (n, nI). parameters: W, U and b. Returns (2 H, n).

    W x is computed for some steps at a time, so that it is still in the cache when its step comes.
    """
    W, U, b = parameters
    H, n = U.shape[2], order.layout.n_tokens
    half = np.repeat(np.array([0.5, 1], dtype=XT.dtype), [3 * H, H])  # as in `forward`
    WT, UT = (np.ascontiguousarray(A.transpose(0, 2, 1)) * half for A in (W, U))
    bias = (b * half)[:, None]
    columns, bounds = order.both_directions, order.bounds
    n_docs = len(order.docs)
    n_rows = max(_ROWS_AHEAD, n_docs)
    Y = np.empty((2, n, H), dtype=XT.dtype)
    C = np.empty((2, 2 * n_docs, H), dtype=XT.dtype)  # the memory of this step and of the step before
    room, Z = (np.empty((2, rows, 4 * H), dtype=XT.dtype) for rows in (n_docs, n_rows))
    before = start = first = ready = 0  # Z holds the rows from `first` to `ready`
    for t, end in enumerate(bounds[1:], 1):
        if end > ready:
            first, ready = start, bounds[bisect_right(bounds, start + n_rows, lo=t) - 1]
            ahead = np.matmul(XT.take(columns[:, first:ready], axis=0), WT, out=Z[:, : ready - first])
            ahead += bias
        z, h, k = Z[:, start - first : end - first], Y[:, start:end], end - start
        if start:
            z += _product(Y[:, before : before + k], UT, room[:, :k])
        np.tanh(z, out=z)
        here, there = (n_docs, 0) if t % 2 else (0, n_docs)
        ops.lstm_cells(Z, C, (start - first, here, there if start else -1), k)
        np.tanh(C[:, here : here + k], out=h)
        h *= z[..., :H]
        before, start = start, end
    out = np.empty((n, 2 * H), dtype=XT.dtype)
    for direction, states in enumerate(Y):
        out[columns[direction], direction * H : (direction + 1) * H] = states
    return out.T


def _product(A: Floats3d, B: Floats3d, out: Floats3d) -> Floats3d:
    """A @ B. (2, k, H), (2, H, 4 H) → (2, k, 4 H).

    BLAS copies B into another order first, which pays for many rows. For few it is faster to multiply row by row.
    """
    if A.shape[1] > _FEW_DOCS:
        return np.matmul(A, B, out=out)
    np.matmul(A[:, :, None], B[:, None], out=out[:, :, None])
    return out


def run(ops: Ops, Z: Floats3d, UT: Floats3d, order: TimeOrder, state_mask: Floats3d | None) -> States:
    """Run the cells step by step. Z: (2, n, 4 H), W x + b, halved for the gates; overwritten with the gates."""
    H = UT.shape[1]
    C, T, Y = (np.empty((2, Z.shape[1], H), dtype=Z.dtype) for _ in range(3))
    room = np.empty((2, len(order.docs), 4 * H), dtype=Z.dtype)
    before = start = 0
    for end in order.bounds[1:]:
        z, k = Z[:, start:end], end - start
        if start:
            h = Y[:, before : before + k]
            z += np.matmul(h if state_mask is None else h * state_mask[:, :k], UT, out=room[:, :k])
        np.tanh(z, out=z)
        ops.lstm_cells(Z, C, (start, start, before if start else -1), k)
        np.tanh(C[:, start:end], out=T[:, start:end])
        np.multiply(z[..., :H], T[:, start:end], out=Y[:, start:end])
        before, start = start, end
    return States(Z, C, T, Y)


def run_backwards(
    ops: Ops, dH: Floats3d, states: States, U: Floats3d, order: TimeOrder, state_mask: Floats3d | None
) -> Floats3d:
    """The gradient of W x + U h + b, (2, n, 4 H), from the gradient dH of the outputs, (2, n, H), which is overwritten."""
    carried = np.zeros((2, len(order.docs), dH.shape[2]), dtype=dH.dtype)  # the gradient of the memory, step by step
    D, fill = ops.backprop_lstm_cells(dH, states, carried, order)
    dh_before = carried[:, :0]
    bounds = order.bounds
    for t in range(len(bounds) - 2, -1, -1):
        start, end = bounds[t], bounds[t + 1]
        going = dh_before.shape[1]
        dH[:, start : start + going] += dh_before
        fill(t)
        if start:
            dh_before = D[:, start:end] @ U
            if state_mask is not None:
                dh_before *= state_mask[:, : end - start]
    return D
