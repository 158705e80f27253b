"""Which columns of a packed array belong to which doc.

Hidden layers hold a batch feature-major: a float32 array (width, n_tokens) whose columns are the tokens of all docs, one
after the other. Rows are contiguous, so that maxout, layer norm and dropout are long vector operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats2d = NDArray[Any]
_ROWS = 64  # that `transposed` turns at a time


class Layout:
    """The lengths of the docs of one batch and what follows from them.

    >>> layout = Layout([2, 3])
    >>> layout.outside(-1).tolist(), layout.outside(1).tolist()
    ([0, 2], [1, 4])
    """

    def __init__(self, lengths: Sequence[int] | NDArray[np.integer]) -> None:
        self.lengths = np.asarray(lengths, dtype="int64")  # (n_docs,)
        ends = np.cumsum(self.lengths)
        self.starts = ends - self.lengths  # (n_docs,)
        self.n_tokens = int(ends[-1]) if len(ends) else 0
        self.position = np.arange(self.n_tokens) - np.repeat(self.starts, self.lengths)  # (n_tokens,) in its doc
        self._outside: dict[int, NDArray[np.intp]] = {}

    def outside(self, offset: int) -> NDArray[np.intp]:
        """The columns whose neighbour at `offset` lies in another doc, or in none."""
        if offset not in self._outside:
            if offset < 0:
                is_out = self.position < -offset
            else:
                is_out = np.repeat(self.lengths, self.lengths) - self.position <= offset
            self._outside[offset] = np.flatnonzero(is_out)
        return self._outside[offset]


class Packed(NamedTuple):
    """Columns and the docs they belong to."""

    X: Floats2d  # (width, n_tokens) float32
    layout: Layout


class Tokens(NamedTuple):
    """What the embedding layer reads: each distinct lexeme once, and where it stands."""

    features: NDArray[np.uint64]  # (n_lexemes, n_features) hashes of the lexemes' attributes
    inverse: NDArray[np.intp]  # (n_tokens,) row of `features`
    layout: Layout
    counts: NDArray[np.int64] | None = None  # (n_lexemes,) times the word was seen in training; None: all are known


def transposed(X: Floats2d, dtype: Any = None) -> Floats2d:
    """X.T in C order.

    Some rows at a time: numpy would go down whole columns, and rows a power of two long then share a few lines of the
    cache (2,800 rows of 256: ten times as long).
    """
    Y: Floats2d = np.empty(X.shape[::-1], dtype=dtype or X.dtype)
    for start in range(0, len(X), _ROWS):
        Y[:, start : start + _ROWS] = X[start : start + _ROWS].T
    return Y
