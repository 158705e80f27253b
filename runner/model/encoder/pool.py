"""From the vectors of pieces to the vector of each token: its first piece, its last, or the mean of its pieces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from runner.model.encoder.sequences import Sequences
from runner.model.layout import Floats2d

POOLING = ("first", "mean", "last")
Backprop = Callable[[Floats2d], Floats2d]


def pool(X: Floats2d, sequences: Sequences, how: str) -> tuple[Floats2d, Backprop]:
    """(n_rows, width) → (n_tokens, width). The rows of no token (special pieces, overlaps) get no gradient."""
    rows = sequences.rows(how)
    if rows is None:
        return _mean(X, sequences)

    def backprop(dY: Floats2d) -> Floats2d:
        dX = np.zeros_like(X)
        dX[rows] = dY  # no two tokens share a row
        return dX

    return X.take(rows, axis=0), backprop


def _mean(X: Floats2d, sequences: Sequences) -> tuple[Floats2d, Backprop]:
    first, counts = sequences.first, sequences.counts
    starts = np.cumsum(counts) - counts
    rows = np.repeat(first - starts, counts) + np.arange(counts.sum())  # of all tokens' pieces
    share = (1 / counts).astype(X.dtype)[:, None]
    Y = np.add.reduceat(X.take(rows, axis=0), starts, axis=0) * share

    def backprop(dY: Floats2d) -> Floats2d:
        dX = np.zeros_like(X)
        dX[rows] = np.repeat(dY * share, counts, axis=0)
        return dX

    return Y, backprop
