"""The best spanning forest of one doc (model/trees.py). The compiled loop is in kernels/trees.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

Ints = NDArray[np.intp]


class TreeOps(NumpyOps):
    """`best_forest`."""

    def best_forest(self, into: NDArray[np.float64], open_tokens: Ints, heads: Ints) -> None:
        """Write the heads with the highest sum of weights for the tokens `open_tokens`; the other tokens' heads are final.

        into: (len(open_tokens), n + 1), the weight of each arc into these tokens, overwritten; column n is the root above
        all roots. open_tokens: ascending. heads: (n,); the other tokens' heads lead to a root.
        """
        n = len(heads)
        target = np.repeat(open_tokens.astype("int32")[:, None], n + 1, axis=1)  # the token an arc enters
        # Nodes 0 … n - 1 are tokens. Each contracted cycle is a new node, and takes over the row of one of its members.
        row = np.zeros(2 * n, dtype="intp")  # of `into` and `target`, by node
        row[open_tokens] = np.arange(len(open_tokens))
        group = np.arange(n)  # of each token: the node that stands for it now
        parent = np.full(2 * n, -1)  # the node that a node was contracted into
        arc = np.zeros((2 * n, 2), dtype="intp")  # of each node: the best arc into it, as (head, token)
        weight = np.zeros(2 * n)
        is_done = np.ones(2 * n, dtype=bool)  # a path from the root leads here
        is_done[open_tokens] = is_done[n:] = False
        on_path = np.zeros(2 * n, dtype=bool)
        is_inner = np.zeros(2 * n, dtype=bool)  # contracted
        columns = np.arange(n + 1)
        n_nodes = n
        for first in open_tokens.tolist():
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
                gain = into[rows] - weight[cycle, None]  # (k, n + 1) the cost of entering here and breaking the cycle
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
        _expand(arc, parent, [*range(n_nodes - 1, n - 1, -1), *open_tokens[::-1].tolist()], heads)


def _expand(arc: Ints, parent: Ints, nodes: Sequence[int], heads: Ints) -> None:
    """Write the heads of tokens, from the arc (head, token) into every node: a token or a contracted cycle.

    nodes: from the outermost cycles to the tokens.
    """
    is_open = np.ones(len(arc), dtype=bool)
    for node in nodes:
        if not is_open[node]:
            continue
        head, token = arc[node].tolist()
        heads[token] = token if head == len(heads) else head
        inner = token
        while inner != node:  # cycles contracted around the token are entered through it
            is_open[inner] = False
            inner = int(parent[inner])
