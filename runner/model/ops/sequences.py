"""The CRF over BILUO tags (model/crf.py): forward-backward and Viterbi. The compiled loops are in kernels/sequences.py.

All docs of a batch advance together, longest first; the loop is over positions, never over docs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.model.layout import Floats2d, Layout
from runner.model.ops.sparse_viterbi import decode_sparsely
from runner.model.time_order import TimeOrder

Bools2d = NDArray[np.bool_]
Ints = NDArray[np.intp]
_FEW_STEPS = 100  # words of the longest doc: up to here, steps through all docs at once are as fast
FLOOR = -80.0  # of a state's score below the token's best: e^-80 does not underflow, and its gradient does not matter


class Marginals(NamedTuple):
    """The result of forward-backward."""

    probabilities: Floats2d  # (n_states, n_tokens), columns sum to 1
    log_partition: NDArray[np.float64]  # (n_docs,)


class SequenceOps(NumpyOps):
    """`crf_marginals` and `crf_decode`."""

    def crf_marginals(self, scores: Floats2d, layout: Layout, allowed: Bools2d | None = None) -> Marginals:
        """State probabilities and the log of the partition function, over legal sequences within `allowed`.

        scores: (n_states, n_tokens). allowed: the same shape; each doc must have a legal sequence within it.
        Without labels, O is the only state.
        """
        order = TimeOrder(layout)
        S = scores[:, order.columns].astype("float64")  # (n_states, n_tokens), in time order
        if allowed is not None:
            S = np.where(allowed[:, order.columns], S, -np.inf)
        peak = S.max(axis=0) if S.size else np.zeros(S.shape[1])
        S -= peak
        np.maximum(S, FLOOR, out=S, where=np.isfinite(S))
        E = np.exp(S)
        O, B, I, L, U = _split(E)  # noqa: E741 (the names of the scheme)
        A = O + U.sum(axis=0)  # closed → closed
        n_labels, n = len(B), E.shape[1]
        closed, opened = np.empty(n), np.empty((n_labels, n))  # mass before each token; sums to 1
        log_z = np.zeros(len(order.docs))
        c, o = np.ones(len(order.docs)), np.zeros((n_labels, len(order.docs)))
        for start, end in zip(order.bounds, order.bounds[1:], strict=False):
            at, k = slice(start, end), end - start
            log_z[k : len(c)] += np.log(c[k:])  # these docs have ended; a doc ends closed
            c, o = c[:k], o[:, :k]
            closed[at], opened[:, at] = c, o
            c_next = c * A[at] + (o * L[:, at]).sum(axis=0)
            o = c * B[:, at] + o * I[:, at]
            total = c_next + o.sum(axis=0)
            c = c_next / total
            o /= total
            log_z[:k] += np.log(total)
        log_z[: len(c)] += np.log(c)
        closed_after, opened_after = _after(E, A, order)
        P = E  # in place: E is no longer needed
        O *= closed * closed_after  # noqa: E741
        U *= closed * closed_after
        B *= closed * opened_after
        I *= opened * opened_after  # noqa: E741
        L *= opened * closed_after
        P /= P.sum(axis=0)
        out = np.empty(P.shape, dtype=scores.dtype)
        out[:, order.columns] = P
        log_partition = np.zeros(len(layout.lengths))
        log_partition[order.docs] = log_z
        doc_of = np.repeat(np.arange(len(layout.lengths)), layout.lengths)
        log_partition += np.bincount(doc_of[order.columns], weights=peak, minlength=len(layout.lengths))
        return Marginals(out, log_partition)

    def crf_decode(self, scores: Floats2d, layout: Layout) -> NDArray[np.intp]:
        """The best legal sequence of each doc (Viterbi). (n_states, n_tokens) → (n_tokens,) states."""
        order = TimeOrder(layout)
        n_steps = len(order.bounds) - 1
        found = decode_sparsely(scores, layout, most=4 * n_steps) if n_steps > _FEW_STEPS else None
        return found if found is not None else decode_stepwise(scores, layout, order)


def decode_stepwise(scores: Floats2d, layout: Layout, order: TimeOrder) -> Ints:
    """`crf_decode`, position by position through all docs at once."""
    S = scores[:, order.columns]
    O, B, I, L, U = _split(S)  # noqa: E741
    n_labels, n = len(B), S.shape[1]
    best = np.zeros(n, dtype="intp")
    if not n_labels:
        return best
    unit = U.argmax(axis=0)  # (n,)
    unit_score = np.take_along_axis(U, unit[None], axis=0)[0]
    outside = np.where(unit_score <= O, 0, 3 * n_labels + 1 + unit)  # the best state that stays closed
    A = np.maximum(O, unit_score)
    came_from = np.empty(n, dtype="intp")  # closed after this token: -1 by `outside`, x by L-x
    continues = np.empty((n_labels, n), dtype=bool)  # x open after this token: by I-x, else by B-x
    n_docs = len(order.docs)
    c, o = np.zeros(n_docs, dtype=S.dtype), np.full((n_labels, n_docs), -np.inf, dtype=S.dtype)
    for start, end in zip(order.bounds, order.bounds[1:], strict=False):
        at, k = slice(start, end), end - start
        c, o = c[:k], o[:, :k]
        stay = c + A[at]
        close = o + L[:, at]
        label = close.argmax(axis=0)
        close_score = np.take_along_axis(close, label[None], axis=0)[0]
        came_from[at] = np.where(stay >= close_score, -1, label)
        begin, inside = c + B[:, at], o + I[:, at]
        continues[:, at] = inside > begin
        o = np.maximum(begin, inside)
        c = np.maximum(stay, close_score)
    path = np.empty(n, dtype="intp")
    opened = np.full(0, -1)  # the label that is open after the token, -1: closed; docs end closed
    for start, end in zip(order.bounds[-2::-1], order.bounds[:0:-1], strict=False):
        k = end - start
        opened = np.concatenate([opened, np.full(k - len(opened), -1)])
        is_open = opened >= 0
        columns = np.arange(start, end)
        goes_on = continues[opened, columns] & is_open
        source = came_from[start:end]
        closes = ~is_open & (source >= 0)
        path[start:end] = np.where(
            is_open,
            1 + opened + np.where(goes_on, n_labels, 0),
            np.where(closes, 2 * n_labels + 1 + source, outside[start:end]),
        )
        opened = np.where(is_open, np.where(goes_on, opened, -1), source)
    best[order.columns] = path
    return best


def _split(rows: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Views of the O, B, I, L and U rows."""
    L = (len(rows) - 1) // 4
    return rows[0], rows[1 : L + 1], rows[L + 1 : 2 * L + 1], rows[2 * L + 1 : 3 * L + 1], rows[3 * L + 1 :]


def _after(E: Any, A: Any, order: TimeOrder) -> tuple[Any, Any]:
    """The mass of the rest of the doc, given the state after a token: closed (n,), each label open (n_labels, n)."""
    _, B, I, L, _ = _split(E)  # noqa: E741 (the names of the scheme)
    n_labels, n = B.shape
    closed_after, opened_after = np.empty(n), np.empty((n_labels, n))
    c, o = np.ones(0), np.zeros((n_labels, 0))
    for start, end in zip(order.bounds[-2::-1], order.bounds[:0:-1], strict=False):
        at, k = slice(start, end), end - start
        if k > len(c):  # these docs end here
            new = k - len(c)
            c = np.concatenate([c, np.ones(new)])
            o = np.concatenate([o, np.zeros((n_labels, new))], axis=1)
        closed_after[at], opened_after[:, at] = c, o
        c_next = c * A[at] + (o * B[:, at]).sum(axis=0)
        o = c * L[:, at] + o * I[:, at]
        total = c_next + o.sum(axis=0)
        c = c_next / total
        o /= total
    return closed_after, opened_after
