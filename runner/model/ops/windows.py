"""Layers of the encoder: windows over tokens, and what follows a layer's product. All arrays are feature-major.

The compiled loops are in kernels/windows.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from thinc.api import NumpyOps

from runner.model.dropout import Draws
from runner.model.layout import Floats2d, Layout


class Activation(NamedTuple):
    """The parameters of `activate`, or their gradients."""

    b: Floats2d  # (nP, nO) bias of the pieces
    G: Floats2d  # (nO,) gain of the layer norm
    bias: Floats2d  # (nO,) bias of the layer norm


BackpropActivate = Callable[[Floats2d, Activation], Floats2d]


class WindowOps(NumpyOps):
    """`expand_window` and `activate`, with their gradients."""

    def expand_window(self, X: Floats2d, layout: Layout, window_size: int) -> Floats2d:
        """Stack each column on its neighbours; zeros stand for neighbours outside the doc. (nI, n) → ((2k+1) nI, n)."""
        if window_size == 0:
            return X
        nI, n = X.shape
        C = np.empty(((2 * window_size + 1) * nI, n), dtype=X.dtype)
        flat = X.reshape(-1)
        for block, offset in enumerate(range(-window_size, window_size + 1)):
            rows = C[block * nI : (block + 1) * nI]
            if abs(offset) >= n:
                rows[...] = 0
                continue
            # All rows move at once, as one long row. Values that cross from one row into the next are outside their doc.
            here, there = _overlap(rows.reshape(-1), flat, offset)
            here[...] = there
            rows[:, layout.outside(offset)] = 0
        return C

    def backprop_expand_window(
        self, dC: Floats2d, layout: Layout, window_size: int, residual: Floats2d | None = None
    ) -> Floats2d:
        """The gradient of `expand_window`, with `residual` (nI, n) added. Overwrites dC. ((2k+1) nI, n) → (nI, n)."""
        if window_size == 0:
            if residual is not None:
                dC += residual
            return dC
        dC, dX = with_middle(dC, window_size)
        nI, n = dX.shape
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

    def activate(
        self, P: Floats2d, weights: Activation, draws: Draws | None, residual: Floats2d | None, *, is_train: bool
    ) -> tuple[Floats2d, BackpropActivate]:
        """What follows a product: bias, maxout, layer norm, dropout, and `residual` (nO, n) added, which has no gradient here.

        P: (nP nO, n), overwritten. draws: of the dropout, (nO, n). Returns (nO, n), and the way back: from the gradient
        of the result to that of P. It adds the gradients of `weights` to the arrays that it is given.
        """
        nP, nO = weights.b.shape
        G = weights.G[:, None]
        P += weights.b.reshape(-1, 1)
        pieces = P.reshape(nP, nO, -1)
        M = maxout(pieces)  # (nO, n)
        N, backprop_norm = normalize(M)
        Y = N * G
        Y += weights.bias[:, None]
        mask = draws.mask() if draws is not None else None
        if mask is not None:
            Y *= mask
        if residual is not None:
            Y += residual

        def backprop(dY: Floats2d, gradients: Activation) -> Floats2d:
            db, dG, dbias = gradients
            dN = dY * mask if mask is not None else dY.copy()
            ones = np.ones(dN.shape[1], dtype=dN.dtype)  # a sum over tokens as a product: several times as fast
            dbias += dN @ ones
            dG += np.einsum("ij,ij->i", dN, N)
            dN *= G
            dP = backprop_maxout(backprop_norm(dN), M, pieces).reshape(nP * nO, -1)
            db += (dP @ ones).reshape(nP, nO)
            return dP

        return Y, backprop


def with_middle(dC: Floats2d, window_size: int) -> tuple[Floats2d, Floats2d]:
    """dC ((2k+1) nI, n) in C order, and a view of its middle nI rows: those of the tokens themselves."""
    dC = np.ascontiguousarray(dC)  # products are; the rows must be views
    nI = len(dC) // (2 * window_size + 1)
    return dC, dC[window_size * nI : (window_size + 1) * nI]


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


def normalize(X: Floats2d) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
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
