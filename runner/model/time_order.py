"""A batch's tokens in time order, for layers that step from position to position through all docs at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Layout

Ints = NDArray[np.intp]


class TimeOrder:
    """All first tokens, then all second tokens, …; docs longest first, so that docs still running are the first rows of a step.

    `columns` (n_tokens,) lists the tokens' columns in that order; step t is columns[bounds[t]:bounds[t + 1]], the first
    bounds[t + 1] - bounds[t] docs of `docs`.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.docs = np.argsort(-layout.lengths, kind="stable")
        sorted_lengths = layout.lengths[self.docs]
        self.docs = self.docs[sorted_lengths > 0]
        sorted_lengths = sorted_lengths[sorted_lengths > 0]
        longest = int(sorted_lengths[0]) if len(sorted_lengths) else 0
        counts = np.searchsorted(-sorted_lengths, -np.arange(longest), side="left")  # docs longer than t
        self.bounds = [0, *np.cumsum(counts).tolist()]
        step = np.repeat(np.arange(longest), counts)
        self.rank = np.arange(layout.n_tokens) - np.repeat(np.array(self.bounds[:-1], dtype="int64"), counts)
        self.columns = layout.starts[self.docs][self.rank] + step  # (n_tokens,)

    @property
    def both_directions(self) -> Ints:
        """(2, n_tokens): `columns`, and the columns in time order if every doc is read backwards."""
        layout = self.layout
        mirror = np.repeat(2 * layout.starts + layout.lengths - 1, layout.lengths) - np.arange(layout.n_tokens)
        return np.stack([self.columns, mirror[self.columns]])

    @property
    def previous(self) -> Ints:
        """For each row from the second step on: the row of the same doc in the step before."""
        if len(self.bounds) < 3:
            return np.zeros(0, dtype="intp")
        counts = np.diff(self.bounds)
        return self.rank[self.bounds[1] :] + np.repeat(self.bounds[:-2], counts[1:])
