"""Trees over the tokens of a doc, as heads: a token's head is a position in the doc, a root's is its own.

`decode` finds the best trees of many docs at once. The best head of each token, taken alone, is usually a tree already;
that is checked for all docs together, and only where there is a cycle does a maximum spanning arborescence run, doc by doc
(Chu and Liu, 1965; Edmonds, 1967; contraction in n² steps after Tarjan, 1977). Trees may be non-projective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]


def decode(
    scores: NDArray[Any], lengths: NDArray[np.integer[Any]], single_root: bool, kernels: Any | None = None
) -> Ints:
    """The trees with the highest sum of scores.

    scores: (n_docs, longest, longest), [d, i, j] of head j for token i, [d, i, i] of i as a root; what lies past a doc's
    length is not read. single_root: exactly one root a doc; otherwise any number, but at least one.
    Returns (n_docs, longest) heads; tokens past the length are their own head.
    """
    positions = np.arange(scores.shape[1])
    inside = positions < np.asarray(lengths)[:, None]  # (n_docs, longest)
    heads = (scores if inside.all() else np.where(inside[:, None, :], scores, -np.inf)).argmax(axis=2)
    heads = np.where(inside, heads, positions)
    wrong = ~are_trees(heads)
    if single_root:
        wrong |= ((heads == positions) & inside).sum(axis=1) != np.minimum(lengths, 1)
    for doc in np.flatnonzero(wrong).tolist():
        n = int(lengths[doc])
        heads[doc, :n] = spanning_tree(scores[doc, :n, :n], single_root, kernels)
    return heads


def are_trees(heads: Ints) -> NDArray[np.bool_]:
    """Whether following the heads leads every token to a root. (n_docs, longest) → (n_docs,)."""
    longest = heads.shape[1]
    ancestors = heads
    for _ in range(max(longest - 1, 1).bit_length()):
        ancestors = np.take_along_axis(ancestors, ancestors, axis=1)
    return (np.take_along_axis(heads, ancestors, axis=1) == ancestors).all(axis=1)


def roots_of(heads: Ints) -> Ints:
    """The root above each token of one doc. (n,) → (n,)."""
    roots = heads
    for _ in range(max(len(heads) - 1, 1).bit_length()):
        roots = roots[roots]
    return roots


def spanning_tree(scores: NDArray[Any], single_root: bool, kernels: Any | None = None) -> Ints:
    """The best tree (single_root) or forest of one doc. (n, n) scores as for `decode` → (n,) heads."""
    if single_root:
        # Fewer contractions; and where it has one root, there is no better tree.
        heads = spanning_tree(scores, False, kernels)
        if np.count_nonzero(heads == np.arange(len(heads))) <= 1:
            return heads
    into = _into(scores, single_root)
    if kernels is None:
        return _best_forest(into)
    heads = np.arange(len(scores))
    kernels.best_forest(into, heads)
    return heads


def _best_forest(into: NDArray[np.float64]) -> Ints:
    """The heads with the highest sum of weights: into (n, n + 1), see `_into`, overwritten → (n,)."""
    n = len(into)
    tokens = np.arange(n)
    target = np.repeat(tokens.astype("int32")[:, None], n + 1, axis=1)  # the token an arc enters
    # Nodes 0 … n - 1 are tokens; each contracted cycle is one more, and takes over the row of one of its members.
    row = np.arange(2 * n)  # of `into` and `target`, by node
    group = np.arange(n)  # of each token: the node that stands for it now
    parent = np.full(2 * n, -1)  # the node that a node was contracted into
    arc = np.zeros((2 * n, 2), dtype="intp")  # of each node: the best arc into it, as (head, token)
    weight = np.zeros(2 * n)
    is_done = np.zeros(2 * n, dtype=bool)  # a path from the root leads here
    on_path = np.zeros(2 * n, dtype=bool)
    is_inner = np.zeros(2 * n, dtype=bool)  # contracted
    columns = np.arange(n + 1)
    n_nodes = n
    for first in range(n):
        node = int(group[first])
        if is_done[node]:
            continue
        path = [node]
        on_path[node] = True
        while True:
            node = path[-1]
            arcs = into[row[node]]
            head = int(arcs.argmax())
            arc[node] = head, target[row[node], head]
            weight[node] = arcs[head]
            above = int(group[head]) if head < n else -1
            if head == n or is_done[above]:
                is_done[path] = True
                break
            if not on_path[above]:
                path.append(above)
                on_path[above] = True
                continue
            at = path.index(above)
            cycle = path[at:]
            rows = row[cycle]
            gain = into[rows] - weight[cycle, None]  # (k, n + 1) what entering here and breaking the cycle costs
            best = gain.argmax(axis=0)
            new, n_nodes = n_nodes, n_nodes + 1
            row[new] = rows[0]
            target[rows[0]] = target[rows[best], columns]
            into[rows[0]] = gain[best, columns]
            is_inner[cycle] = True
            members = np.flatnonzero(is_inner[group])
            into[rows[0], members] = -np.inf
            group[members] = new
            parent[cycle] = new
            del path[at:]
            path.append(new)
            on_path[new] = True
    return _expanded(arc[:n_nodes], parent, n)


def _into(scores: NDArray[Any], single_root: bool) -> NDArray[np.float64]:
    """(n, n + 1): the weight of each arc into each token. Columns 0 … n - 1 are tokens as heads, n the root above all roots.

    -inf never wins: every row has a root score.
    """
    n = len(scores)
    tokens = np.arange(n)
    into = np.empty((n, n + 1))
    into[:, :n] = scores
    into[:, n] = into[tokens, tokens]
    into[tokens, tokens] = -np.inf
    if single_root:
        # So dear that the best tree has as few as it can: one. Exact, as all trees with one root pay the same.
        into[:, n] -= (float(scores.max()) - float(scores.min()) + 1.0) * (n + 1)
    return into


def _expanded(arc: Ints, parent: Ints, n: int) -> Ints:
    """The heads of n tokens, once every node, a token or a contracted cycle, has its arc, (head, token)."""
    heads = np.arange(n)
    is_open = np.ones(len(arc), dtype=bool)
    for node in range(len(arc) - 1, -1, -1):  # from the outermost cycles to the tokens
        if not is_open[node]:
            continue
        head, token = arc[node].tolist()
        heads[token] = token if head == n else head
        inner = token
        while inner != node:  # whatever was contracted around the token is entered there
            is_open[inner] = False
            inner = int(parent[inner])
    return heads


def sentence_starts(heads: Sequence[int]) -> list[bool]:
    """Whether a sentence starts at each token: the finest cut of the doc into stretches that no tree crosses.

    Trees that stand side by side are a sentence each; a tree inside another (a bracket with a root of its own), or trees
    that interleave, share one. The heads must be trees.

    >>> sentence_starts([1, 1, 1, 3])
    [True, False, False, True]
    >>> sentence_starts([0, 1, 0])
    [True, False, False]
    """
    n = len(heads)
    if not n:
        return []
    roots = roots_of(np.asarray(heads, dtype="intp"))
    positions = np.arange(n)
    last = np.zeros(n, dtype="intp")
    np.maximum.at(last, roots, positions)
    reach = np.maximum.accumulate(last[roots])  # how far the trees go that began so far
    return [True, *(reach[:-1] < positions[1:]).tolist()]
