"""A table of static word vectors: the hashes of words, and one row of float16 for each, in one file that is mapped.

    magic, length of the header, header (JSON), padding to 64 bytes
    hashes   (n_words,) uint64, sorted: the 64 bits of BLAKE2b of each word (corpus/lexemes.py)
    rows     (n_words,) int32: a word's row of the matrix; several words may share one (see prune.py)
    matrix   (n_rows, dim) float16

All numbers are little-endian. A word is looked up as it is written, then in lower case; a word that is in the table in neither
form has no vector, and gets zeros. Vectors are multiplied by `scale`, so that the mean of all squares is 1 whoever made them:
what reads them starts from the same range of inputs.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from math import sqrt
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from runner.corpus.lexemes import hash64

Floats2d = NDArray[Any]
_MAGIC = b"runner.vectors.1\n"
_LENGTH = struct.Struct("<I")
_ALIGNMENT = 64
_MOST_HEADER = 1 << 16  # bytes
_MOST_WORDS = 500_000  # whose rows are remembered
_LARGEST = 65_504.0  # of float16


class VectorTable:
    """The table in `content`, the bytes of a file or a map of it. Raises ValueError if it is no whole table.

    n_words: that are found. dim: of a vector. Any number of threads may ask at once.
    """

    def __init__(self, content: bytes | memoryview | NDArray[np.uint8]) -> None:
        self.content = np.frombuffer(content, "uint8")
        header, start = _header(self.content)
        self.n_words, n_rows, self.dim = (_count(header, key) for key in ("n_words", "n_rows", "dim"))
        scale = header.get("scale")
        if not isinstance(scale, float) or not 0 < scale < 1e30:
            raise ValueError("the table has no scale")
        self._scale = np.float32(scale)
        arrays: list[NDArray[Any]] = []
        for dtype, shape in (("<u8", (self.n_words,)), ("<i4", (self.n_words,)), ("<f2", (n_rows, self.dim))):
            n_bytes = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object))
            if start + n_bytes > len(self.content):
                raise ValueError("the table is cut off")
            arrays.append(self.content[start : start + n_bytes].view(dtype).reshape(shape))
            start = _aligned(start + n_bytes)
        self._hashes, self._rows, self._matrix = arrays
        if self.n_words and not 0 <= self._rows.min() <= self._rows.max() < n_rows:
            raise ValueError("a word of the table has no row")
        self._known: dict[str, int] = {}

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each word, (n,); -1 for a word without a vector."""
        known = self._known
        if len(known) > _MOST_WORDS:
            self._known = known = {}
        for word in words:
            if word not in known:
                known[word] = self._row(word)
        return np.fromiter(map(known.__getitem__, words), "int64", len(words))

    def of(self, words: Sequence[str]) -> Floats2d:
        """The vector of each word, scaled: (n, dim) float32; zeros for a word without one."""
        rows = self.rows(words)
        V = self._matrix.take(np.maximum(rows, 0), axis=0).astype("float32")
        V *= self._scale
        V[rows < 0] = 0
        return V

    def _row(self, word: str) -> int:
        for form in (word, word.lower()):
            key = np.uint64(hash64(form))
            place = int(self._hashes.searchsorted(key))
            if place < self.n_words and self._hashes[place] == key:
                return int(self._rows[place])
        return -1


def write_table(
    file: BinaryIO, words: Sequence[str], rows: NDArray[np.integer[Any]], matrix: Floats2d, about: dict[str, Any]
) -> None:
    """Write a table. rows: (n_words,) of `matrix`, (n_rows, dim), which has one row at least. about: more for the header.

    The first of several equal words counts. Raises ValueError if a value is too large for float16, or all are zero.
    """
    hashes = np.fromiter(map(hash64, words), "uint64", len(words))
    hashes, first = np.unique(hashes, return_index=True)
    largest = float(abs(matrix).max()) if matrix.size else 0.0
    if not 0 < largest <= _LARGEST:
        raise ValueError("all values are zero" if not largest else f"a value is {largest:g}, too large for a vector")
    mean_square = (
        sum(float(np.square(part, dtype="float64").sum()) for part in np.array_split(matrix, 64)) / matrix.size
    )
    header = {
        **about, "n_words": len(hashes), "n_rows": len(matrix), "dim": matrix.shape[1], "scale": 1 / sqrt(mean_square)
    }  # fmt: skip
    text = json.dumps(header).encode("utf8")
    start = file.write(_MAGIC + _LENGTH.pack(len(text)) + text)
    arrays: tuple[Any, ...] = (
        hashes.astype("<u8"), np.asarray(rows)[first].astype("<i4"), np.ascontiguousarray(matrix, "<f2")
    )  # fmt: skip
    for array in arrays:
        start += file.write(bytes(_aligned(start) - start))
        start += file.write(memoryview(array).cast("B"))


def _aligned(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT


def _header(content: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin."""
    start = len(_MAGIC) + _LENGTH.size
    opening = content[:start].tobytes()
    if len(opening) < start or not opening.startswith(_MAGIC):
        raise ValueError("this is no table of vectors")
    (length,) = _LENGTH.unpack(opening[len(_MAGIC) :])
    if length > _MOST_HEADER or start + length > len(content):
        raise ValueError("the header is cut off")
    header = json.loads(content[start : start + length].tobytes())
    if not isinstance(header, dict):
        raise ValueError("the header is no mapping")
    return header, _aligned(start + length)


def _count(header: dict[str, Any], key: str) -> int:
    value = header.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise ValueError(f"{key} is {value!r:.40}")
    return value
