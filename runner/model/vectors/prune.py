"""Keep the vectors of the most frequent words, and give every other word the row of its nearest neighbour among them.

A table of 20,000 rows then knows as many words as one of 400,000 (the way of spaCy's `prune_vectors`). Nearest: by cosine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats2d = NDArray[Any]
_AT_ONCE = 1024  # words whose neighbours are looked for in one product


def nearest_rows(matrix: Floats2d, n_kept: int, tell: Callable[[int], None]) -> NDArray[np.int64]:
    """The row, below n_kept, for each row of `matrix`, (n, dim): its own, or that of its nearest neighbour. (n,).

    tell: is called with the number of rows done each time some are. A row of zeros gets row 0.
    """
    rows = np.arange(len(matrix))
    kept = _unit(matrix[:n_kept])
    for start in range(n_kept, len(matrix), _AT_ONCE):
        some = _unit(matrix[start : start + _AT_ONCE])
        rows[start : start + len(some)] = (some @ kept.T).argmax(axis=1)
        tell(len(some))
    return rows


def _unit(matrix: Floats2d) -> Floats2d:
    norms = np.sqrt(np.square(matrix, dtype="float32").sum(axis=1, keepdims=True))
    return np.asarray(matrix / np.maximum(norms, 1e-12), dtype="float32")
