"""The CRF over BILUO tags. numpy version: ops/sequences.py."""

from __future__ import annotations

import numpy as np
from numba import njit, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import OPTIONS, ZERO


@njit(void(types.double_matrix, types.longs, types.longs, types.doubles), **OPTIONS)
def marginals(E, starts, lengths, log_partition):
    """Overwrite E (n, n_states), exp of the scores, with state probabilities; fill log_partition (n_docs,)."""
    n_labels = (E.shape[1] - 1) // 4
    longest = lengths.max() if len(lengths) else 0
    closed, opened = np.empty(longest), np.empty((longest, n_labels))  # probability before each token; sums to 1
    o = np.empty(n_labels)
    for doc in range(len(starts)):
        start, n = starts[doc], lengths[doc]
        c, log_z = 1.0, 0.0
        o[:] = 0
        for t in range(n):
            e = E[start + t]
            closed[t] = c
            stay = e[0]
            for x in range(n_labels):
                stay += e[1 + 3 * n_labels + x]
            total = c_next = 0.0
            for x in range(n_labels):
                opened[t, x] = o[x]
                c_next += o[x] * e[1 + 2 * n_labels + x]
                o[x] = c * e[1 + x] + o[x] * e[1 + n_labels + x]
                total += o[x]
            c_next += c * stay
            total += c_next
            c = c_next / total
            for x in range(n_labels):
                o[x] /= total
            log_z += np.log(total)
        log_partition[doc] = log_z + np.log(c)
        c = 1.0  # from here on: weight of the later tokens, given the state after a token
        o[:] = 0
        for t in range(n - 1, -1, -1):
            e = E[start + t]
            c_next = c * e[0]
            e[0] *= closed[t] * c
            whole, total = e[0], 0.0
            for x in range(n_labels):
                begin, inside = 1 + x, 1 + n_labels + x
                last, unit = 1 + 2 * n_labels + x, 1 + 3 * n_labels + x
                c_next += c * e[unit] + o[x] * e[begin]
                o_next = c * e[last] + o[x] * e[inside]
                e[begin] *= closed[t] * o[x]
                e[inside] *= opened[t, x] * o[x]
                e[last] *= opened[t, x] * c
                e[unit] *= closed[t] * c
                whole += e[begin] + e[inside] + e[last] + e[unit]
                o[x] = o_next
                total += o_next
            total += c_next
            c = c_next / total
            for x in range(n_labels):
                o[x] /= total
            for state in range(e.size):
                e[state] /= whole


@njit(void(types.matrix, types.longs, types.longs, types.longs), **OPTIONS)
def decode(S, starts, lengths, best):
    """Write the best legal state sequence (Viterbi) for scores S (n, n_states) to best (n,). Ties break as in numpy."""
    n_labels = (S.shape[1] - 1) // 4
    longest = lengths.max() if len(lengths) else 0
    outside, came_from = np.empty(longest, np.int64), np.empty(longest, np.int64)
    continues = np.empty((longest, n_labels), np.uint8)
    o = np.empty(n_labels, np.float32)
    for doc in range(len(starts)):
        start, n = starts[doc], lengths[doc]
        c = ZERO
        o[:] = -np.inf
        for t in range(n):
            s = S[start + t]
            stays, outside[t] = s[0], 0
            for x in range(n_labels):
                if s[1 + 3 * n_labels + x] > stays:
                    stays, outside[t] = s[1 + 3 * n_labels + x], 1 + 3 * n_labels + x
            stay, closes, came_from[t] = c + stays, np.float32(-np.inf), -1
            for x in range(n_labels):
                close = o[x] + s[1 + 2 * n_labels + x]
                if close > closes:
                    closes = close
                    if close > stay:
                        came_from[t] = x
                begin, inside = c + s[1 + x], o[x] + s[1 + n_labels + x]
                continues[t, x] = inside > begin
                o[x] = max(begin, inside)
            c = max(stay, closes)
        label = -1  # the entity label that is open after the token, or -1
        for t in range(n - 1, -1, -1):
            if label >= 0:
                best[start + t] = 1 + label + (n_labels if continues[t, label] else 0)
                if not continues[t, label]:
                    label = -1
            elif came_from[t] >= 0:
                label = came_from[t]
                best[start + t] = 1 + 2 * n_labels + label
            else:
                best[start + t] = outside[t]
