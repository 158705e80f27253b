"""What a tok2vec learns to tell of a hidden word: its known vector, or its letters.

VectorTargets      a unit vector of length dim; loss: squared distance; likeness: cosine
LetterTargets      the first and the last bytes of the word in UTF-8, each a softmax over 256; loss: cross entropy;
                   likeness: the share of bytes that are told right (the objective "characters" of spaCy's pretrain)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runner.model import losses
from runner.model.layout import Floats2d
from runner.model.vectors.static import StaticVectors

_BYTES = 256


class WordTargets(Protocol):
    """size: of a column of scores."""

    @property
    def size(self) -> int: ...

    def loss(self, Y: Floats2d, words: Sequence[str]) -> tuple[float, Floats2d]:
        """Scores (size, n) for n words → the loss, summed, and its gradient, divided by the words that have a target."""

    def likeness(self, Y: Floats2d, words: Sequence[str]) -> NDArray[np.float64]:
        """How like each word is what was told of it, (n,), at most 1; NaN for a word without a target."""


class VectorTargets:
    """The vectors of words, each divided by its length. A word without a vector is no target."""

    def __init__(self, vectors: StaticVectors) -> None:
        self.vectors = vectors

    @property
    def size(self) -> int:
        return self.vectors.dim

    def loss(self, Y: Floats2d, words: Sequence[str]) -> tuple[float, Floats2d]:
        T, is_known = self._units(words)
        dY = (Y - T.T) * is_known
        return float(np.square(dY, dtype="float64").sum()), 2 * dY / Y.dtype.type(max(int(is_known.sum()), 1))

    def likeness(self, Y: Floats2d, words: Sequence[str]) -> NDArray[np.float64]:
        """The cosine; 0 where nothing is told."""
        T, is_known = self._units(words)
        lengths = np.sqrt(np.square(Y, dtype="float64").sum(axis=0))
        cosines = (Y * T.T).sum(axis=0, dtype="float64") / np.maximum(lengths, 1e-12)
        return np.where(is_known, cosines, np.nan)

    def _units(self, words: Sequence[str]) -> tuple[Floats2d, NDArray[np.bool_]]:
        """Unit vectors (n, dim), zeros for a word without one; and whether each word has one, (n,)."""
        V = self.vectors.of(words)
        lengths = np.sqrt(np.square(V).sum(axis=1))
        return V / np.maximum(lengths, 1e-12)[:, None].astype(V.dtype), lengths > 0


class LetterTargets:
    """The first and the last `n` bytes of words in lower case; 0 stands where a word is shorter."""

    def __init__(self, n: int = 4) -> None:
        self.n = n

    @property
    def size(self) -> int:
        return 2 * self.n * _BYTES

    def loss(self, Y: Floats2d, words: Sequence[str]) -> tuple[float, Floats2d]:
        gold = self._gold(words)  # (2 n, n_words)
        P = losses.softmax(Y.reshape(2 * self.n, _BYTES, -1))
        part, word = np.indices(gold.shape)
        value = -float(np.log(np.maximum(P[part, gold, word], 1e-30), dtype="float64").sum())
        P[part, gold, word] -= 1
        return value, P.reshape(Y.shape) / Y.dtype.type(max(len(words), 1))

    def likeness(self, Y: Floats2d, words: Sequence[str]) -> NDArray[np.float64]:
        best = Y.reshape(2 * self.n, _BYTES, -1).argmax(axis=1)
        likeness: NDArray[np.float64] = (best == self._gold(words)).mean(axis=0)
        return likeness

    def _gold(self, words: Sequence[str]) -> NDArray[Any]:
        """(2 n, n_words): the first bytes, then the last, from the first to the last."""
        rows = bytearray()
        for word in words:
            content = word.lower().encode("utf8", "surrogatepass")
            rows += content[: self.n].ljust(self.n, b"\0") + content[-self.n :].rjust(self.n, b"\0")
        return np.frombuffer(bytes(rows), "uint8").reshape(len(words), 2 * self.n).T.astype("intp")
