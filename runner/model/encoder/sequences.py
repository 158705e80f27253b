"""The word pieces of a batch as rows of one array, and which rows belong together.

Sequences of equal length stand one after the other, so that attention reads them as one (n, length, width) array, without
padding: no sequence's products hold another one's zeros. A text with more pieces than an encoder has positions for is read
in overlapping windows, cut between words; each word's vector comes from the window in which it stands farther from a cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d, Layout

Ints = NDArray[np.integer[Any]]


class WordPieces(NamedTuple):
    """The pieces of distinct words, one word after the other; each word has at least one."""

    ids: NDArray[np.int32]  # (sum of counts,)
    counts: NDArray[np.int64]  # (n_words,)


class Window(NamedTuple):
    """Tokens start … stop are read together; the vectors of tokens keep_from … keep_to are taken from there."""

    start: int
    stop: int
    keep_from: int
    keep_to: int


class Bucket(NamedTuple):
    """`n` sequences of `length` rows each, from row `start` on."""

    start: int
    n: int
    length: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.n * self.length)


@dataclass(frozen=True)
class Sequences:
    """A batch of pieces. ids: (n_rows,), special pieces included. first, counts: (n_tokens,) a token's first row, and rows."""

    ids: NDArray[np.int32]
    buckets: list[Bucket]
    first: NDArray[np.int64]
    counts: NDArray[np.int64]

    def rows(self, pooling: str) -> NDArray[np.int64] | None:
        """The row that is each token's vector: (n_tokens,), all distinct. None if the vector is a mean of several rows."""
        if pooling == "mean" and len(self.counts) and self.counts.max() > 1:
            return None
        return self.first + self.counts - 1 if pooling == "last" else self.first


class Pieces(NamedTuple):
    """Vectors of pieces, and what belongs together."""

    X: Floats2d  # (n_rows, width) float32
    sequences: Sequences


def sequences(
    words: WordPieces,
    inverse: Ints,
    layout: Layout,
    *,
    before: Sequence[int],
    after: Sequence[int],
    longest: int,
    overlap: int,
) -> Sequences:
    """The sequences of a batch of texts.

    words: pieces of the distinct words. inverse: (n_tokens,) the word of each token. before, after: ids of the special
    pieces around a sequence. longest: the most pieces of a sequence, special ones included; no word has more than a quarter
    of them. overlap: pieces that two windows share, about.
    """
    counts = words.counts[inverse]  # (n_tokens,)
    room = longest - len(before) - len(after)
    windows = [
        window
        for start, length in zip(layout.starts.tolist(), layout.lengths.tolist(), strict=True)
        for window in cut(counts, start, start + length, room, min(overlap, room // 2))
    ]
    bounds = np.concatenate([[0], np.cumsum(counts)])
    n_specials = len(before) + len(after)
    lengths = np.array([bounds[one.stop] - bounds[one.start] + n_specials for one in windows], dtype="int64")
    order = np.argsort(lengths, kind="stable")
    n_rows = int(lengths.sum())
    ids = np.empty(n_rows, dtype="int32")
    first = np.empty(layout.n_tokens, dtype="int64")
    of_word = np.cumsum(words.counts) - words.counts  # a word's first piece in words.ids
    begin = of_word[inverse]
    within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
    flat = words.ids[np.repeat(begin, counts) + within] if len(counts) else ids[:0]  # (pieces of all tokens,)
    row = 0
    for i in order.tolist():
        start, stop, keep_from, keep_to = windows[i]
        end = row + int(lengths[i])
        ids[row : row + len(before)] = before
        row += len(before)
        ids[row : end - len(after)] = flat[bounds[start] : bounds[stop]]
        first[keep_from:keep_to] = bounds[keep_from:keep_to] + (row - bounds[start])
        ids[end - len(after) : end] = after
        row = end
    return Sequences(ids, _buckets(lengths[order]), first, counts)


def cut(counts: Ints, start: int, stop: int, room: int, overlap: int) -> list[Window]:
    """The windows of one text, whose tokens are start … stop. room: the most pieces in a window.

    >>> cut(np.ones(10, int), 0, 10, room=6, overlap=2)
    [Window(start=0, stop=6, keep_from=0, keep_to=5), Window(start=4, stop=10, keep_from=5, keep_to=10)]
    """
    if start == stop:
        return []
    ends = np.cumsum(counts[start:stop])  # pieces up to and with each token
    if ends[-1] <= room:
        return [Window(start, stop, start, stop)]
    spans: list[tuple[int, int]] = []
    first = 0
    while True:
        before = int(ends[first - 1]) if first else 0
        end = int(np.searchsorted(ends, before + room, side="right"))
        spans.append((first, end))
        if end == len(ends):
            break
        first = max(int(np.searchsorted(ends, ends[end - 1] - overlap, side="right")), first + 1)
    middles = [(later[0] + earlier[1]) // 2 for earlier, later in zip(spans, spans[1:], strict=False)]
    keeps = zip([0, *middles], [*middles, len(ends)], strict=True)
    return [Window(start + a, start + b, start + c, start + d) for (a, b), (c, d) in zip(spans, keeps, strict=True)]


def _buckets(lengths: Ints) -> list[Bucket]:
    """Runs of equal lengths. lengths: ascending."""
    buckets, row = [], 0
    values, times = np.unique(lengths, return_counts=True)
    for length, n in zip(values.tolist(), times.tolist(), strict=True):
        buckets.append(Bucket(row, n, length))
        row += n * length
    return buckets
