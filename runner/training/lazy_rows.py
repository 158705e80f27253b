"""Adam for tables of which a batch touches few rows: a row is left alone until it comes back, then catches up at once.

A row without a gradient still moves: its moments fade, the update they carry goes on, weight decay shrinks it, its
average follows. Nothing new enters, so after any number of steps its state is a linear function of what it was when it
was last touched. With u = mean / (sqrt(variance) + eps) then,

    weights = P w - Q u        average = A a + B w - C u        mean = beta1^k m        variance = beta2^k v

and `History` keeps P, Q, A, B, C from every past step to now. The only approximation: eps does not fade along with
sqrt(variance), which matters to rows whose gradients never exceeded eps, 1e-8. Against dense Adam the weights differ by
rounding, some 1e-7 after hundreds of steps.
"""

from __future__ import annotations

from math import sqrt
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.errors import RunnerError
from runner.model.layout import Floats2d
from runner.model.tables import Rows, Table

LIMIT = 1000  # steps of history; then all rows catch up, whatever was touched
_CHUNK = 4096  # rows brought up to date at once


class RowState(NamedTuple):
    """Some rows' moments and average, (n, nO) each, and what they are up to date with: copies, or in place the tables."""

    lazy: LazyRows
    step: int
    mean: Floats2d
    variance: Floats2d
    average: Floats2d | None


class History:
    """The coefficients above, from each step since `origin` to `now`. Steps are counted in updates done."""

    def __init__(self, beta1: float, beta2: float, step: int, kernels: ModuleType | None = None) -> None:
        self._kernels = kernels  # see model/ops/__init__.py
        self.fading = beta1 / sqrt(beta2) if beta2 else 0.0  # of u, a step; no row is lazy where beta2 is 0
        ages = np.arange(LIMIT + 2)
        self.fades = np.stack([beta1**ages, beta2**ages])  # of mean and variance, by age
        self.all_coefficients = np.zeros((6, LIMIT + 2))  # u's own fading, P, Q, A, B, C; those in use come first
        self.restart(step)

    def restart(self, step: int) -> None:
        """Forget what was before: all rows are up to date."""
        self.origin = self.now = step
        self.all_coefficients[:, 0] = (1, 1, 0, 1, 0, 0)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """(6, steps since `origin` + 1)"""
        return self.all_coefficients[:, : self.now - self.origin + 1]

    def restore(self, origin: int, now: int, coefficients: NDArray[np.float64]) -> None:
        """Go on with the coefficients of another history. Raises RunnerError where they do not fit the steps."""
        if not 0 <= now - origin <= LIMIT or coefficients.shape != (6, now - origin + 1):
            raise RunnerError("the optimizer's history in the checkpoint does not fit its steps")
        self.origin, self.now = origin, now
        self.all_coefficients[:, : now - origin + 1] = coefficients

    @property
    def is_full(self) -> bool:
        return self.now - self.origin >= LIMIT

    def advance(self, step_size: float, decay: float, catch_up: float) -> None:
        """One more step, which moved weights by step_size * u, shrank them by `decay`, and averages closer by `catch_up`."""
        n = self.now - self.origin + 1
        self.now += 1
        if self._kernels is not None:
            self._kernels.advance(self.all_coefficients, n, self.fading, step_size, decay, catch_up)
            return
        u, P, Q, A, B, C = (row[:n] for row in self.all_coefficients)
        u *= self.fading
        Q += step_size * u
        P *= 1 - decay
        Q *= 1 - decay
        A *= 1 - catch_up
        B += catch_up * (P - B)
        C += catch_up * (Q - C)
        self.all_coefficients[:, n] = (1, 1, 0, 1, 0, 0)

    def since(self, steps: NDArray[np.int64]) -> tuple[NDArray[np.float32], ...]:
        """P, Q, A, B, C and the fading of mean and variance for rows last touched at these steps: (n, 1) each."""
        at = steps - self.origin
        age = self.now - steps
        rows = [*self.all_coefficients[1:, at], *self.fades[:, age]]
        return tuple(row.astype("float32")[:, None] for row in rows)


class LazyRows:
    """The rows of one table between updates. mean, variance, averages: the table's part of the optimizer's state."""

    def __init__(
        self,
        table: Table,
        mean: Floats2d,
        variance: Floats2d,
        averages: Floats2d | None,
        history: History,
        eps: float,
        kernels: ModuleType | None = None,
    ) -> None:
        self.table = table
        self.mean, self.variance, self.averages = mean, variance, averages
        self.history = history
        self.eps = np.float32(eps)  # in the units of `variance`
        self.kernels = kernels  # see model/ops/__init__.py
        self.is_in_place = kernels is not None
        self.last = np.full(len(mean), history.now, dtype="int64")  # the step that each row is up to date with

    def fetch(self, rows: Rows) -> tuple[Floats2d, RowState]:
        """The rows' weights and state as dense updates would have left them: copies, and nothing is written.

        Kernels bring them up to date where they are, which spares the copies and the writing back.
        """
        if self.kernels is not None:
            self.kernels.catch_up_rows(
                *self.arrays(), rows, self.last, self.history.origin, self.history.now,
                self.history.all_coefficients, self.history.fades, self.eps,
            )  # fmt: skip
            return self.table.weights, self.whole()
        w, m, v = (array.take(rows, axis=0) for array in (self.table.weights, self.mean, self.variance))
        a = self.averages.take(rows, axis=0) if self.averages is not None else None
        last = self.last[rows]
        if (last < self.history.now).any():
            P, Q, A, B, C, fade_m, fade_v = self.history.since(last)
            u = np.sqrt(v)
            u += self.eps
            np.divide(m, u, out=u)
            if a is not None:
                a *= A
                a += B * w
                a -= C * u
            w *= P
            u *= Q
            w -= u
            m *= fade_m
            v *= fade_v
        return w, RowState(self, self.history.now, m, v, a)

    def arrays(self) -> tuple[Floats2d, ...]:
        """Weights, moments and averages of all rows, the last with no rows where none are kept."""
        weights = self.table.weights
        return weights, self.mean, self.variance, self.averages if self.averages is not None else weights[:0]

    def whole(self) -> RowState:
        """The state of all rows, not copied; to be called when settled, or for rows that are up to date."""
        return RowState(self, self.history.now, self.mean, self.variance, self.averages)

    def store(self, rows: Rows, w: Floats2d, state: RowState) -> None:
        """Write rows back, up to date with `history.now`."""
        self.table.weights[rows] = w
        self.mean[rows] = state.mean
        self.variance[rows] = state.variance
        if self.averages is not None:
            self.averages[rows] = state.average
        self.last[rows] = self.history.now

    def settle(self) -> None:
        """Bring every row up to date."""
        behind = np.flatnonzero(self.last < self.history.now)
        for start in range(0, len(behind), _CHUNK):
            rows = behind[start : start + _CHUNK]
            w, state = self.fetch(rows)
            if not self.is_in_place:
                self.store(rows, w, state)
