"""Lexemes: each distinct word once, with the attributes that models embed.

Each doc looks its words up once and keeps their row numbers. BLAKE2b hashes each attribute to 64 bits: BLAKE2b needs no
table and gives the same value in every process.

Any number of threads may look words up at once. A table only grows, under its lock. A word is stored before its row is
handed out, and a longer column is filled before it replaces the shorter column. So a thread can read the word and the
filled attributes of a row without the lock. `count` and `learn` change stored counts: only training, in one thread,
calls both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
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
    """A dict of word → row. A new word gets the next row. `words` lists the words by row."""

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
                self[word] = row  # last: the row's word is stored already
            return row


class _Column:
    """An array that grows at its end. `values` is the filled part; callers of `extend` hold a lock."""

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
        self.values = self._room[:end]  # last: readers see filled values only


class Spelled(Sequence[str]):
    """The words of some rows of a table, listed when they are read.

    A row's word never changes, so that whoever computes something of each word may keep it by row.
    """

    def __init__(self, table: LexemeTable, rows: NDArray[np.int64]) -> None:
        self.table = table
        self.rows = rows  # (n,)

    @cached_property
    def _listed(self) -> list[str]:
        word = self.table.word
        return [word(row) for row in self.rows.tolist()]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self._listed[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def take(self, places: NDArray[np.integer[Any]]) -> Spelled:
        """The words at these places."""
        return Spelled(self.table, self.rows[places])


class LexemeTable:
    """Words by row, and their attributes. words: the training corpus's words, the first rows.

    Row numbers differ from table to table, so each batch uses one table from start to end.
    """

    def __init__(self, frequencies: dict[int, int], words: Sequence[str] = ()) -> None:
        self.key = object()  # docs keep this key beside their rows of the table
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

    def spelled(self, rows: NDArray[np.int64]) -> Spelled:
        """The words of these rows."""
        return Spelled(self, rows)

    def word(self, row: int) -> str:
        return self._words[row]

    def words_from(self, row: int) -> list[str]:
        """The words of this row and all after it."""
        return self._words[row:]

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
        """How often training saw the norm of each row: (n,), 0 for an unknown word."""
        if len(self._norm_of.values) < len(self._words):
            with self._lock:
                self._extend_counts()
        norms = self._norm_of.values[rows]  # first: counts are stored before norms
        return self._counts.values[norms]

    def counts_in(self, frequencies: Mapping[int, int], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often other training saw the norm of each row: (n,). frequencies: as for `Lexemes`."""
        norms = self.hashes("norm", rows).tolist()
        return np.fromiter((frequencies.get(norm, 0) for norm in norms), "int64", len(norms))

    def _extend_counts(self) -> None:
        fresh = self.hashes("norm", np.arange(len(self._norm_of.values), len(self._words))).tolist()
        numbers = [self._norms.setdefault(norm, len(self._norms)) for norm in fresh]
        n_new = len(self._norms) - len(self._counts.values)
        added = [self._frequencies.get(norm, 0) for norm in islice(reversed(self._norms), n_new)]  # last first
        self._counts.extend(np.array(added[::-1], dtype="int64"))
        self._norm_of.extend(np.array(numbers, dtype="int64"))

    def distinct(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The distinct rows (n,), and for each of `rows` its index among the distinct rows.

        The order depends on the given words alone, not on other words that this process has met: by row number if all
        words are in the training corpus, else (augmented words, say) all in order of appearance.
        """
        unique, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        if not len(unique) or unique[-1] < self._n_counted:
            return unique, inverse
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return unique[order], place[inverse]

    def count(self, docs: Sequence[Doc]) -> None:
        """Add these docs' words to the training corpus; each doc keeps its rows."""
        self._add(*np.unique(self.rows(docs), return_counts=True))

    def count_words(self, words: Sequence[str], times: Sequence[int]) -> None:
        """Add distinct words, in order of first appearance, and their counts to the training corpus."""
        rows = np.array(list(map(self._rows.__getitem__, words)), dtype="int64")
        self._add(rows, np.array(times, dtype="int64"))

    def _add(self, rows: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        for norm, n in zip(self.hashes("norm", rows).tolist(), times.tolist(), strict=True):
            self._frequencies[norm] = self._frequencies.get(norm, 0) + n
        self._n_counted = len(self._words)
        self._forget_counts()

    def add(self, counts: Mapping[int, int]) -> None:
        """Add the counts of earlier training: hash of a norm → times seen. The rows of the training corpus stay."""
        for norm, n in counts.items():
            self._frequencies[norm] = self._frequencies.get(norm, 0) + n
        self._forget_counts()

    def norms(self, docs: Sequence[Doc]) -> list[int]:
        """The hash of the norm of each distinct word of the docs."""
        return self.hashes("norm", np.unique(self.rows(docs))).tolist()

    def has_new(self, docs: Sequence[Doc]) -> bool:
        """Whether any word of the docs was never seen in training."""
        return not self.counts(np.unique(self.rows(docs))).all()

    def learn(self, docs: Sequence[Doc]) -> None:
        """Set the count of each word never seen to 1."""
        rows = np.unique(self.rows(docs))
        new = rows[self.counts(rows) == 0]
        if len(new):
            for norm in self.hashes("norm", new).tolist():
                self._frequencies[norm] = 1
            self._counts.values[self._norm_of.values[new]] = 1


class Lexemes:
    """A pipeline's table of words, and how often training saw each norm.

    `capacity` bounds the memory that an endless stream of new words takes: once a table has more than `capacity` words
    beside the training corpus's, later batches use a new table. frequencies: hash of a norm → times seen, at least 1;
    new tables share the frequencies.
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
            self._table = table = table.without_new()  # threads may race here: each gets a table that works
        return table

    def count(self, docs: Sequence[Doc]) -> None:
        """Add these docs' words to the frequencies; call once a training corpus."""
        self.table.count(docs)

    def count_words(self, words: Sequence[str], times: Sequence[int]) -> None:
        """Add distinct words, in order of first appearance, and their counts to the frequencies."""
        self.table.count_words(words, times)

    def learn(self, docs: Sequence[Doc]) -> None:
        """Set the count of each word never seen to 1."""
        self.table.learn(docs)

    def add(self, counts: Mapping[int, int]) -> None:
        """Add the counts of earlier training: hash of a norm → times seen."""
        self.table.add(counts)
