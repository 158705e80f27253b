"""Tables: parameters of which a batch reads few rows, so that few rows have a gradient.

    touched, keys = table.read(keys)        # forward: the rows of this batch; `keys` now index touched.W
    V = touched.W.take(keys[0], axis=0) …
    dW = touched.zeros()                    # backward: the rows' gradient (n_rows, nO), indexed by `touched.places`
    touched.add(dW)

An optimizer that updates only the rows of a batch (training/lazy_rows.py) sets `lazy`: other rows are brought up to date
when they are read. For other optimizers, and for callers that take the whole gradient, a table is an ordinary parameter.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d

Rows = NDArray[np.intp]
_FEW = 0.2  # share of a table's rows up to which copying them is faster than passing over all
_SPARSE = 1 / 12  # keys per row of the table up to which sorting the keys is faster than marking rows of the table


class Lazy(Protocol):
    """What an optimizer does with one table."""

    few: float  # share of the table's rows up to which `fetch` is faster than passing over all

    def fetch(self, rows: Rows) -> tuple[Floats2d, Any]:
        """Bring rows up to date; return copies of them (n, nO), or the whole table, and a state for the update."""

    def settle(self) -> None:
        """Bring all rows up to date, in place."""


class Touched:
    """The rows that one forward pass read, and after backward their gradient. Without rows: the whole table."""

    __slots__ = ("W", "gradient", "places", "rows", "state", "table")

    def __init__(self, table: Table, rows: Rows | None, places: NDArray[np.int32], W: Floats2d, state: Any) -> None:
        self.table = table
        self.rows = rows  # (n,) ascending
        self.places = places  # the keys that were read, as positions in `rows`
        self.W = W  # (n, nO) a copy, or the table itself
        self.state = state
        self.gradient: Floats2d = W[:0]  # (n, nO) once `add` was called

    def zeros(self) -> Floats2d:
        """Zeros of the gradient's shape."""
        shape = self.W.shape if self.rows is None else (len(self.rows), self.W.shape[1])
        return np.zeros(shape, dtype=self.W.dtype)

    def add(self, gradient: Floats2d) -> None:
        """Add the rows' gradient to those that the next update uses."""
        self.gradient = gradient
        self.table.touched.append(self)


class Table:
    """A parameter (n_rows, nO), and its rows read since the last update."""

    def __init__(self, weights: Floats2d, gradient: Floats2d) -> None:
        self.weights = weights  # views of the flat arrays
        self.gradient = gradient
        self.lazy: Lazy | None = None
        self.touched: list[Touched] = []

    def read(self, keys: NDArray[np.int32]) -> tuple[Touched, NDArray[np.int32]]:
        """Read the rows in `keys`, each once, or the whole table if they are many. Also returns `keys` as rows of W."""
        rows = _distinct(keys, len(self.weights))
        few = self.lazy.few if self.lazy is not None else _FEW
        if len(rows) > few * len(self.weights):
            if self.lazy is not None:
                self.lazy.settle()
            return Touched(self, None, keys, self.weights, None), keys
        place = np.empty(len(self.weights), dtype="int32")
        place[rows] = np.arange(len(rows), dtype="int32")
        if self.lazy is not None:
            W, state = self.lazy.fetch(rows)
        else:
            W, state = self.weights.take(rows, axis=0), None
        places = place[keys]
        return Touched(self, rows, places, W, state), keys if len(W) == len(self.weights) else places

    def collect(self) -> None:
        """Add the gradients of rows to the whole gradient."""
        for touched in self.touched:
            if touched.rows is None:
                self.gradient += touched.gradient
            else:
                self.gradient[touched.rows] += touched.gradient
        self.touched = []


def _distinct(keys: NDArray[np.int32], n_rows: int) -> Rows:
    """The distinct keys, ascending."""
    if keys.size > _SPARSE * n_rows or not keys.size:
        is_touched = np.zeros(n_rows, dtype=bool)
        is_touched[keys] = True
        return np.flatnonzero(is_touched)
    rows = np.sort(keys, axis=None)
    is_first = np.empty(len(rows), dtype=bool)
    is_first[0] = True
    np.not_equal(rows[1:], rows[:-1], out=is_first[1:])
    return rows[is_first].astype(np.intp)
