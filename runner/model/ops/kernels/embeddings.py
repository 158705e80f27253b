"""Sums of table rows, and distinct hashes. numpy version: ops/embeddings.py."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint32, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import OPTIONS

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio


@njit(void(types.matrix, types.places, types.matrix), **OPTIONS)
def gather(E, places, Y):
    """Set Y[i] to the sum over k of E[places[k, i]]. E (n_rows, width), places (k, n), Y (n, width)."""
    for i in range(len(Y)):
        y = Y[i]
        e = E[places[0, i]]
        for j in range(y.size):
            y[j] = e[j]
        for k in range(1, len(places)):
            e = E[places[k, i]]
            for j in range(y.size):
                y[j] += e[j]


@njit(void(types.matrix, types.places, types.matrix), **OPTIONS)
def scatter(dY, places, dE):
    """Add the gradient of `gather` to dE."""
    for k in range(len(places)):
        for i in range(len(dY)):
            d, e = dY[i], dE[places[k, i]]
            for j in range(d.size):
                e[j] += d[j]


@njit(int64(types.hashes, types.hashes, types.longs), **OPTIONS)
def distinct(values, firsts, places):
    """Write the distinct values to `firsts`, in order of first appearance, and each value's index in `firsts` to `places`.

    Returns the number of distinct values. Probes a hash table with at least two slots a value.
    """
    bits = 4
    while (1 << bits) < 2 * len(values):
        bits += 1
    slots = np.full(1 << bits, -1, np.int32)
    mask = (1 << bits) - 1
    n = 0
    for i in range(len(values)):
        value = values[i]
        slot = np.int64((value * _MULTIPLIER) >> np.uint64(64 - bits))
        while slots[slot] >= 0 and firsts[slots[slot]] != value:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = n
            firsts[n] = value
            n += 1
        places[i] = slots[slot]
    return n


@njit(void(uint32[:, ::1], int64, int64, types.places, int64), **OPTIONS)
def table_rows(hashes, n_rows, first_row, keys, start):
    """Turn hashes (n, 4) into numbers of n_rows rows from first_row on, written to keys[:, start:] (4, …)."""
    for i in range(len(hashes)):
        for k in range(hashes.shape[1]):
            keys[k, start + i] = np.int64(hashes[i, k]) % n_rows + first_row
