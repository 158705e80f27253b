"""One step of Adam over flat arrays, and over the rows of a table that was read. The compiled loops are in kernels/adam.py.

A row that is not read has no gradient, and still moves: its moments fade, the update they carry goes on, weight decay
shrinks it, its average follows. Nothing new enters, so after any number of steps its state is a linear function of its
state when it was last read. With u = mean / (sqrt(variance) + eps) of that time,

    weights = P w - Q u        average = A a + B w - C u        mean = beta1^k m        variance = beta2^k v

and `History` keeps P, Q, A, B, C from every past step to now. The only approximation: eps does not fade along with
sqrt(variance), which matters to rows whose gradients never exceeded eps, 1e-8. Against dense Adam the weights differ by
rounding, some 1e-7 after hundreds of steps.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.errors import RunnerError
from runner.model.layout import Floats2d

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
Longs = NDArray[np.int64]
LIMIT = 1000  # steps of history; then all rows catch up, whatever was read
_BLOCK = 1 << 15  # values a pass: the arrays of one block fit into the second-level cache


class AdamArrays(NamedTuple):
    """Weights and the optimizer's state of each: flat (n,), or rows of a table (n, nO)."""

    weights: Floats
    mean: Floats  # of the gradients, / (1 - beta1)
    variance: Floats  # mean of the squared gradients, / (1 - beta2)
    averages: Floats | None  # of the weights; None: not kept

    def reshaped(self, *shape: int) -> AdamArrays:
        """Views of another shape."""
        w, m, v, a = self
        return AdamArrays(
            w.reshape(shape), m.reshape(shape), v.reshape(shape), a.reshape(shape) if a is not None else None
        )


class AdamStep(NamedTuple):
    """The numbers of one step."""

    keep1: np.float32  # beta1
    keep2: np.float32  # beta2
    eps: np.float32  # in the units of `variance`
    step_size: np.float32
    decay: np.float32  # 0: none
    catch_up: np.float32 | None  # of the averages; None: they are not kept
    gradient_scale: np.float32


class History:
    """The coefficients above, from each step since `origin` to `now`. Steps are counted in updates done.

    eps: in the units of `variance`.
    """

    def __init__(self, beta1: float, beta2: float, eps: float, step: int) -> None:
        self.fading = beta1 / sqrt(beta2) if beta2 else 0.0  # of u, a step; no row is lazy if beta2 is 0
        self.eps = np.float32(eps)
        ages = np.arange(LIMIT + 2)
        self.fades = np.stack([beta1**ages, beta2**ages])  # of mean and variance, by age
        self.all_coefficients = np.zeros((6, LIMIT + 2))  # u's own fading, P, Q, A, B, C; those in use come first
        self.restart(step)

    def restart(self, step: int) -> None:
        """Forget the past: all rows are up to date."""
        self.origin = self.now = step
        self.all_coefficients[:, 0] = (1, 1, 0, 1, 0, 0)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """(6, steps since `origin` + 1)"""
        return self.all_coefficients[:, : self.now - self.origin + 1]

    def restore(self, origin: int, now: int, coefficients: NDArray[np.float64]) -> None:
        """Go on with the coefficients of another history. Raises RunnerError if they do not fit the steps."""
        if not 0 <= now - origin <= LIMIT or coefficients.shape != (6, now - origin + 1):
            raise RunnerError("the optimizer's history in the checkpoint does not fit its steps")
        self.origin, self.now = origin, now
        self.all_coefficients[:, : now - origin + 1] = coefficients

    @property
    def is_full(self) -> bool:
        return self.now - self.origin >= LIMIT

    def since(self, steps: Longs) -> tuple[Floats, ...]:
        """P, Q, A, B, C and the fading of mean and variance for rows last read at these steps: (n, 1) each."""
        at = steps - self.origin
        age = self.now - steps
        rows = [*self.all_coefficients[1:, at], *self.fades[:, age]]
        return tuple(row.astype("float32")[:, None] for row in rows)


class AdamOps(NumpyOps):
    """Adam, dense and row by row."""

    few_rows = 0.2  # share of a table's rows up to which fetching them is faster than passing over all

    def adam_flat(self, arrays: AdamArrays, gradient: Floats, step: AdamStep) -> None:
        """One step in place, of flat arrays; sets the gradient to 0."""
        w, m, v, a = arrays
        room = np.empty(min(_BLOCK, len(w)), dtype="float32")
        for start in range(0, len(w), _BLOCK):
            at = slice(start, start + _BLOCK)
            part = AdamArrays(w[at], m[at], v[at], a[at] if a is not None else None)
            _adam_block(part, gradient[at], room[: len(part.weights)], step)
            gradient[at] = 0

    def advance(self, history: History, step_size: float, decay: float, catch_up: float) -> None:
        """One more step, which moved weights by step_size * u, shrank them by `decay`, and averages closer by `catch_up`."""
        n = history.now - history.origin + 1
        history.now += 1
        u, P, Q, A, B, C = (row[:n] for row in history.all_coefficients)
        u *= history.fading
        Q += step_size * u
        P *= 1 - decay
        Q *= 1 - decay
        A *= 1 - catch_up
        B += catch_up * (P - B)
        C += catch_up * (Q - C)
        history.all_coefficients[:, n] = (1, 1, 0, 1, 0, 0)

    def fetch_rows(self, table: AdamArrays, rows: Rows, last: Longs, history: History) -> AdamArrays:
        """The rows as dense steps up to `history.now` would have left them.

        last: (n_rows,) the step that each row of the table is up to date with. Here copies are returned and nothing is
        written; in numba the rows are brought up to date in place, and the whole table is returned.
        """
        w, m, v = (array.take(rows, axis=0) for array in table[:3])
        a = table.averages.take(rows, axis=0) if table.averages is not None else None
        last = last[rows]
        if (last < history.now).any():
            P, Q, A, B, C, fade_m, fade_v = history.since(last)
            u = np.sqrt(v)
            u += history.eps
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
        return AdamArrays(w, m, v, a)

    def store_rows(self, table: AdamArrays, rows: Rows, fetched: AdamArrays) -> None:
        """Write the result of `fetch_rows` to the table, where it is not there yet."""
        for whole, part in zip(table, fetched, strict=True):
            if whole is not None:
                whole[rows] = part

    def adam_rows(self, table: AdamArrays, rows: Rows, fetched: AdamArrays, gradient: Floats2d, step: AdamStep) -> None:
        """One step of the rows, from the result of `fetch_rows`. gradient: (n, nO), overwritten."""
        self.adam_flat(fetched.reshaped(-1), gradient.reshape(-1), step)
        self.store_rows(table, rows, fetched)


def _adam_block(arrays: AdamArrays, g: Floats, t: Floats, step: AdamStep) -> None:
    """One step in place. g: the gradient, overwritten. t: room for as many values."""
    w, m, v, a = arrays
    if step.gradient_scale != 1:
        g *= step.gradient_scale
    m *= step.keep1
    m += g
    v *= step.keep2
    g *= g
    v += g
    np.sqrt(v, out=t)
    t += step.eps
    np.divide(m, t, out=t)
    t *= step.step_size
    w -= t
    if step.decay:
        np.multiply(w, step.decay, out=t)
        w -= t
    if a is not None and step.catch_up is not None:
        np.subtract(w, a, out=t)
        t *= step.catch_up
        a += t
