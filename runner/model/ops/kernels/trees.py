"""Spanning trees. numpy version: ops/trees.py."""

from __future__ import annotations

import numpy as np
from numba import njit, void

from runner.model.ops.kernels import types
from runner.model.ops.kernels.types import OPTIONS


@njit(void(types.longs, types.longs, types.longs, types.longs, types.longs), **OPTIONS)
def _expand(arc_head, arc_token, parent, open_tokens, heads):
    """Expand contracted cycles into `heads`, as `_expand` of ops/trees.py."""
    n_cycles = len(arc_head) - len(heads)
    is_open = np.ones(len(arc_head), np.bool_)
    for i in range(n_cycles + len(open_tokens)):  # from the outermost cycles to the tokens
        node = len(arc_head) - 1 - i if i < n_cycles else open_tokens[n_cycles + len(open_tokens) - 1 - i]
        if is_open[node]:
            token = arc_token[node]
            heads[token] = token if arc_head[node] == len(heads) else arc_head[node]
            inner = token
            while inner != node:
                is_open[inner] = False
                inner = parent[inner]


@njit(void(types.double_matrix, types.longs, types.longs), **OPTIONS)
def best_forest(into, open_tokens, heads):
    """Write the best heads of the tokens `open_tokens`; ops/trees.py explains all variables. into: overwritten."""
    n = len(heads)
    target = np.empty((len(open_tokens), n + 1), np.int64)
    row, group, parent = np.zeros(2 * n, np.int64), np.arange(n), np.full(2 * n, -1)
    arc_head, arc_token, path = np.zeros(2 * n, np.int64), np.zeros(2 * n, np.int64), np.zeros(2 * n, np.int64)
    weight = np.zeros(2 * n)
    is_done, on_path, is_inner = np.ones(2 * n, np.bool_), np.zeros(2 * n, np.bool_), np.zeros(2 * n, np.bool_)
    is_done[n:] = False
    for i in range(len(open_tokens)):
        row[open_tokens[i]], target[i], is_done[open_tokens[i]] = i, open_tokens[i], False
    n_nodes = n
    for first in open_tokens:
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
    _expand(arc_head[:n_nodes], arc_token, parent, open_tokens, heads)
