"""One layer of the encoder: window, maxout, layer norm, dropout, and a residual connection where asked for.

    Y = dropout(layer_norm(max over pieces of (W @ window(X) + b))) [+ X]

Maxout: Goodfellow et al. (2013); of one piece alone it would be linear, so that one stands against a piece that is always
0, a ReLU. Layer norm: Ba et al. (2016). All arrays are feature-major, see layout.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from thinc.api import Model

from runner.model.dropout import Noise
from runner.model.layout import Floats2d, Layout, Packed
from runner.model.ops import kernels_of
from runner.model.parameters import Initializer, Shape, ones, uniform, zeros

Backprop = Callable[[Floats2d], Floats2d]

_NO_DRAWS, _NO_ROWS = np.zeros((0, 0), dtype="uint16"), np.zeros((0, 0), dtype="float32")


def maxout_window(
    name: str,
    *,
    nO: int,
    nI: int,
    nP: int = 3,
    window_size: int = 0,
    is_residual: bool = False,
    noise: Noise,
) -> Model[Packed, Packed]:
    """Packed (nI, n_tokens) → Packed (nO, n_tokens), reading `window_size` neighbours on either side.

    Parameters: W (nP, nO, (2 * window_size + 1) * nI), b (nP, nO), layer norm's gain G (nO,) and bias (nO,).
    """
    assert not is_residual or nO == nI
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI, "nP": nP},
        params={"W": None, "b": None, "G": None, "bias": None},
        attrs={
            "window_size": window_size,
            "is_residual": is_residual,
            "noise": noise,
            "init": maxout_parameters(nO, (2 * window_size + 1) * nI, nP),
        },
    )


def maxout_parameters(nO: int, width: int, nP: int) -> dict[str, tuple[Shape, Initializer]]:
    """Shapes and initial values of W, b, G and bias. width: of what W multiplies."""
    scale = (6.0 / (nO + nP)) ** 0.5  # thinc's for maxout; under layer norm, size sets the step length, not the output
    return {"W": ((nP, nO, width), uniform(scale)), "b": ((nP, nO), zeros), "G": ((nO,), ones), "bias": ((nO,), zeros)}


def forward(model: Model[Packed, Packed], packed: Packed, is_train: bool) -> tuple[Packed, Backprop]:
    X, layout = packed
    nO, nP = model.get_dim("nO"), model.get_dim("nP")
    window_size = model.attrs["window_size"]
    W = model.get_param("W").reshape(nP * nO, -1)
    kernels = kernels_of(model.ops)
    C = expand_window(X, layout, window_size, kernels)  # ((2k+1) nI, n_tokens)
    is_residual = model.attrs["is_residual"]
    Y, backprop_activate = activate(model, model.ops.gemm(W, C), is_train, X if is_residual else None)

    def backprop(dY: Floats2d) -> Floats2d:
        dP = backprop_activate(dY)
        model.inc_grad("W", model.ops.gemm(dP, C, trans2=True).reshape(nP, nO, -1))
        dC = model.ops.gemm(W, dP, trans1=True)
        return reduce_window(dC, layout, window_size, dY if is_residual else None, kernels)

    return Packed(Y, layout), backprop


def activate(
    model: Model[Any, Any], P: Floats2d, is_train: bool, residual: Floats2d | None = None
) -> tuple[Floats2d, Backprop]:
    """What follows the product: bias, maxout, layer norm, dropout, and `residual` added, which has no gradient here.

    Overwrites P. (nP nO, n_tokens) → (nO, n_tokens).
    """
    nO, nP = model.get_dim("nO"), model.get_dim("nP")
    kernels = kernels_of(model.ops)
    if kernels is not None and nP <= 2:
        return _activate_compiled(kernels, model, P, is_train, residual)
    G = model.get_param("G")[:, None]
    P += model.get_param("b").reshape(-1, 1)
    pieces = P.reshape(nP, nO, -1)
    M = maxout(pieces)  # (nO, n_tokens)
    N, backprop_norm = normalize(M)
    Y = N * G
    Y += model.get_param("bias")[:, None]
    mask = model.attrs["noise"].mask(*Y.shape) if is_train else None
    if mask is not None:
        Y *= mask
    if residual is not None:
        Y += residual

    def backprop(dY: Floats2d) -> Floats2d:
        dN = dY * mask if mask is not None else dY.copy()
        ones = np.ones(dN.shape[1], dtype=dN.dtype)  # a sum over tokens as a product: several times as fast
        model.inc_grad("bias", dN @ ones)
        model.inc_grad("G", np.einsum("ij,ij->i", dN, N))
        dN *= G
        dP = backprop_maxout(backprop_norm(dN), M, pieces).reshape(nP * nO, -1)
        model.inc_grad("b", (dP @ ones).reshape(nP, nO))
        return dP

    return Y, backprop


def _activate_compiled(
    kernels: Any, model: Model[Any, Any], P: Floats2d, is_train: bool, residual: Floats2d | None
) -> tuple[Floats2d, Backprop]:
    """`activate`, each way one loop: kernels/windows.py."""
    nO, n = model.get_dim("nO"), P.shape[1]
    G = model.get_param("G")
    drawn = model.attrs["noise"].draw(nO, n) if is_train else None
    draws, threshold, scale = drawn if drawn is not None else (_NO_DRAWS, 0, 1.0)
    Y, inverse_std = np.empty((nO, n), P.dtype), np.empty(n, P.dtype)
    N = np.empty((nO, n if is_train else kernels.BLOCK), P.dtype)
    kernels.activate(
        P, model.get_param("b").reshape(-1), G, model.get_param("bias"), draws, threshold, scale,
        residual if residual is not None else _NO_ROWS, Y, N, inverse_std,
    )  # fmt: skip

    def backprop(dY: Floats2d) -> Floats2d:
        dY = np.ascontiguousarray(dY)
        gradients = model.get_grad("b").reshape(-1), model.get_grad("G"), model.get_grad("bias")
        kernels.backprop_activate(dY, draws, threshold, scale, N, inverse_std, P, G, *gradients)
        return P

    return Y, backprop


def expand_window(X: Floats2d, layout: Layout, window_size: int, kernels: Any | None = None) -> Floats2d:
    """Stack each column on its neighbours; zeros stand for neighbours outside the doc. (nI, n) → ((2k+1) nI, n)."""
    if window_size == 0:
        return X
    nI, n = X.shape
    C = np.empty(((2 * window_size + 1) * nI, n), dtype=X.dtype)
    if kernels is not None:
        kernels.expand_window(X, window_size, layout.starts, layout.lengths, C)
        return C
    flat = X.reshape(-1)
    for block, offset in enumerate(range(-window_size, window_size + 1)):
        rows = C[block * nI : (block + 1) * nI]
        if abs(offset) >= n:
            rows[...] = 0
            continue
        # All rows are moved at once, as one long row; what crosses from one into the next lies outside its doc as well.
        here, there = _overlap(rows.reshape(-1), flat, offset)
        here[...] = there
        rows[:, layout.outside(offset)] = 0
    return C


def reduce_window(
    dC: Floats2d, layout: Layout, window_size: int, residual: Floats2d | None = None, kernels: Any | None = None
) -> Floats2d:
    """The gradient of `expand_window`, with `residual` added. Overwrites dC. ((2k+1) nI, n) → (nI, n)."""
    if window_size == 0:
        if residual is not None:
            dC += residual
        return dC
    dC = np.ascontiguousarray(dC)  # it is, as products make it; the rows below have to be views
    nI, n = dC.shape[0] // (2 * window_size + 1), dC.shape[1]
    dX = dC[window_size * nI : (window_size + 1) * nI]
    if kernels is not None:
        given = np.ascontiguousarray(residual) if residual is not None else _NO_ROWS
        kernels.reduce_window(dC, window_size, layout.starts, layout.lengths, given)
        return dX
    for block, offset in enumerate(range(-window_size, window_size + 1)):
        if offset == 0 or abs(offset) >= n:
            continue
        rows = dC[block * nI : (block + 1) * nI]
        rows[:, layout.outside(offset)] = 0
        here, there = _overlap(rows.reshape(-1), dX.reshape(-1), offset)
        there += here
    if residual is not None:
        dX += residual
    return dX


def _overlap(here: Any, there: Any, offset: int) -> tuple[Any, Any]:
    """The parts of two flat arrays in which there[i + offset] is the neighbour of here[i]."""
    if offset < 0:
        return here[-offset:], there[:offset]
    return here[: len(here) - offset], there[offset:]


def maxout(pieces: Any) -> Floats2d:
    """(nP, nO, n) → (nO, n), the largest piece; a single one against 0, which makes it a ReLU."""
    M = np.maximum(pieces[0], 0 if len(pieces) == 1 else pieces[1])
    for piece in pieces[2:]:
        np.maximum(M, piece, out=M)
    return M


def backprop_maxout(dM: Floats2d, M: Floats2d, pieces: Any) -> Any:
    """Hand the gradient to the piece that won; a tie has no gradient of its own, and goes to the first or to each.

    Overwrites `pieces` with the result. The choice is made on the bits, without a branch or an array of booleans: of a
    difference that is 0 or more the sign bit is clear, and shifted over all bits it is a mask.
    """
    integer = f"i{dM.itemsize}"
    sign = 8 * dM.itemsize - 1
    gradient = dM.view(integer)
    if len(pieces) == 2:
        first, second = pieces
        first -= second
        first, second = first.view(integer), second.view(integer)
        first >>= sign  # all ones where the second won, else zeros
        np.bitwise_and(gradient, first, out=second)
        np.bitwise_xor(gradient, second, out=first)
        return pieces
    dP = np.subtract(M, pieces, out=pieces)  # +0, all bits clear, where the piece won, and positive where not
    bits = dP.view(integer)
    bits -= 1
    bits >>= sign  # all ones where the piece won, else zeros
    bits &= gradient
    return dP


def normalize(X: Floats2d) -> tuple[Floats2d, Backprop]:
    """Mean 0 and variance 1 over the features of each token. Backward overwrites the gradient it is given."""
    share = np.full(len(X), 1 / len(X), dtype=X.dtype)
    N = X - share @ X  # (nO, n)
    variance = np.einsum("ij,ij->j", N, N)
    variance *= share[0]
    inverse_std = 1.0 / np.sqrt(variance + X.dtype.type(1e-8))  # (n,)
    N *= inverse_std

    def backprop(dN: Floats2d) -> Floats2d:
        slope = np.einsum("ij,ij->j", dN, N)
        slope *= share[0]
        dN -= share @ dN
        dN -= N * slope
        dN *= inverse_std
        return dN

    return N, backprop
