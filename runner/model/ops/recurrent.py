"""Recurrent layers, without their products. The compiled loops are in kernels/recurrent.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.model.layout import Floats2d, Layout
from runner.model.time_order import TimeOrder

Floats3d = NDArray[Any]
Rows = tuple[int, int, int]


class States(NamedTuple):
    """Gates, memory and outputs of all cells, in time order, for both directions."""

    gates: NDArray[Any]  # (2, n, 4 H): o, i, f and g
    C: NDArray[Any]  # (2, n, H) memory
    T: NDArray[Any]  # its tanh
    Y: NDArray[Any]  # output


class RecurrentOps(NumpyOps):
    """The cells of an LSTM and of a quasi-recurrent layer, forwards and backwards."""

    def lstm_cells(self, Z: Floats3d, C: Floats3d, rows: Rows, k: int) -> None:
        """One step of k docs in both directions: write the memory C (2, …, H), and turn Z (2, …, 4 H) into gates.

        Z: tanh of o / 2, i / 2, f / 2 and g. rows: the step's first row in Z, its first row in C, and the first row in C
        of the step before; -1 if this is the first step.
        """
        H = C.shape[2]
        at, start, before = rows
        z, c = Z[:, at : at + k], C[:, start : start + k]
        z[..., : 3 * H] *= 0.5
        z[..., : 3 * H] += 0.5
        np.multiply(z[..., H : 2 * H], z[..., 3 * H :], out=c)
        if before >= 0:
            c += z[..., 2 * H : 3 * H] * C[:, before : before + k]

    def backprop_lstm_cells(
        self, dH: Floats3d, states: States, carried: Floats3d, order: TimeOrder
    ) -> tuple[Floats3d, Callable[[int], None]]:
        """Room for the gradient of W x + U h + b, (2, n, 4 H), and a function that fills in the rows of step t.

        Steps must be filled from the last to the first. dH: (2, n, H), the gradient of the outputs, complete for step t
        when it is filled. carried: (2, n_docs, H), the gradient of the memory, which goes from step to step; 0 at first.
        """
        D, through_h = _factors(states, order)
        H, bounds = dH.shape[2], order.bounds
        F = states.gates[..., 2 * H : 3 * H]

        def fill(t: int) -> None:
            start, end = bounds[t], bounds[t + 1]
            going = bounds[t + 2] - end if t + 2 < len(bounds) else 0  # docs that have a next step
            dh = dH[:, start:end]
            dc = through_h[:, start:end] * dh
            dc[:, :going] += carried[:, :going]
            d = D[:, start:end].reshape(2, end - start, 4, H)
            d[:, :, 0] *= dh
            d[:, :, 1:] *= dc[:, :, None]
            np.multiply(dc, F[:, start:end], out=carried[:, : end - start])

        return D, fill

    def qrnn(self, Z: Floats2d, layout: Layout) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
        """The output of a quasi-recurrent layer. Z: tanh of v, f / 2 and o / 2, (n, 3 nO) → (n, nO).

        Overwrites Z. Backward returns the gradient before the tanh.
        """
        nO = Z.shape[1] // 3
        V, F, O = Z[:, :nO], Z[:, nO : 2 * nO], Z[:, 2 * nO :]  # noqa: E741 (its name)
        gates = Z[:, nO:]
        gates *= 0.5
        gates += 0.5
        order = TimeOrder(layout)
        # nO columns are two rows of nO / 2 a token, one a direction; Z has six.
        tokens, direction = order.both_directions, np.array([[0], [1]])
        rows = 2 * tokens + direction
        keep = _in_time(Z, 6 * tokens + 2 + direction, nO // 2)
        C = V - V * F
        C = _in_batch(_pool(keep, _in_time(C, rows, nO // 2), order), rows)

        def backprop(dH: Floats2d) -> Floats2d:
            dZ = np.empty_like(Z)
            dC = dH * O
            dV, dF, dO = dZ[:, :nO], dZ[:, nO : 2 * nO], dZ[:, 2 * nO :]
            np.subtract(1, O, out=dO)
            dO *= C
            dO *= dC
            dC = _in_batch(_pool_backwards(keep, _in_time(dC, rows, nO // 2), order), rows)
            dC *= 1 - F
            np.multiply(V, V, out=dV)
            np.subtract(1, dV, out=dV)
            dV *= dC
            np.subtract(_before(C, layout), V, out=dF)
            dF *= F
            dF *= dC
            return dZ

        return C * O, backprop


def _factors(states: States, order: TimeOrder) -> tuple[Any, Any]:
    """The factors of the chain rule for the gates, (2, n, 4 H), and from output to memory, (2, n, H)."""
    Z, C, T, _ = states
    _, n, H = C.shape
    first = order.bounds[1] if n else 0
    gates = Z.reshape(2, n, 4, H)
    O, I, F, G = (gates[:, :, gate] for gate in range(4))  # noqa: E741 (their names)
    D = np.empty_like(gates)
    D[:, :, 0] = T * O * (1 - O)
    D[:, :, 1] = G * I * (1 - I)
    D[:, :first, 2] = 0
    D[:, first:, 2] = C.take(order.previous, axis=1) * (F * (1 - F))[:, first:]
    D[:, :, 3] = I * (1 - G * G)
    return D.reshape(2, n, 4 * H), O * (1 - T * T)


def _in_time(A: Floats2d, rows: NDArray[np.intp], H: int) -> NDArray[Any]:
    """(n, 2 H) or (n, 6 H), by token → (2, n, H), by direction and time."""
    return A.reshape(-1, H).take(rows, axis=0)


def _in_batch(A: NDArray[Any], rows: NDArray[np.intp]) -> Floats2d:
    """(2, n, H), by direction and time → (n, 2 H), by token."""
    _, n, H = A.shape
    placed = np.empty((2 * n, H), dtype=A.dtype)
    placed[rows] = A
    return placed.reshape(n, 2 * H)


def _pool(keep: NDArray[Any], C: NDArray[Any], order: TimeOrder) -> NDArray[Any]:
    """C[t] += keep[t] C[t - 1], from the second step on, in place. Both (2, n, H)."""
    room = np.empty((2, len(order.docs), C.shape[2]), dtype=C.dtype)
    before = 0
    for start, end in zip(order.bounds[1:-1], order.bounds[2:], strict=True):
        k = end - start
        now = C[:, start:end]
        now += np.multiply(keep[:, start:end], C[:, before : before + k], out=room[:, :k])
        before = start
    return C


def _pool_backwards(keep: NDArray[Any], dC: NDArray[Any], order: TimeOrder) -> NDArray[Any]:
    """The gradient of `_pool` by its input C, in place."""
    room = np.empty((2, len(order.docs), dC.shape[2]), dtype=dC.dtype)
    bounds = order.bounds
    for t in range(len(bounds) - 2, 0, -1):
        before, start, end = bounds[t - 1 : t + 2]
        k = end - start
        there = dC[:, before : before + k]
        there += np.multiply(keep[:, start:end], dC[:, start:end], out=room[:, :k])
    return dC


def _before(C: Floats2d, layout: Layout) -> Floats2d:
    """The state before each token, in each direction: (n, 2 H), zero at the first token that a direction reads."""
    H = C.shape[1] // 2
    came = np.empty_like(C)
    came[1:, :H] = C[:-1, :H]
    came[:-1, H:] = C[1:, H:]
    came[layout.outside(-1), :H] = 0
    came[layout.outside(1), H:] = 0
    return came
