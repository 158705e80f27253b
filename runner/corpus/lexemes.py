"""Lexemes: each distinct word once, with the attributes that models embed.

A word is looked up once a doc; from then on it is a row number. Attributes are hashed to 64 bits with BLAKE2b, which
needs no table and gives the same value in every process.

Any number of threads may look words up at once. A table only grows, and it grows under its lock; a row is handed out
after its word is there, and a column is replaced by a longer one after that is filled. So whoever holds a row can read
all that belongs to it without waiting. `count` and `learn` change what was there before: they belong to training, which
one thread does alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import islice
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc

LongLongs = NDArray[np.uint64]


def shape(word: str) -> str:
    """Letters as x or X, digits as d, runs cut after four.

    >>> shape("Apple"), shape("C3PO"), shape("2014"), shape("e-mail")
    ('Xxxxx', 'XdXX', 'dddd', 'x-xxxx')
    """
    out: list[str] = []
    run, last = 0, ""
    for character in word[:100]:
        if character.isalpha():
            kind = "X" if character.isupper() else "x"
        else:
            kind = "d" if character.isdigit() else character
        run = run + 1 if kind == last else 1
        last = kind
        if run <= 4:
            out.append(kind)
    return "".join(out)


ATTRIBUTES: dict[str, Callable[[str], str]] = {
    "orth": lambda word: word,
    "norm": lambda word: word.lower(),
    "prefix": lambda word: word[0],
    "prefix2": lambda word: word[:2],
    "prefix3": lambda word: word[:3],
    "suffix": lambda word: word[-3:],
    "suffix2": lambda word: word[-2:],
    "suffix4": lambda word: word[-4:],
    "shape": shape,
}


def hash64(text: str) -> int:
    """64 bits of BLAKE2b of the text in UTF-8 (lone surrogates kept)."""
    return int.from_bytes(blake2b(text.encode("utf8", "surrogatepass"), digest_size=8).digest(), "little")


class _Rows(dict[str, int]):
    """word → row; a word that is asked for the first time gets the next one. words: by row."""

    def __init__(self, words: Sequence[str], lock: RLock) -> None:
        super().__init__(zip(words, range(len(words)), strict=True))
        self.words = list(words)
        self._lock = lock

    def __missing__(self, word: str) -> int:
        with self._lock:
            row = self.get(word)  # another thread may have been faster
            if row is None:
                row = len(self.words)
                self.words.append(word)
                self[word] = row  # last: whoever finds a row finds its word
            return row


class _Column:
    """An array that grows at its end. `values` holds what is there so far; `extend` is called under a lock."""

    __slots__ = ("_room", "values")

    def __init__(self, dtype: str) -> None:
        self.values: NDArray[Any] = np.zeros(0, dtype)  # a view of the first part of _room
        self._room = self.values

    def extend(self, fresh: NDArray[Any]) -> None:
        n = len(self.values)
        end = n + len(fresh)
        if end > len(self._room):
            room = np.empty(max(2 * n, end), self._room.dtype)
            room[:n] = self.values
            self._room = room
        self._room[n:end] = fresh
        self.values = self._room[:end]  # last: whoever reads sees filled values only


class LexemeTable:
    """Words by row, and their attributes. words: those of the training corpus, which come first.

    The rows of one table mean nothing to another, so a batch keeps to the table that it began with.
    """

    def __init__(self, frequencies: dict[int, int], words: Sequence[str] = ()) -> None:
        self.key = object()  # what docs remember of the table their rows belong to
        self._lock = RLock()
        self._rows = _Rows(words, self._lock)
        self._words = self._rows.words
        self._frequencies = frequencies  # hash of a norm → times seen in training, at least 1
        self._hashes = {attribute: _Column("uint64") for attribute in ATTRIBUTES}
        self._n_counted = len(words)  # rows of the training corpus: the same in every process that trains on it
        self._forget_counts()

    def _forget_counts(self) -> None:
        self._norms: dict[int, int] = {}  # hash of a norm → its number
        self._norm_of = _Column("int64")  # by row: number of the norm
        self._counts = _Column("int64")  # by number of the norm

    def __len__(self) -> int:
        return len(self._words)

    @property
    def n_new(self) -> int:
        """The number of words that are not in the training corpus."""
        return len(self._words) - self._n_counted

    def without_new(self) -> LexemeTable:
        """A table of the training corpus's words alone, in the same rows."""
        return LexemeTable(self._frequencies, self._words[: self._n_counted])

    def rows(self, docs: Sequence[Doc]) -> NDArray[np.int64]:
        """The row of each token of all docs, one after the other: (n_tokens,)."""
        parts = [np.zeros(0, dtype="int64")]
        table = self._rows
        for doc in docs:
            cached = doc.lexeme_ids
            if cached is None or cached[0] is not self.key:
                rows = np.fromiter(map(table.__getitem__, doc.words), "int64", len(doc.words))
                doc.lexeme_ids = cached = (self.key, rows)
            parts.append(cached[1])
        return np.concatenate(parts)

    def hashes(self, attribute: str, rows: NDArray[np.int64]) -> LongLongs:
        """The attribute's hash for these rows: (n,) uint64."""
        column = self._hashes[attribute]
        if len(column.values) < len(self._words):
            with self._lock:
                compute = ATTRIBUTES[attribute]
                words = self._words[len(column.values) :]
                column.extend(np.fromiter((hash64(compute(word)) for word in words), "uint64", len(words)))
        return column.values[rows]

    def counts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often the norms of these rows were seen while training: (n,), 0 for an unknown word."""
        if len(self._norm_of.values) < len(self._words):
            with self._lock:
                self._extend_counts()
        norms = self._norm_of.values[rows]  # first: a norm's count is there before the norm is
        return self._counts.values[norms]

    def _extend_counts(self) -> None:
        fresh = self.hashes("norm", np.arange(len(self._norm_of.values), len(self._words))).tolist()
        numbers = [self._norms.setdefault(norm, len(self._norms)) for norm in fresh]
        n_new = len(self._norms) - len(self._counts.values)
        added = [self._frequencies.get(norm, 0) for norm in islice(reversed(self._norms), n_new)]  # last first
        self._counts.extend(np.array(added[::-1], dtype="int64"))
        self._norm_of.extend(np.array(numbers, dtype="int64"))

    def distinct(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Each row once, and where the given ones are among these: (n,), and as many as `rows`.

        In an order that is a function of the words alone, not of which other words this process has met before: rows of
        the training corpus by number; as soon as there are others (augmented words, say), all in order of appearance.
        """
        unique, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        if not len(unique) or unique[-1] < self._n_counted:
            return unique, inverse
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return unique[order], place[inverse]

    def count(self, docs: Sequence[Doc]) -> None:
        """Add these docs' words to the training corpus; the docs remember their rows."""
        self._add(*np.unique(self.rows(docs), return_counts=True))

    def count_words(self, words: Sequence[str], times: Sequence[int]) -> None:
        """Add distinct words, in order of first appearance, to the training corpus, and how often each occurs."""
        rows = np.array(list(map(self._rows.__getitem__, words)), dtype="int64")
        self._add(rows, np.array(times, dtype="int64"))

    def _add(self, rows: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        for norm, n in zip(self.hashes("norm", rows).tolist(), times.tolist(), strict=True):
            self._frequencies[norm] = self._frequencies.get(norm, 0) + n
        self._n_counted = len(self._words)
        self._forget_counts()

    def learn(self, docs: Sequence[Doc]) -> None:
        """Set the count of every word that was never seen to 1."""
        rows = np.unique(self.rows(docs))
        new = rows[self.counts(rows) == 0]
        if len(new):
            for norm in self.hashes("norm", new).tolist():
                self._frequencies[norm] = 1
            self._counts.values[self._norm_of.values[new]] = 1


class Lexemes:
    """The table that a pipeline looks words up in, and how often each norm was seen while training.

    `capacity` bounds the memory that an endless stream of new words takes: when a table has that many beside the
    training corpus's, batches that begin from then on use a new one. frequencies: hash of a norm → times seen, at
    least 1; they stay.
    """

    def __init__(self, frequencies: dict[int, int] | None = None, capacity: int = 500_000) -> None:
        self.frequencies = frequencies if frequencies is not None else {}
        self._capacity = capacity
        self._table = LexemeTable(self.frequencies)

    @property
    def table(self) -> LexemeTable:
        """The table to use for one batch."""
        table = self._table
        if table.n_new > self._capacity:
            self._table = table = table.without_new()  # by several threads at once: each has a table that works
        return table

    def count(self, docs: Sequence[Doc]) -> None:
        """Add these docs' words to the frequencies; done once with a training corpus."""
        self.table.count(docs)

    def count_words(self, words: Sequence[str], times: Sequence[int]) -> None:
        """Add distinct words, in order of first appearance, and their counts to the frequencies."""
        self.table.count_words(words, times)

    def learn(self, docs: Sequence[Doc]) -> None:
        """Set the count of every word that was never seen to 1."""
        self.table.learn(docs)
