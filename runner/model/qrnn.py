"""A bidirectional quasi-recurrent layer: each token sees its whole doc, and no matrix product waits for another.

    v = tanh(...)   f, o = sigmoid(...)   of W x_t + b
    c_t = f * c_(t-1) + (1 - f) * v       h_t = o * c_t

Gates read the token alone, not the state before as an LSTM's do. So both directions and all tokens are one product, and
from step to step there is nothing but a weighted sum.

QRNN with fo-pooling: Bradbury et al. (2017). Its convolution is left out: the token vectors bring their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.layout import Floats2d, Layout, Packed, transposed
from runner.model.ops import kernels_of
from runner.model.parameters import Shape, uniform
from runner.model.steps import Steps


def biqrnn(name: str, *, nO: int, nI: int) -> Model[Packed, Packed]:
    """Packed (nI, n_tokens) → Packed (nO, n_tokens); the first nO / 2 rows read forwards, the others backwards.

    Parameters, v, f and o on the first axis: W (3, nO, nI), b (3, nO). The bias of f starts at 1: remember, until there
    is a reason not to.
    """
    assert nO % 2 == 0
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={
            "init": {
                "W": ((3, nO, nI), uniform(0.5 / sqrt(nI))),  # small: token vectors are large, and gates saturate
                "b": ((3, nO), _remember),
            },
        },
    )


def _remember(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    b = np.zeros(shape, dtype="float32")
    b[1] = 1
    return b


def forward(
    model: Model[Packed, Packed], packed: Packed, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    X, layout = packed
    nO, n = model.get_dim("nO"), layout.n_tokens
    W = model.get_param("W").reshape(3 * nO, -1)
    In = np.concatenate([X, np.ones((1, n), dtype=X.dtype)])  # the ones are b's
    Wb = np.concatenate([W, model.get_param("b").reshape(-1, 1)], axis=1)
    Wb[nO:] *= 0.5  # sigmoid(x) = (1 + tanh(x / 2)) / 2: one tanh for all
    Z = model.ops.gemm(In, Wb, trans1=True, trans2=True)  # (n, 3 nO): each token a row from here on
    np.tanh(Z, out=Z)
    recur = _recur if kernels_of(model.ops) is None else partial(_recur_compiled, kernels_of(model.ops))
    H, backprop_recur = recur(Z, layout)  # (n, nO)

    def backprop(dY: Floats2d) -> Floats2d:
        dZ = backprop_recur(transposed(dY))
        dWb = model.ops.gemm(dZ, In, trans1=True, trans2=True)  # (3 nO, nI + 1)
        model.inc_grad("W", dWb[:, :-1].reshape(3, nO, -1))
        model.inc_grad("b", dWb[:, -1].reshape(3, nO))
        return model.ops.gemm(W, dZ, trans1=True, trans2=True)

    return Packed(transposed(H), layout), backprop


def _recur(Z: Floats2d, layout: Layout) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """The output from the tanh of v, f / 2 and o / 2, (n, 3 nO) → (n, nO); backward gives the gradient before the tanh.

    Overwrites Z.
    """
    nO = Z.shape[1] // 3
    V, F, O = Z[:, :nO], Z[:, nO : 2 * nO], Z[:, 2 * nO :]  # noqa: E741 (its name)
    gates = Z[:, nO:]
    gates *= 0.5
    gates += 0.5
    steps = Steps(layout)
    # nO columns are two rows of nO / 2 a token, one a direction; Z has six.
    tokens, direction = steps.both_orders, np.array([[0], [1]])
    rows = 2 * tokens + direction
    keep = _in_time(Z, 6 * tokens + 2 + direction, nO // 2)
    C = V - V * F
    C = _in_batch(_pool(keep, _in_time(C, rows, nO // 2), steps), rows)

    def backprop(dH: Floats2d) -> Floats2d:
        dZ = np.empty_like(Z)
        dC = dH * O
        dV, dF, dO = dZ[:, :nO], dZ[:, nO : 2 * nO], dZ[:, 2 * nO :]
        np.subtract(1, O, out=dO)
        dO *= C
        dO *= dC
        dC = _in_batch(_pool_backwards(keep, _in_time(dC, rows, nO // 2), steps), rows)
        dC *= 1 - F
        np.multiply(V, V, out=dV)
        np.subtract(1, dV, out=dV)
        dV *= dC
        np.subtract(_before(C, layout), V, out=dF)
        dF *= F
        dF *= dC
        return dZ

    return C * O, backprop


def _recur_compiled(kernels: Any, Z: Floats2d, layout: Layout) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """`_recur` as loops over the tokens of each doc."""
    C, H = (np.empty((len(Z), Z.shape[1] // 3), dtype=Z.dtype) for _ in range(2))
    kernels.qrnn(Z, layout.starts, layout.lengths, C, H)

    def backprop(dH: Floats2d) -> Floats2d:
        dZ = np.empty_like(Z)
        kernels.backprop_qrnn(Z, layout.starts, layout.lengths, C, dH, dZ)
        return dZ

    return H, backprop


def _in_time(A: Floats2d, rows: NDArray[np.intp], H: int) -> NDArray[Any]:
    """(n, 2 H) or (n, 6 H), by token → (2, n, H), by direction and time."""
    return A.reshape(-1, H).take(rows, axis=0)


def _in_batch(A: NDArray[Any], rows: NDArray[np.intp]) -> Floats2d:
    """(2, n, H), by direction and time → (n, 2 H), by token."""
    _, n, H = A.shape
    placed = np.empty((2 * n, H), dtype=A.dtype)
    placed[rows] = A
    return placed.reshape(n, 2 * H)


def _pool(keep: NDArray[Any], C: NDArray[Any], steps: Steps) -> NDArray[Any]:
    """C[t] += keep[t] C[t - 1], from the second step on, in place. Both (2, n, H)."""
    room = np.empty((2, len(steps.docs), C.shape[2]), dtype=C.dtype)
    before = 0
    for start, end in zip(steps.bounds[1:-1], steps.bounds[2:], strict=True):
        k = end - start
        now = C[:, start:end]
        now += np.multiply(keep[:, start:end], C[:, before : before + k], out=room[:, :k])
        before = start
    return C


def _pool_backwards(keep: NDArray[Any], dC: NDArray[Any], steps: Steps) -> NDArray[Any]:
    """The gradient of `_pool` by what it was given in C, in place."""
    room = np.empty((2, len(steps.docs), dC.shape[2]), dtype=dC.dtype)
    bounds = steps.bounds
    for t in range(len(bounds) - 2, 0, -1):
        before, start, end = bounds[t - 1 : t + 2]
        k = end - start
        there = dC[:, before : before + k]
        there += np.multiply(keep[:, start:end], dC[:, start:end], out=room[:, :k])
    return dC


def _before(C: Floats2d, layout: Layout) -> Floats2d:
    """The state each direction came from: (n, 2 H), zero where a doc begins for it."""
    H = C.shape[1] // 2
    came = np.empty_like(C)
    came[1:, :H] = C[:-1, :H]
    came[:-1, H:] = C[1:, H:]
    came[layout.outside(-1), :H] = 0
    came[layout.outside(1), H:] = 0
    return came
