"""Layers of the encoder: windows over tokens, and the layer's activation. numpy version: ops/windows.py.

Loops run over blocks of `BLOCK` columns, which stay in the second-level cache from one loop to the next. Each row of a
block is sliced before its loop, because the compiler vectorizes loops whose indices begin at 0.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, njit, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import ONE, OPTIONS, ZERO

BLOCK = 512
_TINY = np.float32(1e-8)  # as in `normalize`


@njit(float32(types.vector), fastmath={"reassoc", "nsz"}, **OPTIONS)
def _sum(x):
    total = ZERO
    for i in range(x.size):
        total += x[i]
    return total


@njit(float32(types.vector, types.vector), fastmath={"reassoc", "nsz"}, **OPTIONS)
def _dot(x, y):
    total = ZERO
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@njit(void(types.vector, types.vector), inline="always", **OPTIONS)
def _copy(x, y):
    """Copy x to y, faster than `y[:] = x` in numba."""
    for i in range(y.size):
        y[i] = x[i]


@njit(
    void(types.matrix, *[types.vector] * 3, types.draws, float32, float32, *[types.matrix] * 3, types.vector), **OPTIONS
)
def activate(P, b, G, bias, draws, threshold, scale, X, Y, N, inverse_std):
    """Apply bias, maxout of one or two pieces, layer norm, dropout and residual: see ops/windows.py.

    In: P (nP nO, n), b (nP nO,), G and bias (nO,); draws (nO, n), dropped below `threshold`, or no rows for no dropout;
    X (nO, n), or no rows for no residual. Out: Y, N (nO, n), inverse_std (n,). The sign of P's first nO rows then marks
    the winning piece. N may be scratch space, (nO, BLOCK), if no gradient is needed.
    """
    nO, n = Y.shape
    share = ONE / np.float32(nO)
    sums, squares = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        at = start if N.shape[1] == n else 0
        mean, variance, inverse = sums[:size], squares[:size], inverse_std[start:stop]
        mean[:] = ZERO
        variance[:] = ZERO
        for row in range(nO):
            first, normal, b1 = P[row, start:stop], N[row, at : at + size], b[row]
            if len(P) == 2 * nO:
                second, b2 = P[nO + row, start:stop], b[nO + row]
                for i in range(size):
                    x, y = first[i] + b1, second[i] + b2
                    first[i] = x - y
                    z = x if x >= y or x != x else y  # NaN stays NaN
                    normal[i] = z
                    mean[i] += z
            else:
                for i in range(size):
                    x = first[i] + b1
                    first[i] = x
                    z = x if x >= ZERO or x != x else ZERO
                    normal[i] = z
                    mean[i] += z
        for i in range(size):
            mean[i] *= share
        for row in range(nO):
            normal = N[row, at : at + size]
            for i in range(size):
                z = normal[i] - mean[i]
                normal[i] = z
                variance[i] += z * z
        for i in range(size):
            inverse[i] = ONE / np.sqrt(variance[i] * share + _TINY)
        for row in range(nO):
            normal, out, gain, shift = N[row, at : at + size], Y[row, start:stop], G[row], bias[row]
            for i in range(size):
                z = normal[i] * inverse[i]
                normal[i] = z
                out[i] = z * gain + shift
            if len(draws):
                drawn = draws[row, start:stop]
                for i in range(size):
                    out[i] *= scale if drawn[i] >= threshold else ZERO
            if len(X):
                residual = X[row, start:stop]
                for i in range(size):
                    out[i] += residual[i]


@njit(
    void(types.matrix, types.draws, float32, float32, types.matrix, types.vector, types.matrix, *[types.vector] * 4),
    **OPTIONS,
)
def backprop_activate(dY, draws, threshold, scale, N, inverse_std, P, G, db, dG, dbias):
    """Compute the gradient of `activate` from its outputs. Overwrites P with P's gradient; adds to db, dG, dbias."""
    nO, n = dY.shape
    share = ONE / np.float32(nO)
    sums, products = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    room = np.empty((nO, BLOCK), np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        mean, slope, inverse = sums[:size], products[:size], inverse_std[start:stop]
        mean[:] = ZERO
        slope[:] = ZERO
        for row in range(nO):
            normal, given, d, gain = N[row, start:stop], dY[row, start:stop], room[row, :size], G[row]
            if len(draws):
                drawn = draws[row, start:stop]
                for i in range(size):
                    d[i] = given[i] * (scale if drawn[i] >= threshold else ZERO)
            else:
                _copy(given, d)
            dbias[row] += _sum(d)
            dG[row] += _dot(d, normal)
            for i in range(size):
                z = d[i] * gain
                d[i] = z
                mean[i] += z
                slope[i] += z * normal[i]
        for i in range(size):
            mean[i] *= share
            slope[i] *= share
        for row in range(nO):
            normal, d, first = N[row, start:stop], room[row, :size], P[row, start:stop]
            for i in range(size):
                d[i] = (d[i] - mean[i] - normal[i] * slope[i]) * inverse[i]
            if len(P) == 2 * nO:
                second = P[nO + row, start:stop]
                for i in range(size):
                    z = d[i] if first[i] >= ZERO else ZERO
                    first[i] = z
                    second[i] = d[i] - z
                db[nO + row] += _sum(second)
            else:
                for i in range(size):
                    first[i] = d[i] if first[i] >= ZERO else ZERO
            db[row] += _sum(first)


@njit(void(types.vector, int64, types.longs, types.longs), **OPTIONS)
def _clear(row, offset, starts, lengths):
    """Set `row` to 0 where the neighbour at `offset` lies outside the doc."""
    for doc in range(len(starts)):
        start, stop = starts[doc], starts[doc] + lengths[doc]
        if offset < 0:
            stop = min(start - offset, stop)
        else:
            start = max(stop - offset, start)
        for column in range(start, stop):
            row[column] = ZERO


@njit(void(types.matrix, int64, types.longs, types.longs, types.matrix), **OPTIONS)
def expand_window(X, window_size, starts, lengths, C):
    """Stack each column on its neighbours: see ops/windows.py. X (nI, n) → C ((2 window_size + 1) nI, n)."""
    nI, n = X.shape
    for offset in range(-window_size, window_size + 1):
        low, high = min(max(-offset, 0), n), max(min(n - offset, n), 0)
        for row in range(nI):
            here = C[(window_size + offset) * nI + row]
            if low < high:
                _copy(X[row, low + offset : high + offset], here[low:high])
            _clear(here, offset, starts, lengths)


@njit(void(types.matrix, int64, types.longs, types.longs, types.matrix), **OPTIONS)
def reduce_window(dC, window_size, starts, lengths, residual):
    """Sum the gradient of `expand_window` into dC's middle nI rows, and add `residual` (nI, n), or no rows."""
    nI, n = len(dC) // (2 * window_size + 1), dC.shape[1]
    for row in range(nI):
        middle = dC[window_size * nI + row]
        for offset in range(-window_size, window_size + 1):
            low, high = max(-offset, 0), min(n - offset, n)
            if not offset or low >= high:
                continue
            given = dC[(window_size + offset) * nI + row]
            _clear(given, offset, starts, lengths)
            given, there = given[low:high], middle[low + offset : high + offset]
            for i in range(high - low):
                there[i] += given[i]
        if len(residual):
            given = residual[row]
            for i in range(n):
                middle[i] += given[i]
