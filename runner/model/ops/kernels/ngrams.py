"""Hashed n-grams. numpy version, with the same constants: ops/ngrams.py."""

from __future__ import annotations

import numpy as np
from numba import int32, int64, njit

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import OPTIONS

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(int64(types.hashes, types.longs, types.longs, int64, int64, types.longs), **OPTIONS)
def ngram_cells(hashes, starts, lengths, n_rows, max_order, cells):
    """Write 2 (doc n_rows + row) + is_negative of every n-gram to `cells`. Returns the number of n-grams."""
    n = 0
    for doc in range(len(starts)):
        start, stop = starts[doc], starts[doc] + lengths[doc]
        for first in range(start, stop):
            key = np.uint64(0)
            for last in range(first, min(first + max_order, stop)):
                key = (key ^ (key >> np.uint64(29))) * _MULTIPLIER + hashes[last]
                mixed = (key ^ (key >> np.uint64(30))) * _MIX_1
                mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
                mixed ^= mixed >> np.uint64(31)
                row = ((mixed >> np.uint64(32)) * np.uint64(n_rows)) >> np.uint64(32)
                cells[n] = 2 * (doc * n_rows + np.int64(row)) + np.int64(mixed & np.uint64(1))
                n += 1
    return n


@njit(int64(types.longs, int64, int32[::1], types.vector, types.longs, types.longs), **OPTIONS)
def split_cells(cells, n_rows, rows, signs, docs, counts):
    """Write each distinct cell's row, sign and doc, and each doc's count. cells: sorted. Returns the number of distinct cells."""
    n = 0
    counts[:] = 0
    for i in range(len(cells)):
        cell = cells[i]
        if i and cell == cells[i - 1]:
            continue
        place = cell >> 1
        doc = place // n_rows
        rows[n] = place - doc * n_rows
        signs[n] = 1 - 2 * (cell & 1)
        docs[n] = doc
        counts[doc] += 1
        n += 1
    return n
