"""Recurrent layers. numpy version: ops/recurrent.py."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import HALF, ONE, OPTIONS, ZERO


@njit(void(types.matrix, types.longs, types.longs, types.matrix, types.matrix), **OPTIONS)
def qrnn(Z, starts, lengths, C, Y):
    """Compute a quasi-recurrent layer (model/qrnn.py). Out: C, Y (n, nO).

    Z (n, 3 nO): tanh of v, f / 2 and o / 2; the halves of f and o are overwritten with gates.
    """
    nO = C.shape[1]
    H = nO // 2
    for doc in range(len(starts)):
        for direction in range(2):
            low, high = direction * H, direction * H + H
            for step in range(lengths[doc]):
                token = starts[doc] + (lengths[doc] - 1 - step if direction else step)
                z, c, y = Z[token], C[token, low:high], Y[token, low:high]
                v, f, o = z[low:high], z[nO + low : nO + high], z[2 * nO + low : 2 * nO + high]
                before = C[token + 2 * direction - 1 if step else token, low:high]
                for i in range(H):
                    keep, out = f[i] * HALF + HALF, o[i] * HALF + HALF
                    f[i], o[i] = keep, out
                    memory = v[i] - v[i] * keep
                    if step:
                        memory += keep * before[i]
                    c[i] = memory
                    y[i] = out * memory


@njit(void(types.matrix, types.longs, types.longs, types.matrix, types.matrix, types.matrix), **OPTIONS)
def backprop_qrnn(Z, starts, lengths, C, dY, dZ):
    """Compute the gradient of `qrnn` by v, f and o, before halving and tanh. Z, C: from `qrnn`. dY (n, nO) → dZ (n, 3 nO)."""
    nO = C.shape[1]
    H = nO // 2
    carried = np.empty(H, np.float32)
    nothing = np.zeros(H, np.float32)
    for doc in range(len(starts)):
        for direction in range(2):
            low, high = direction * H, direction * H + H
            carried[:] = ZERO
            for step in range(lengths[doc] - 1, -1, -1):
                token = starts[doc] + (lengths[doc] - 1 - step if direction else step)
                z, dz, c, dy = Z[token], dZ[token], C[token, low:high], dY[token, low:high]
                v, f, o = z[low:high], z[nO + low : nO + high], z[2 * nO + low : 2 * nO + high]
                dv, df, do = dz[low:high], dz[nO + low : nO + high], dz[2 * nO + low : 2 * nO + high]
                before = C[token + 2 * direction - 1, low:high] if step else nothing
                for i in range(H):
                    dc = dy[i] * o[i] + carried[i]
                    carried[i] = dc * f[i]
                    do[i] = dy[i] * o[i] * (ONE - o[i]) * c[i]
                    dc *= ONE - f[i]
                    dv[i] = (ONE - v[i] * v[i]) * dc
                    df[i] = (before[i] - v[i]) * f[i] * dc


@njit(void(types.cube, types.cube, int64, int64, int64, int64), **OPTIONS)
def lstm_cells(Z, C, at, start, before, k):
    """Compute one step of an LSTM (model/lstm.py), in both directions, for k docs.

    Z (2, …, 4 H): tanh of o / 2, i / 2, f / 2 and g; the values of o, i and f are overwritten with gates.
    at: the step's first row in Z. start: in C. before: in C, of the previous step; -1 in the first step.
    """
    H = C.shape[2]
    for direction in range(2):
        for row in range(k):
            z, c = Z[direction, at + row], C[direction, start + row]
            for j in range(3 * H):
                z[j] = z[j] * HALF + HALF
            i, f, g = z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            if before >= 0:
                past = C[direction, before + row]
                for j in range(H):
                    c[j] = i[j] * g[j] + f[j] * past[j]
            else:
                for j in range(H):
                    c[j] = i[j] * g[j]


@njit(void(types.cube, types.cube, types.cube, types.cube, types.cube, int64, int64, int64, types.cube), **OPTIONS)
def backprop_lstm_cells(dH, gates, C, T, carried, start, end, before, D):
    """Compute one step's gradient: outputs dH (2, n, H) → inputs of the gates' sigmoid and tanh, D (2, n, 4 H).

    carried: the memory's gradient (2, docs, H) from the next step, overwritten with the gradient for the previous step.
    """
    H = C.shape[2]
    nothing = np.zeros(H, np.float32)
    for direction in range(2):
        for row in range(start, end):
            z, d, dh, t = gates[direction, row], D[direction, row], dH[direction, row], T[direction, row]
            o, i, f, g = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            d_o, d_i, d_f, d_g = d[:H], d[H : 2 * H], d[2 * H : 3 * H], d[3 * H :]
            past, dc = C[direction, before + row - start] if start else nothing, carried[direction, row - start]
            for j in range(H):
                memory = dc[j] + o[j] * (ONE - t[j] * t[j]) * dh[j]
                d_o[j] = t[j] * o[j] * (ONE - o[j]) * dh[j]
                d_i[j] = g[j] * i[j] * (ONE - i[j]) * memory
                d_f[j] = past[j] * f[j] * (ONE - f[j]) * memory
                d_g[j] = i[j] * (ONE - g[j] * g[j]) * memory
                dc[j] = memory * f[j]
