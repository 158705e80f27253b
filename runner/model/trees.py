"""Trees over the tokens of a doc, as heads: a token's head is a position in the doc, a root's head its own position.

`decode` finds the best trees of many docs at once. The best heads of all tokens usually are a tree already; that is checked
for all docs together. Only docs with a cycle need a maximum spanning arborescence (Chu and Liu, 1965; Edmonds, 1967;
contraction in n² steps after Tarjan, 1977). Trees may be non-projective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Layout
from runner.model.ops import Ops

Ints = NDArray[np.intp]


def decode(ops: Ops, scores: NDArray[Any], lengths: NDArray[np.integer[Any]], *, single_root: bool) -> Ints:
    """Find the trees with the highest sum of scores.

    scores: (n_docs, longest, longest), [d, i, j] of head j for token i, [d, i, i] of i as a root; values past a doc's
    end are not read. single_root: exactly one root a doc; otherwise any number, but at least one.
    Returns (n_docs, longest) heads; tokens past a doc's end are their own heads.
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
        heads[doc, :n] = spanning_tree(ops, scores[doc, :n, :n], single_root=single_root)
    return heads


def are_trees(heads: Ints) -> NDArray[np.bool_]:
    """Whether every token reaches a root by following heads. (n_docs, longest) → (n_docs,)."""
    longest = heads.shape[1]
    ancestors = heads
    for _ in range(max(longest - 1, 1).bit_length()):
        ancestors = np.take_along_axis(ancestors, ancestors, axis=1)
    return (np.take_along_axis(heads, ancestors, axis=1) == ancestors).all(axis=1)


def roots_of(heads: Ints, longest: int | None = None) -> Ints:
    """The root above each token of one doc, or of several whose heads are positions among all tokens. (n,) → (n,).

    longest: tokens of the longest doc; None: there is one doc.
    """
    roots = heads
    for _ in range(max((longest or len(heads)) - 1, 1).bit_length()):
        roots = roots[roots]
    return roots


def spanning_tree(ops: Ops, scores: NDArray[Any], *, single_root: bool) -> Ints:
    """The best tree (single_root) or forest of one doc. (n, n) scores as for `decode` → (n,) heads."""
    if single_root:
        # A forest needs fewer contractions; if it has one root, it is the best tree.
        heads = spanning_tree(ops, scores, single_root=False)
        if np.count_nonzero(heads == np.arange(len(heads))) <= 1:
            return heads
    return _best_forest(ops, scores, 0.0 if not single_root else _root_penalty(scores))


def _root_penalty(scores: NDArray[Any]) -> float:
    """What every root pays, so high that the best tree has one root. Exact, as all trees with one root pay the same."""
    return (float(scores.max()) - float(scores.min()) + 1.0) * (len(scores) + 1)


def _best_forest(ops: Ops, scores: NDArray[Any], penalty: float) -> Ints:
    """The best forest of one doc. penalty: subtracted from every root score. (n, n) → (n,) heads.

    A token whose best heads lead to a root keeps its best head: no cycle can change it. So the search for a spanning
    forest sees the tokens on cycles and below them, which are few, and all tokens as their heads.
    """
    n = len(scores)
    tokens = np.arange(n)
    others = scores.copy()
    others[tokens, tokens] = -np.inf
    heads = others.argmax(axis=1)
    roots = scores.diagonal().astype("float64") - penalty
    heads = np.where(roots > others[tokens, heads], tokens, heads)
    tops = roots_of(heads)
    rows = np.flatnonzero(heads[tops] != tops)  # these tokens reach no root
    if len(rows):
        into = np.empty((len(rows), n + 1))  # the weight of each arc into a token; column n is the root above all roots
        into[:, :n] = others[rows]
        into[:, n] = roots[rows]
        ops.best_forest(into, rows, heads)
    return heads


def sentence_starts(heads: Sequence[int]) -> list[bool]:
    """Whether a sentence starts at each token of one doc: the finest cut of the doc that cuts no tree.

    Trees side by side are a sentence each. A tree inside another tree (a bracket with its own root) shares its sentence,
    and so do trees that interleave. The heads must be trees.

    >>> sentence_starts([1, 1, 1, 3])
    [True, False, False, True]
    >>> sentence_starts([0, 1, 0])
    [True, False, False]
    """
    starts: list[bool] = starts_in(np.asarray(heads, dtype="intp"), Layout([len(heads)])).tolist()
    return starts


def starts_in(heads: Ints, layout: Layout) -> NDArray[np.bool_]:
    """`sentence_starts` of all docs of a batch. heads: (n_tokens,) positions in the docs. Returns (n_tokens,)."""
    if not layout.n_tokens:
        return np.zeros(0, dtype=bool)
    tokens = np.arange(layout.n_tokens)
    roots = roots_of(heads + np.repeat(layout.starts, layout.lengths), int(layout.lengths.max()))
    last = np.zeros_like(tokens)
    last[roots] = tokens  # the last token of each tree: of several values for one place the last one stays
    reach = np.maximum.accumulate(last[roots])  # the last token of all trees that began so far
    return np.concatenate([[True], reach[:-1] < tokens[1:]])
