"""Rows of tables: distinct values, hashed row numbers, sums of rows. The compiled loops are in kernels/embeddings.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.model.layout import Floats2d

Places = NDArray[np.int32]


class EmbeddingOps(NumpyOps):
    """What embedding layers do with hashes and tables."""

    def distinct(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The distinct ones of 64-bit integers, and the place of each value among them: (n_distinct,), (n,)."""
        return np.unique(values, return_inverse=True)

    def hash_rows(self, values: NDArray[np.uint64], seed: int, table: range, keys: Places, start: int) -> None:
        """Write four hashed rows of `table` for each of n values to keys[:, start : start + n]; keys is (4, …)."""
        rows = (self.hash(values, seed) % np.uint32(len(table))).T
        keys[:, start : start + len(values)] = rows + table.start

    def sum_rows(self, E: Floats2d, places: Places) -> Floats2d:
        """The sum over k of E's rows at places[k]. (n_rows, width), (k, n) → (n, width)."""
        Y: Floats2d = E.take(places[0], axis=0)
        for rows in places[1:]:
            Y += E.take(rows, axis=0)
        return Y

    def backprop_sum_rows(self, dY: Floats2d, places: Places, dE: Floats2d) -> None:
        """Add the gradient of `sum_rows` to dE (n_rows, width)."""
        for rows in places if len(dY) else ():
            self.scatter_add(dE, rows, dY)
