"""Adam, dense and row by row. numpy version: ops/adam.py."""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, njit, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import OPTIONS, ZERO


@njit(void(*[types.vector] * 5, *[float32] * 7), **OPTIONS)
def adam(w, g, m, v, a, keep1, keep2, eps, step_size, decay, catch_up, gradient_scale):
    """Make one step in place, and set the gradient to 0. a: averages of the weights, or empty."""
    has_averages = len(a) > 0
    for i in range(w.size):
        d = g[i] * gradient_scale
        g[i] = ZERO
        mean, variance = m[i] * keep1 + d, v[i] * keep2 + d * d
        m[i], v[i] = mean, variance
        x = w[i] - mean / (np.sqrt(variance) + eps) * step_size
        x -= x * decay
        w[i] = x
        if has_averages:
            a[i] += (x - a[i]) * catch_up


@njit(void(*[types.matrix] * 4, types.longs, types.matrix, *[float32] * 7), **OPTIONS)
def adam_rows(W, M, V, A, rows, G, keep1, keep2, eps, step_size, decay, catch_up, gradient_scale):
    """Make one step for `rows` of a table, with gradient G (n, nO). A: averages of the weights, or no rows."""
    for i in range(len(rows)):
        row = rows[i]
        adam(
            W[row], G[i], M[row], V[row], A[row] if len(A) else W[row, :0], keep1, keep2, eps, step_size, decay, catch_up,
            gradient_scale,
        )  # fmt: skip


@njit(void(*[types.matrix] * 4, types.longs, types.longs, int64, int64, *[types.double_matrix] * 2, float32), **OPTIONS)
def catch_up_rows(W, M, V, A, rows, last, origin, now, coefficients, fades, eps):
    """Bring `rows` and their state up to step `now`, as dense steps would, and set their `last` to `now`.

    last: the latest step applied to each row of the table. coefficients: u's fading, P, Q, A, B, C (6, steps since
    `origin`). fades: fading of mean and variance (2, age). A: averages of the weights, or no rows.
    """
    for i in range(len(rows)):
        row = rows[i]
        at, age = last[row] - origin, now - last[row]
        if not age:
            continue
        last[row] = now
        w, mean, variance = W[row], M[row], V[row]
        p, q = np.float32(coefficients[1, at]), np.float32(coefficients[2, at])
        fade1, fade2 = np.float32(fades[0, age]), np.float32(fades[1, age])
        if len(A):
            average, a1, a2 = A[row], np.float32(coefficients[3, at]), np.float32(coefficients[4, at])
            a3 = np.float32(coefficients[5, at])
            for j in range(w.size):
                u = mean[j] / (np.sqrt(variance[j]) + eps)
                average[j] = average[j] * a1 + w[j] * a2 - u * a3
                w[j] = w[j] * p - u * q
                mean[j] *= fade1
                variance[j] *= fade2
        else:
            for j in range(w.size):
                u = mean[j] / (np.sqrt(variance[j]) + eps)
                w[j] = w[j] * p - u * q
                mean[j] *= fade1
                variance[j] *= fade2


@njit(void(types.double_matrix, int64, float64, float64, float64, float64), **OPTIONS)
def advance(coefficients, n, fading, step_size, decay, catch_up):
    """Advance the first n columns of `coefficients` by a step, and set column n to its initial values. See ops/adam.py."""
    for i in range(n):
        u = coefficients[0, i] * fading
        p, q = coefficients[1, i] * (1 - decay), (coefficients[2, i] + step_size * u) * (1 - decay)
        coefficients[0, i], coefficients[1, i], coefficients[2, i] = u, p, q
        coefficients[3, i] *= 1 - catch_up
        coefficients[4, i] += catch_up * (p - coefficients[4, i])
        coefficients[5, i] += catch_up * (q - coefficients[5, i])
    coefficients[:, n] = 0
    coefficients[0, n] = coefficients[1, n] = coefficients[3, n] = 1
