"""Packed arrays: the tokens of all docs of a batch as columns, and which column belongs to which doc.

Hidden layers hold a batch feature-major, as a float32 array (width, n_tokens). Rows are contiguous, so that maxout, layer
norm and dropout are long vector operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats2d = NDArray[Any]
_ROWS = 64  # that `transposed` copies at a time


class Layout:
    """The lengths of a batch's docs, and the positions that follow from them.

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
        """The columns whose neighbour at `offset` is not in the same doc."""
        if offset not in self._outside:
            if offset < 0:
                is_out = self.position < -offset
            else:
                is_out = np.repeat(self.lengths, self.lengths) - self.position <= offset
            self._outside[offset] = np.flatnonzero(is_out)
        return self._outside[offset]


class Packed(NamedTuple):
    """A packed array and its docs."""

    X: Floats2d  # (width, n_tokens) float32
    layout: Layout


@runtime_checkable
class TableWords(Protocol):
    """Words that stand in rows of a table that only grows (corpus/lexemes.py): what is computed of them is kept by row."""

    rows: NDArray[np.int64]  # (n_words,)

    @property
    def table(self) -> WordTable: ...

    def take(self, places: NDArray[np.integer[Any]]) -> Sequence[str]:
        """The words at these places."""


class WordTable(Protocol):
    def __len__(self) -> int: ...

    def words_from(self, row: int) -> list[str]:
        """The words of this row and all after it."""


class Tokens(NamedTuple):
    """The input of the embedding layer: each distinct lexeme once, and the lexeme of each token."""

    features: NDArray[np.uint64]  # (n_lexemes, n_features) hashes of the lexemes' attributes
    inverse: NDArray[np.intp]  # (n_tokens,) row of `features`
    layout: Layout
    counts: NDArray[np.int64] | None = (
        None  # (n_lexemes,) times the word was seen in training; None: all words are known
    )
    words: Callable[[], Sequence[str]] | None = None  # the lexemes as text, for layers that cut them into pieces


def transposed(X: Floats2d, dtype: Any = None) -> Floats2d:
    """X.T in C order; a view if X is in Fortran order.

    Copies some rows at a time. numpy would walk whole columns, and if rows are a power of two long, these share a few
    lines of the cache (2,800 rows of 256 take ten times as long).
    """
    if X.flags.f_contiguous and dtype in (None, X.dtype):
        return X.T
    Y: Floats2d = np.empty(X.shape[::-1], dtype=dtype or X.dtype)
    for start in range(0, len(X), _ROWS):
        Y[:, start : start + _ROWS] = X[start : start + _ROWS].T
    return Y
