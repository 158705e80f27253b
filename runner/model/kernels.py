"""What lies between the matrix products as compiled loops: one pass over memory each, where numpy makes one an operation.

For `compute.ops=numba`; ops.py imports this, and nothing else does. The layers beside it hold the same arithmetic in numpy,
which is what runs without, and what the tests compare with. Values differ by rounding: sums are taken in another order.
All is float32 and in C order; anything else is a TypeError, not a second compilation. Numba keeps the machine code beside
this file, or in the user's cache directory.

Loops run over blocks of `BLOCK` columns, whose rows stay in the first-level cache from one loop to the next. A row of a
block is cut out before the loop over it: indices that begin at 0 are what the compiler turns into vector instructions.
"""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, njit, uint16, uint32, uint64, void

BLOCK = 128
_ZERO, _HALF, _ONE, _TINY = map(np.float32, (0, 0.5, 1, 1e-8))  # the last: of maxout_window.normalize
_MULTIPLIER, _MIX_1, _MIX_2 = map(
    np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)  # ngrams.py's
_OPTIONS = {"cache": True, "error_model": "numpy"}  # numpy's: what is divided by 0 is infinite
_vector, _matrix, _cube = float32[::1], float32[:, ::1], float32[:, :, ::1]
_places, _columns = int32[:, ::1], int64[::1]


@njit(float32(_vector), fastmath={"reassoc", "nsz"}, **_OPTIONS)
def _sum(x):
    total = _ZERO
    for i in range(x.size):
        total += x[i]
    return total


@njit(float32(_vector, _vector), fastmath={"reassoc", "nsz"}, **_OPTIONS)
def _dot(x, y):
    total = _ZERO
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@njit(void(_vector, _vector), inline="always", **_OPTIONS)
def _copy(x, y):
    """y[:] = x, which numba makes slower."""
    for i in range(y.size):
        y[i] = x[i]


# Layers


@njit(
    void(_matrix, _vector, _vector, _vector, uint16[:, ::1], float32, float32, _matrix, _matrix, _matrix, _vector),
    **_OPTIONS,
)
def activate(P, b, G, bias, draws, threshold, scale, X, Y, N, inverse_std):
    """Bias, maxout of one or two pieces, layer norm, dropout, residual: see maxout_window.py.

    In: P (nP nO, n), b (nP nO,), G and bias (nO,); draws (nO, n), zero where below `threshold`, or without rows: no
    dropout; X (nO, n), or without rows: no residual. Out: Y, N (nO, n), inverse_std (n,), and in the first nO rows of P
    what tells the winner. N of other shape, (nO, BLOCK), is but room: nothing is to go back.
    """
    nO, n = Y.shape
    share = _ONE / np.float32(nO)
    sums, squares = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        at = start if N.shape[1] == n else 0
        mean, variance, inverse = sums[:size], squares[:size], inverse_std[start:stop]
        mean[:] = _ZERO
        variance[:] = _ZERO
        for row in range(nO):
            first, normal, b1 = P[row, start:stop], N[row, at : at + size], b[row]
            if len(P) == 2 * nO:
                second, b2 = P[nO + row, start:stop], b[nO + row]
                for i in range(size):
                    x, y = first[i] + b1, second[i] + b2
                    first[i] = x - y
                    z = x if x >= y or x != x else y  # what is not a number stays so
                    normal[i] = z
                    mean[i] += z
            else:
                for i in range(size):
                    x = first[i] + b1
                    first[i] = x
                    z = x if x >= _ZERO or x != x else _ZERO
                    normal[i] = z
                    mean[i] += z
        for i in range(size):
            mean[i] *= share
        for row in range(nO):
            normal = N[row, at : at + size]
            for i in range(size):
                z = normal[i] - mean[i]
                normal[i] = z
                variance[i] += z * z
        for i in range(size):
            inverse[i] = _ONE / np.sqrt(variance[i] * share + _TINY)
        for row in range(nO):
            normal, out, gain, shift = N[row, at : at + size], Y[row, start:stop], G[row], bias[row]
            for i in range(size):
                z = normal[i] * inverse[i]
                normal[i] = z
                out[i] = z * gain + shift
            if len(draws):
                drawn = draws[row, start:stop]
                for i in range(size):
                    out[i] *= scale if drawn[i] >= threshold else _ZERO
            if len(X):
                residual = X[row, start:stop]
                for i in range(size):
                    out[i] += residual[i]


@njit(
    void(_matrix, uint16[:, ::1], float32, float32, _matrix, _vector, _matrix, _vector, _vector, _vector, _vector),
    **_OPTIONS,
)
def backprop_activate(dY, draws, threshold, scale, N, inverse_std, P, G, db, dG, dbias):
    """The gradient of `activate`, from what it left behind. Overwrites P with its own, and adds to db, dG, dbias."""
    nO, n = dY.shape
    share = _ONE / np.float32(nO)
    sums, products = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    room = np.empty((nO, BLOCK), np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        mean, slope, inverse = sums[:size], products[:size], inverse_std[start:stop]
        mean[:] = _ZERO
        slope[:] = _ZERO
        for row in range(nO):
            normal, given, d, gain = N[row, start:stop], dY[row, start:stop], room[row, :size], G[row]
            if len(draws):
                drawn = draws[row, start:stop]
                for i in range(size):
                    d[i] = given[i] * (scale if drawn[i] >= threshold else _ZERO)
            else:
                _copy(given, d)
            dbias[row] += _sum(d)
            dG[row] += _dot(d, normal)
            for i in range(size):
                z = d[i] * gain
                d[i] = z
                mean[i] += z
                slope[i] += z * normal[i]
        for i in range(size):
            mean[i] *= share
            slope[i] *= share
        for row in range(nO):
            normal, d, first = N[row, start:stop], room[row, :size], P[row, start:stop]
            for i in range(size):
                d[i] = (d[i] - mean[i] - normal[i] * slope[i]) * inverse[i]
            if len(P) == 2 * nO:
                second = P[nO + row, start:stop]
                for i in range(size):
                    z = d[i] if first[i] >= _ZERO else _ZERO
                    first[i] = z
                    second[i] = d[i] - z
                db[nO + row] += _sum(second)
            else:
                for i in range(size):
                    first[i] = d[i] if first[i] >= _ZERO else _ZERO
            db[row] += _sum(first)


@njit(void(_vector, int64, _columns, _columns), **_OPTIONS)
def _clear(row, offset, starts, lengths):
    """Zeros where the neighbour at `offset` lies in another doc, or in none."""
    for doc in range(len(starts)):
        start, stop = starts[doc], starts[doc] + lengths[doc]
        if offset < 0:
            stop = min(start - offset, stop)
        else:
            start = max(stop - offset, start)
        for column in range(start, stop):
            row[column] = _ZERO


@njit(void(_matrix, int64, _columns, _columns, _matrix), **_OPTIONS)
def expand_window(X, window_size, starts, lengths, C):
    """See maxout_window.py. X (nI, n), docs by their first column and length → C ((2 window_size + 1) nI, n)."""
    nI, n = X.shape
    for offset in range(-window_size, window_size + 1):
        low, high = min(max(-offset, 0), n), max(min(n - offset, n), 0)
        for row in range(nI):
            here = C[(window_size + offset) * nI + row]
            if low < high:
                _copy(X[row, low + offset : high + offset], here[low:high])
            _clear(here, offset, starts, lengths)


@njit(void(_matrix, int64, _columns, _columns, _matrix), **_OPTIONS)
def reduce_window(dC, window_size, starts, lengths, residual):
    """The gradient of `expand_window`, left in the middle nI rows of dC, with `residual` (nI, n), or no rows, added."""
    nI, n = len(dC) // (2 * window_size + 1), dC.shape[1]
    for row in range(nI):
        middle = dC[window_size * nI + row]
        for offset in range(-window_size, window_size + 1):
            low, high = max(-offset, 0), min(n - offset, n)
            if not offset or low >= high:
                continue
            given = dC[(window_size + offset) * nI + row]
            _clear(given, offset, starts, lengths)
            given, there = given[low:high], middle[low + offset : high + offset]
            for i in range(high - low):
                there[i] += given[i]
        if len(residual):
            given = residual[row]
            for i in range(n):
                middle[i] += given[i]


@njit(void(_matrix, _columns, _columns, _matrix, _matrix), **_OPTIONS)
def qrnn(Z, starts, lengths, C, Y):
    """The recurrence of qrnn.py. Z (n, 3 nO): tanh of v, of f / 2 and of o / 2; the last two become gates. Out: C, Y (n, nO)."""
    nO = C.shape[1]
    H = nO // 2
    for doc in range(len(starts)):
        for direction in range(2):
            low, high = direction * H, direction * H + H
            for step in range(lengths[doc]):
                token = starts[doc] + (lengths[doc] - 1 - step if direction else step)
                z, c, y = Z[token], C[token, low:high], Y[token, low:high]
                v, f, o = z[low:high], z[nO + low : nO + high], z[2 * nO + low : 2 * nO + high]
                before = C[token + 2 * direction - 1 if step else token, low:high]
                for i in range(H):
                    keep, out = f[i] * _HALF + _HALF, o[i] * _HALF + _HALF
                    f[i], o[i] = keep, out
                    memory = v[i] - v[i] * keep
                    if step:
                        memory += keep * before[i]
                    c[i] = memory
                    y[i] = out * memory


@njit(void(_matrix, _columns, _columns, _matrix, _matrix, _matrix), **_OPTIONS)
def backprop_qrnn(Z, starts, lengths, C, dY, dZ):
    """The gradient of `qrnn` by what went into the tanh, not halved. Z, C: as it left them. dY (n, nO) → dZ (n, 3 nO)."""
    nO = C.shape[1]
    H = nO // 2
    carried = np.empty(H, np.float32)
    nothing = np.zeros(H, np.float32)
    for doc in range(len(starts)):
        for direction in range(2):
            low, high = direction * H, direction * H + H
            carried[:] = _ZERO
            for step in range(lengths[doc] - 1, -1, -1):
                token = starts[doc] + (lengths[doc] - 1 - step if direction else step)
                z, dz, c, dy = Z[token], dZ[token], C[token, low:high], dY[token, low:high]
                v, f, o = z[low:high], z[nO + low : nO + high], z[2 * nO + low : 2 * nO + high]
                dv, df, do = dz[low:high], dz[nO + low : nO + high], dz[2 * nO + low : 2 * nO + high]
                before = C[token + 2 * direction - 1, low:high] if step else nothing
                for i in range(H):
                    dc = dy[i] * o[i] + carried[i]
                    carried[i] = dc * f[i]
                    do[i] = dy[i] * o[i] * (_ONE - o[i]) * c[i]
                    dc *= _ONE - f[i]
                    dv[i] = (_ONE - v[i] * v[i]) * dc
                    df[i] = (before[i] - v[i]) * f[i] * dc


@njit(void(_cube, _cube, int64, int64, int64), **_OPTIONS)
def lstm_cells(Z, C, start, end, before):
    """One step of lstm.py for both directions. Z (2, n, 4 H): tanh of o / 2, i / 2, f / 2 and g; the halves become gates.

    start, end: the step's rows. before: where the rows of the step before start; it does not count in the first step.
    """
    H = C.shape[2]
    for direction in range(2):
        for row in range(start, end):
            z, c = Z[direction, row], C[direction, row]
            for j in range(3 * H):
                z[j] = z[j] * _HALF + _HALF
            i, f, g = z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            if start:
                past = C[direction, before + row - start]
                for j in range(H):
                    c[j] = i[j] * g[j] + f[j] * past[j]
            else:
                for j in range(H):
                    c[j] = i[j] * g[j]


@njit(void(_cube, _cube, _cube, _cube, _cube, int64, int64, int64, _cube), **_OPTIONS)
def backprop_lstm_cells(dH, gates, C, T, carried, start, end, before, D):
    """The gradient of one step: of its outputs dH (2, n, H) → before the gates' sigmoid and tanh, D (2, n, 4 H).

    carried: the gradient of the memory (2, docs, H) from the step after, which becomes that for the step before.
    """
    H = C.shape[2]
    nothing = np.zeros(H, np.float32)
    for direction in range(2):
        for row in range(start, end):
            z, d, dh, t = gates[direction, row], D[direction, row], dH[direction, row], T[direction, row]
            o, i, f, g = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            d_o, d_i, d_f, d_g = d[:H], d[H : 2 * H], d[2 * H : 3 * H], d[3 * H :]
            past, dc = C[direction, before + row - start] if start else nothing, carried[direction, row - start]
            for j in range(H):
                memory = dc[j] + o[j] * (_ONE - t[j] * t[j]) * dh[j]
                d_o[j] = t[j] * o[j] * (_ONE - o[j]) * dh[j]
                d_i[j] = g[j] * i[j] * (_ONE - i[j]) * memory
                d_f[j] = past[j] * f[j] * (_ONE - f[j]) * memory
                d_g[j] = i[j] * (_ONE - g[j] * g[j]) * memory
                dc[j] = memory * f[j]


# Trees: see trees.py


@njit(void(float64[:, ::1], _columns), **_OPTIONS)
def best_forest(into, heads):
    """`trees.spanning_tree` from the weights of all arcs: into (n, n + 1), overwritten → heads (n,)."""
    n = len(heads)
    target = np.empty((n, n + 1), np.int64)
    for i in range(n):
        target[i] = i
    row, group, parent = np.arange(2 * n), np.arange(n), np.full(2 * n, -1)
    arc_head, arc_token, path = np.zeros(2 * n, np.int64), np.zeros(2 * n, np.int64), np.zeros(2 * n, np.int64)
    weight = np.zeros(2 * n)
    is_done, on_path, is_inner = np.zeros(2 * n, np.bool_), np.zeros(2 * n, np.bool_), np.zeros(2 * n, np.bool_)
    n_nodes = n
    for first in range(n):
        if is_done[group[first]]:
            continue
        path[0], depth = group[first], 1
        on_path[path[0]] = True
        while True:
            node = path[depth - 1]
            arcs = into[row[node]]
            head = arcs.argmax()
            arc_head[node], arc_token[node], weight[node] = head, target[row[node], head], arcs[head]
            above = group[head] if head < n else -1
            if head == n or is_done[above]:
                for i in range(depth):
                    is_done[path[i]] = True
                break
            if not on_path[above]:
                path[depth] = above
                depth += 1
                on_path[above] = True
                continue
            at = 0
            while path[at] != above:
                at += 1
            new, whole = n_nodes, row[above]
            n_nodes += 1
            for column in range(n + 1):
                best, gain = above, into[whole, column] - weight[above]
                for i in range(at + 1, depth):
                    here = into[row[path[i]], column] - weight[path[i]]
                    if here > gain:
                        best, gain = path[i], here
                target[whole, column] = target[row[best], column]
                into[whole, column] = gain
            row[new] = whole
            for i in range(at, depth):
                is_inner[path[i]] = True
                parent[path[i]] = new
            for token in range(n):
                if is_inner[group[token]]:
                    into[whole, token] = -np.inf
                    group[token] = new
            path[at], depth = new, at + 1
            on_path[new] = True
    is_open = np.ones(n_nodes, np.bool_)
    for node in range(n_nodes - 1, -1, -1):  # from the outermost cycles to the tokens
        if is_open[node]:
            token = arc_token[node]
            heads[token] = token if arc_head[node] == n else arc_head[node]
            inner = token
            while inner != node:
                is_open[inner] = False
                inner = parent[inner]


# The tags' CRF: see crf.py


@njit(void(float64[:, ::1], _columns, _columns, float64[::1]), **_OPTIONS)
def marginals(E, starts, lengths, log_partition):
    """E (n, n_states), exp of the scores, becomes the states' probabilities; log_partition (n_docs,)."""
    n_labels = (E.shape[1] - 1) // 4
    longest = lengths.max() if len(lengths) else 0
    closed, opened = np.empty(longest), np.empty((longest, n_labels))  # mass before each token; sums to 1
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
        c = 1.0  # from here on: mass of the rest, given the state after a token
        o[:] = 0
        for t in range(n - 1, -1, -1):
            e = E[start + t]
            c_next = c * e[0]
            e[0] *= closed[t] * c
            whole, total = e[0], 0.0
            for x in range(n_labels):
                B, I, L, U = 1 + x, 1 + n_labels + x, 1 + 2 * n_labels + x, 1 + 3 * n_labels + x  # noqa: E741
                c_next += c * e[U] + o[x] * e[B]
                o_next = c * e[L] + o[x] * e[I]
                e[B] *= closed[t] * o[x]
                e[I] *= opened[t, x] * o[x]
                e[L] *= opened[t, x] * c
                e[U] *= closed[t] * c
                whole += e[B] + e[I] + e[L] + e[U]
                o[x] = o_next
                total += o_next
            total += c_next
            c = c_next / total
            for x in range(n_labels):
                o[x] /= total
            for state in range(e.size):
                e[state] /= whole


@njit(void(_matrix, _columns, _columns, _columns), **_OPTIONS)
def decode(S, starts, lengths, best):
    """Viterbi. Scores S (n, n_states) → the best legal sequence of states, best (n,). Ties as crf.decode breaks them."""
    n_labels = (S.shape[1] - 1) // 4
    longest = lengths.max() if len(lengths) else 0
    outside, came_from = np.empty(longest, np.int64), np.empty(longest, np.int64)
    continues = np.empty((longest, n_labels), np.uint8)
    o = np.empty(n_labels, np.float32)
    for doc in range(len(starts)):
        start, n = starts[doc], lengths[doc]
        c = _ZERO
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
        label = -1  # open after the token; docs end closed
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


# Embeddings


@njit(void(_matrix, _places, _matrix), **_OPTIONS)
def gather(E, places, Y):
    """Y[i] = sum over k of E[places[k, i]]. E (n_rows, width), places (k, n), Y (n, width)."""
    for i in range(len(Y)):
        y = Y[i]
        _copy(E[places[0, i]], y)
        for k in range(1, len(places)):
            e = E[places[k, i]]
            for j in range(y.size):
                y[j] += e[j]


@njit(void(_matrix, _places, _matrix), **_OPTIONS)
def scatter(dY, places, dE):
    """The gradient of `gather`, added to dE."""
    for k in range(len(places)):
        for i in range(len(dY)):
            d, e = dY[i], dE[places[k, i]]
            for j in range(d.size):
                e[j] += d[j]


@njit(int64(uint64[::1], uint64[::1], _columns), **_OPTIONS)
def distinct(values, found, places):
    """Write the distinct values to `found`, in order of first appearance, and where each value is among them to `places`.

    Returns how many there are. Probes a table of at least twice as many slots.
    """
    bits = 4
    while (1 << bits) < 2 * len(values):
        bits += 1
    slots = np.full(1 << bits, -1, np.int32)
    mask = (1 << bits) - 1
    n = 0
    for i in range(len(values)):
        value = values[i]
        slot = np.int64((value * _MULTIPLIER) >> np.uint64(64 - bits))
        while slots[slot] >= 0 and found[slots[slot]] != value:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = n
            found[n] = value
            n += 1
        places[i] = slots[slot]
    return n


@njit(int64(uint64[::1], _columns, _columns, int64, int64, _columns), **_OPTIONS)
def ngram_cells(hashes, starts, lengths, n_rows, max_order, cells):
    """2 (doc n_rows + row) + is_negative of every n-gram, see ngrams.py. Returns how many of `cells` were written."""
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


@njit(int64(_columns, int64, int32[::1], _vector, _columns, _columns), **_OPTIONS)
def split_cells(cells, n_rows, rows, signs, docs, counts):
    """Sorted cells → the row, sign and doc of each distinct one, and how many each doc has. Returns how many there are."""
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


@njit(void(uint32[:, ::1], int64, int64, _places, int64), **_OPTIONS)
def table_rows(hashes, n_rows, first_row, keys, start):
    """Four hashes a value (n, 4) → rows of a table of n_rows from first_row on, written to keys[:, start:] (4, …)."""
    for i in range(len(hashes)):
        for k in range(hashes.shape[1]):
            keys[k, start + i] = np.int64(hashes[i, k]) % n_rows + first_row


# Adam: see training/adam.py and training/lazy_rows.py


@njit(
    void(_vector, _vector, _vector, _vector, _vector, float32, float32, float32, float32, float32, float32, float32),
    **_OPTIONS,
)
def adam(w, g, m, v, a, keep1, keep2, eps, step_size, decay, catch_up, gradient_scale):
    """One step in place; the gradient is set to 0. a: the averages, or empty."""
    if len(a):
        for i in range(w.size):
            d = g[i] * gradient_scale
            g[i] = _ZERO
            mean, variance = m[i] * keep1 + d, v[i] * keep2 + d * d
            m[i], v[i] = mean, variance
            x = w[i] - mean / (np.sqrt(variance) + eps) * step_size
            x -= x * decay
            w[i] = x
            a[i] += (x - a[i]) * catch_up
    else:
        for i in range(w.size):
            d = g[i] * gradient_scale
            g[i] = _ZERO
            mean, variance = m[i] * keep1 + d, v[i] * keep2 + d * d
            m[i], v[i] = mean, variance
            x = w[i] - mean / (np.sqrt(variance) + eps) * step_size
            w[i] = x - x * decay


@njit(
    void(
        _matrix, _matrix, _matrix, _matrix, _columns, _matrix, float32, float32, float32, float32, float32, float32,
        float32,
    ),
    **_OPTIONS,
)  # fmt: skip
def adam_rows(W, M, V, A, rows, G, keep1, keep2, eps, step_size, decay, catch_up, gradient_scale):
    """The same for `rows` of a table whose gradient is G (n, nO). A: the averages, or no rows."""
    for i in range(len(rows)):
        row = rows[i]
        adam(
            W[row], G[i], M[row], V[row], A[row] if len(A) else W[row, :0], keep1, keep2, eps, step_size, decay, catch_up,
            gradient_scale,
        )  # fmt: skip


@njit(
    void(
        _matrix, _matrix, _matrix, _matrix, _columns, _columns, int64, int64, float64[:, ::1], float64[:, ::1], float32,
    ),
    **_OPTIONS,
)  # fmt: skip
def catch_up_rows(W, M, V, A, rows, last, origin, now, coefficients, fades, eps):
    """Leave `rows` and their state as dense steps up to `now` would have; they are up to date then, and `last` says so.

    last: the step each row of the table is up to date with. coefficients: u's fading, P, Q, A, B, C (6, steps since
    `origin`). fades: of mean and variance (2, age). A has no rows where no averages are kept.
    """
    for i in range(len(rows)):
        row = rows[i]
        at, age = last[row] - origin, now - last[row]
        if not age:
            continue
        last[row] = now
        w, mean, variance = W[row], M[row], V[row]
        p, q = np.float32(coefficients[1, at]), np.float32(coefficients[2, at])
        fade1, fade2 = np.float32(fades[0, age]), np.float32(fades[1, age])
        if len(A):
            average, a1, a2 = A[row], np.float32(coefficients[3, at]), np.float32(coefficients[4, at])
            a3 = np.float32(coefficients[5, at])
            for j in range(w.size):
                u = mean[j] / (np.sqrt(variance[j]) + eps)
                average[j] = average[j] * a1 + w[j] * a2 - u * a3
                w[j] = w[j] * p - u * q
                mean[j] *= fade1
                variance[j] *= fade2
        else:
            for j in range(w.size):
                u = mean[j] / (np.sqrt(variance[j]) + eps)
                w[j] = w[j] * p - u * q
                mean[j] *= fade1
                variance[j] *= fade2


@njit(void(float64[:, ::1], int64, float64, float64, float64, float64), **_OPTIONS)
def advance(coefficients, n, fading, step_size, decay, catch_up):
    """One more step for the first n of each coefficient, and the n-th at its start. See lazy_rows.History."""
    for i in range(n):
        u = coefficients[0, i] * fading
        p, q = coefficients[1, i] * (1 - decay), (coefficients[2, i] + step_size * u) * (1 - decay)
        coefficients[0, i], coefficients[1, i], coefficients[2, i] = u, p, q
        coefficients[3, i] *= 1 - catch_up
        coefficients[4, i] += catch_up * (p - coefficients[4, i])
        coefficients[5, i] += catch_up * (q - coefficients[5, i])
    coefficients[:, n] = 0
    coefficients[0, n] = coefficients[1, n] = coefficients[3, n] = 1
