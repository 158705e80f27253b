"""The ops with compiled loops between the products: kernels/, which numba compiles as this module is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.dropout import Draws
from runner.model.layout import Floats2d, Layout, transposed
from runner.model.ops import kernels
from runner.model.ops.adam import AdamArrays, AdamStep, Floats, History, Longs, Rows
from runner.model.ops.embeddings import Places
from runner.model.ops.ngrams import LongLongs, Ngrams
from runner.model.ops.numpy import Ops
from runner.model.ops.recurrent import Floats3d, States
from runner.model.ops.recurrent import Rows as StepRows
from runner.model.ops.sequences import FLOOR, Bools2d, Marginals
from runner.model.ops.trees import Ints
from runner.model.ops.windows import Activation, BackpropActivate, with_middle
from runner.model.time_order import TimeOrder

_NO_DRAWS = Draws(np.zeros((0, 0), dtype="uint16"), 0, np.float32(1))
_NO_ROWS = np.zeros((0, 0), dtype="float32")


class NumbaOps(Ops):
    """`Ops`, each operation one pass over memory. Arrays of other types than float32 are a TypeError."""

    few_rows = 0.4  # rows are brought up to date in place, not copied

    # Windows

    def expand_window(self, X: Floats2d, layout: Layout, window_size: int) -> Floats2d:
        if window_size == 0:
            return X
        nI, n = X.shape
        C = np.empty(((2 * window_size + 1) * nI, n), dtype=X.dtype)
        kernels.expand_window(X, window_size, layout.starts, layout.lengths, C)
        return C

    def backprop_expand_window(
        self, dC: Floats2d, layout: Layout, window_size: int, residual: Floats2d | None = None
    ) -> Floats2d:
        if window_size == 0:
            return super().backprop_expand_window(dC, layout, window_size, residual)
        dC, dX = with_middle(dC, window_size)
        given = np.ascontiguousarray(residual) if residual is not None else _NO_ROWS
        kernels.reduce_window(dC, window_size, layout.starts, layout.lengths, given)
        return dX

    def activate(
        self, P: Floats2d, weights: Activation, draws: Draws | None, residual: Floats2d | None, *, is_train: bool
    ) -> tuple[Floats2d, BackpropActivate]:
        nP, nO = weights.b.shape
        if nP > 2:
            return super().activate(P, weights, draws, residual, is_train=is_train)
        n, (_, G, bias) = P.shape[1], weights
        drawn = draws or _NO_DRAWS
        Y, inverse_std = np.empty((nO, n), P.dtype), np.empty(n, P.dtype)
        N = np.empty((nO, n if is_train else kernels.BLOCK), P.dtype)
        kernels.activate(
            P, weights.b.reshape(-1), G, bias, *drawn, residual if residual is not None else _NO_ROWS, Y, N, inverse_std
        )

        def backprop(dY: Floats2d, gradients: Activation) -> Floats2d:
            db, dG, dbias = gradients
            dY = np.ascontiguousarray(dY)
            kernels.backprop_activate(dY, *drawn, N, inverse_std, P, G, db.reshape(-1), dG, dbias)
            return P

        return Y, backprop

    # Embeddings

    def distinct(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """As in `Ops`, but in order of first appearance."""
        distinct, places = np.empty_like(values), np.empty(len(values), dtype="int64")
        return distinct[: kernels.distinct(values.view("uint64"), distinct.view("uint64"), places)], places

    def hash_rows(self, values: NDArray[np.uint64], seed: int, table: range, keys: Places, start: int) -> None:
        kernels.table_rows(self.hash(values, seed), len(table), table.start, keys, start)

    def sum_rows(self, E: Floats2d, places: Places) -> Floats2d:
        Y: Floats2d = np.empty((places.shape[1], E.shape[1]), dtype=E.dtype)
        kernels.gather(E, places, Y)
        return Y

    def backprop_sum_rows(self, dY: Floats2d, places: Places, dE: Floats2d) -> None:
        kernels.scatter(dY, places, dE)

    # N-grams

    def extract_ngrams(self, hashes: LongLongs, layout: Layout, n_rows: int, max_order: int) -> Ngrams:
        cells = np.empty(max_order * len(hashes), dtype="int64")
        cells = cells[: kernels.ngram_cells(hashes, layout.starts, layout.lengths, n_rows, max_order, cells)]
        cells.sort()
        rows, signs, docs = (np.empty(len(cells), dtype) for dtype in ("int32", "float32", "int64"))
        counts = np.empty(len(layout.lengths), dtype="int64")
        n = kernels.split_cells(cells, n_rows, rows, signs, docs, counts)
        return Ngrams(rows[:n], signs[:n], docs[:n], counts)

    # Sequences

    def crf_marginals(self, scores: Floats2d, layout: Layout, allowed: Bools2d | None = None) -> Marginals:
        S = transposed(scores, "float64")  # (n_tokens, n_states)
        if allowed is not None:
            S[~allowed.T] = -np.inf
        peak = S.max(axis=1)
        S -= peak[:, None]
        np.maximum(S, FLOOR, out=S, where=np.isfinite(S))
        P = np.exp(S, out=S)
        log_partition = np.empty(len(layout.lengths))
        kernels.marginals(P, layout.starts, layout.lengths, log_partition)
        doc_of = np.repeat(np.arange(len(layout.lengths)), layout.lengths)
        log_partition += np.bincount(doc_of, weights=peak, minlength=len(layout.lengths))
        return Marginals(transposed(P, scores.dtype), log_partition)

    def crf_decode(self, scores: Floats2d, layout: Layout) -> NDArray[np.intp]:
        states = np.empty(layout.n_tokens, dtype="int64")
        kernels.decode(transposed(scores), layout.starts, layout.lengths, states)
        return states

    # Recurrent layers

    def lstm_cells(self, Z: Floats3d, C: Floats3d, rows: StepRows, k: int) -> None:
        kernels.lstm_cells(Z, C, *rows, k)

    def backprop_lstm_cells(
        self, dH: Floats3d, states: States, carried: Floats3d, order: TimeOrder
    ) -> tuple[Floats3d, Callable[[int], None]]:
        gates, C, T, _ = states
        D, bounds = np.empty(gates.shape, dtype=dH.dtype), order.bounds

        def fill(t: int) -> None:
            kernels.backprop_lstm_cells(dH, gates, C, T, carried, bounds[t], bounds[t + 1], bounds[max(t - 1, 0)], D)

        return D, fill

    def qrnn(self, Z: Floats2d, layout: Layout) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
        C, H = (np.empty((len(Z), Z.shape[1] // 3), dtype=Z.dtype) for _ in range(2))
        kernels.qrnn(Z, layout.starts, layout.lengths, C, H)

        def backprop(dH: Floats2d) -> Floats2d:
            dZ = np.empty_like(Z)
            kernels.backprop_qrnn(Z, layout.starts, layout.lengths, C, dH, dZ)
            return dZ

        return H, backprop

    # Trees

    def best_forest(self, into: NDArray[np.float64], open_tokens: Ints, heads: Ints) -> None:
        kernels.best_forest(into, open_tokens, heads)

    # Adam

    def adam_flat(self, arrays: AdamArrays, gradient: Floats, step: AdamStep) -> None:
        w, m, v, a = arrays
        kernels.adam(w, gradient, m, v, a if a is not None and step.catch_up is not None else w[:0], *_numbers(step))

    def advance(self, history: History, step_size: float, decay: float, catch_up: float) -> None:
        n = history.now - history.origin + 1
        history.now += 1
        kernels.advance(history.all_coefficients, n, history.fading, step_size, decay, catch_up)

    def fetch_rows(self, table: AdamArrays, rows: Rows, last: Longs, history: History) -> AdamArrays:
        kernels.catch_up_rows(
            *_arrays(table), rows, last, history.origin, history.now,
            history.all_coefficients, history.fades, history.eps,
        )  # fmt: skip
        return table

    def store_rows(self, table: AdamArrays, rows: Rows, fetched: AdamArrays) -> None:
        """Nothing: the rows are in the table."""

    def adam_rows(self, table: AdamArrays, rows: Rows, fetched: AdamArrays, gradient: Floats2d, step: AdamStep) -> None:
        kernels.adam_rows(*_arrays(table), rows, gradient, *_numbers(step))


def _arrays(table: AdamArrays) -> tuple[Floats, ...]:
    """All four arrays; the averages without rows if none are kept."""
    return *table[:3], table.averages if table.averages is not None else table.weights[:0]


def _numbers(step: AdamStep) -> tuple[np.float32, ...]:
    return *step[:5], step.catch_up or np.float32(0), step.gradient_scale
