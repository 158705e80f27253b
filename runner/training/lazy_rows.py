"""A table's rows between Adam's updates: a row is left alone until a batch reads it, and then brought up to date.

Dense updates would give the same numbers up to rounding: model/ops/adam.py has the arithmetic and the reason.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from runner.model.layout import Floats2d
from runner.model.ops import Ops
from runner.model.ops.adam import AdamArrays, AdamStep, History
from runner.model.tables import Rows, Table, Touched

_CHUNK = 4096  # rows brought up to date at once


class RowState(NamedTuple):
    """What `LazyRows.fetch` returned, and when."""

    lazy: LazyRows
    step: int  # that the rows are up to date with
    arrays: AdamArrays  # of the rows (n, nO), or of the whole table, see Ops.fetch_rows


class LazyRows:
    """The rows of one table, and the step that each is up to date with. arrays: the table's weights and state."""

    def __init__(self, ops: Ops, table: Table, arrays: AdamArrays, history: History) -> None:
        self.ops, self.table, self.arrays, self.history = ops, table, arrays, history
        self.few = ops.few_rows
        self.last = np.full(len(arrays.weights), history.now, dtype="int64")  # (n_rows,)

    def fetch(self, rows: Rows) -> tuple[Floats2d, RowState]:
        """The rows' weights and state as dense updates would have left them: copies, or in place."""
        fetched = self.ops.fetch_rows(self.arrays, rows, self.last, self.history)
        return fetched.weights, RowState(self, self.history.now, fetched)

    def update(self, touched: Touched, step: AdamStep) -> None:
        """Take one step with the rows' gradient. `history` has advanced to that step."""
        if touched.rows is None:  # the table as a whole, which is settled
            self.ops.adam_flat(self.arrays.reshaped(-1), touched.gradient.reshape(-1), step)
            self.last[...] = self.history.now
        else:
            self.ops.adam_rows(self.arrays, touched.rows, touched.state.arrays, touched.gradient, step)
            self.last[touched.rows] = self.history.now

    def settle(self) -> None:
        """Bring every row up to date."""
        behind = np.flatnonzero(self.last < self.history.now)
        for start in range(0, len(behind), _CHUNK):
            rows = behind[start : start + _CHUNK]
            _, state = self.fetch(rows)
            self.ops.store_rows(self.arrays, rows, state.arrays)
            self.last[rows] = self.history.now
