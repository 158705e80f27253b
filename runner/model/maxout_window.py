"""One layer of the encoder: window, maxout, layer norm, dropout, and a residual connection where asked for.

    Y = dropout(layer_norm(max over pieces of (W @ window(X) + b))) [+ X]

Maxout: Goodfellow et al. (2013). Layer norm: Ba et al. (2016). All arrays are feature-major, see layout.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thinc.api import Model

from runner.model.layout import Floats2d, Layout, Packed
from runner.model.noise import Noise
from runner.model.parameters import ones, uniform, zeros

Backprop = Callable[[Floats2d], Floats2d]


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
    width = (2 * window_size + 1) * nI
    scale = (6.0 / (nO + nP)) ** 0.5  # thinc's for maxout; under layer norm, size sets the step length, not the output
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI, "nP": nP},
        params={"W": None, "b": None, "G": None, "bias": None},
        attrs={
            "window_size": window_size,
            "is_residual": is_residual,
            "noise": noise,
            "init": {
                "W": ((nP, nO, width), uniform(scale)),
                "b": ((nP, nO), zeros),
                "G": ((nO,), ones),
                "bias": ((nO,), zeros),
            },
        },
    )


def forward(model: Model[Packed, Packed], packed: Packed, is_train: bool) -> tuple[Packed, Backprop]:
    X, layout = packed
    xp = model.ops.xp
    nO, nP = model.get_dim("nO"), model.get_dim("nP")
    window_size = model.attrs["window_size"]
    W = model.get_param("W").reshape(nP * nO, -1)
    G = model.get_param("G")[:, None]
    C = expand_window(xp, X, layout, window_size)  # ((2k+1) nI, n_tokens)
    P = model.ops.gemm(W, C)  # (nP nO, n_tokens)
    P += model.get_param("b").reshape(-1, 1)
    pieces = P.reshape(nP, nO, -1)
    M = maxout(xp, pieces)  # (nO, n_tokens)
    N, backprop_norm = normalize(xp, M)
    Y = N * G
    Y += model.get_param("bias")[:, None]
    mask = model.attrs["noise"].mask(*Y.shape) if is_train else None
    if mask is not None:
        mask = xp.asarray(mask)
        Y *= mask
    if model.attrs["is_residual"]:
        Y += X

    def backprop(dY: Floats2d) -> Floats2d:
        dN = dY * mask if mask is not None else dY.copy()
        model.inc_grad("bias", dN.sum(axis=1))
        model.inc_grad("G", (dN * N).sum(axis=1))
        dN *= G
        dM = backprop_norm(dN)
        dP = backprop_maxout(xp, dM, M, pieces).reshape(nP * nO, -1)
        model.inc_grad("b", dP.sum(axis=1).reshape(nP, nO))
        model.inc_grad("W", model.ops.gemm(dP, C, trans2=True).reshape(nP, nO, -1))
        dX = reduce_window(model.ops.gemm(W, dP, trans1=True), layout, window_size)
        if model.attrs["is_residual"]:
            dX += dY
        return dX

    return Packed(Y, layout), backprop


def expand_window(xp: Any, X: Floats2d, layout: Layout, window_size: int) -> Floats2d:
    """Stack each column on its neighbours; zeros stand for neighbours outside the doc. (nI, n) → ((2k+1) nI, n)."""
    if window_size == 0:
        return X
    nI, n = X.shape
    C = xp.empty(((2 * window_size + 1) * nI, n), dtype=X.dtype)
    for block, offset in enumerate(range(-window_size, window_size + 1)):
        rows = C[block * nI : (block + 1) * nI]
        if offset == 0:
            rows[...] = X
            continue
        if abs(offset) < n:
            if offset < 0:
                rows[:, -offset:] = X[:, :offset]
            else:
                rows[:, :-offset] = X[:, offset:]
        rows[:, layout.outside(offset)] = 0
    return C


def reduce_window(dC: Floats2d, layout: Layout, window_size: int) -> Floats2d:
    """The gradient of `expand_window`. Overwrites dC. ((2k+1) nI, n) → (nI, n)."""
    if window_size == 0:
        return dC
    nI, n = dC.shape[0] // (2 * window_size + 1), dC.shape[1]
    dX = dC[window_size * nI : (window_size + 1) * nI]
    for block, offset in enumerate(range(-window_size, window_size + 1)):
        if offset == 0 or abs(offset) >= n:
            continue
        rows = dC[block * nI : (block + 1) * nI]
        rows[:, layout.outside(offset)] = 0
        if offset < 0:
            dX[:, :offset] += rows[:, -offset:]
        else:
            dX[:, offset:] += rows[:, :-offset]
    return dX


def maxout(xp: Any, pieces: Any) -> Floats2d:
    """(nP, nO, n) → (nO, n), the largest piece."""
    M = pieces[0].copy() if len(pieces) == 1 else xp.maximum(pieces[0], pieces[1])
    for piece in pieces[2:]:
        xp.maximum(M, piece, out=M)
    return M


def backprop_maxout(xp: Any, dM: Floats2d, M: Floats2d, pieces: Any) -> Any:
    """Hand the gradient to the piece that won; of equal pieces, to each (a tie has no gradient of its own)."""
    dP = xp.empty_like(pieces)
    for piece, dPiece in zip(pieces, dP, strict=True):
        xp.multiply(dM, piece == M, out=dPiece)
    return dP


def normalize(xp: Any, X: Floats2d) -> tuple[Floats2d, Backprop]:
    """Mean 0 and variance 1 over the features of each token."""
    D = X - X.mean(axis=0)  # (nO, n)
    inverse_std = 1.0 / xp.sqrt((D * D).mean(axis=0) + X.dtype.type(1e-8))  # (n,)
    N = D
    N *= inverse_std

    def backprop(dN: Floats2d) -> Floats2d:
        dX = dN - dN.mean(axis=0)
        dX -= N * (dN * N).mean(axis=0)
        dX *= inverse_std
        return dX

    return N, backprop
