"""The arithmetic between the products of a transformer: layer norm, gelu, softmax. Token-major arrays, (n, width).

numpy's passes take a tenth of the products' time, so there are no compiled loops for them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.model.layout import Floats2d

Floats = NDArray[np.float32]
BackpropNorm = Callable[[Floats2d, Floats, Floats], Floats2d]
_ROWS = 32  # of a block: with a hidden width of 1,536 the arrays of one block stay in the second-level cache

# erf(z) = 1 - t (a1 + t (a2 + …)) exp(-z²) with t = 1 / (1 + p z), for z >= 0: Abramowitz and Stegun (1964), 7.1.26.
# The largest error is 1.5e-7, a float32's rounding.
_P = 0.3275911 / sqrt(2)
_A = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


class TransformerOps(NumpyOps):
    """What a transformer's layers do beside products."""

    def layer_norm(
        self, X: Floats2d, G: Floats, b: Floats, eps: float, *, is_train: bool
    ) -> tuple[Floats2d, BackpropNorm]:
        """(X - mean) / sqrt(variance + eps) * G + b, each row by itself (Ba et al., 2016). Overwrites X (n, width).

        The backprop takes dY, and dG and db to add to; it returns dX.
        """
        width = X.shape[1]
        X -= X.mean(axis=1, keepdims=True)
        inverse_std = 1 / np.sqrt(np.einsum("ij,ij->i", X, X)[:, None] / np.float32(width) + np.float32(eps))
        X *= inverse_std
        Y = X * G
        Y += b

        def backprop(dY: Floats2d, dG: Floats, db: Floats) -> Floats2d:
            db += dY.sum(axis=0)
            dG += np.einsum("ij,ij->j", dY, X)
            dX = dY * G
            along = np.einsum("ij,ij->i", dX, X)[:, None] / np.float32(width)
            dX -= dX.mean(axis=1, keepdims=True)
            dX -= X * along
            dX *= inverse_std
            return dX

        return Y, backprop

    def activation(self, kind: str, Z: Floats2d, b: Floats, *, is_train: bool) -> Floats2d | None:
        """Replace Z by f(Z + b); return f'(Z + b) if is_train. kind: a name in ACTIVATIONS."""
        slope: Floats2d | None = np.empty_like(Z) if is_train else None
        apply = ACTIVATIONS[kind]
        for start in range(0, len(Z), _ROWS):
            at = slice(start, start + _ROWS)
            Z[at] += b
            apply(Z[at], slope[at] if slope is not None else None)
        return slope

    def softmax_rows(self, S: NDArray[Any]) -> None:
        """Softmax over the last axis, in place."""
        S -= S.max(axis=-1, keepdims=True)
        np.exp(S, out=S)
        S /= S.sum(axis=-1, keepdims=True)


def gelu(Z: Floats2d, slope: Floats2d | None) -> None:
    """z Φ(z), in place, with the normal distribution's Φ (Hendrycks and Gimpel, 2016). slope: room for the derivative."""
    size = np.abs(Z)
    t = size * np.float32(_P)
    t += 1
    np.divide(1, t, out=t)
    tail = t * np.float32(_A[-1])  # Φ(-|z|)
    for a in reversed(_A[:-1]):
        tail += np.float32(a)
        tail *= t
    density = np.multiply(Z, Z, out=t)
    density *= np.float32(-0.5)
    np.exp(density, out=density)
    tail *= density
    tail *= np.float32(0.5)
    if slope is not None:  # Φ(z) + z φ(z)
        density *= np.float32(1 / sqrt(2 * pi))
        np.multiply(density, Z, out=slope)
        slope += Z > 0
        slope -= np.copysign(tail, Z)
    tail *= size
    np.maximum(Z, 0, out=Z)
    Z -= tail


def gelu_tanh(Z: Floats2d, slope: Floats2d | None) -> None:
    """z (1 + tanh(sqrt(2 / π) (z + 0.044715 z³))) / 2, the approximation that some encoders were trained with."""
    c, a = np.float32(sqrt(2 / pi)), np.float32(0.044715)
    square = Z * Z
    T = np.tanh(c * Z * (1 + a * square))
    if slope is not None:
        slope[...] = (1 + T) / 2 + Z * (1 - T * T) * (c / 2) * (1 + 3 * a * square)
    Z *= 1 + T
    Z *= np.float32(0.5)


def relu(Z: Floats2d, slope: Floats2d | None) -> None:
    """max(z, 0)"""
    if slope is not None:
        slope[...] = Z > 0
    np.maximum(Z, 0, out=Z)


ACTIVATIONS: dict[str, Callable[[Floats2d, Floats2d | None], None]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
}
