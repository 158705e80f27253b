"""Lexemes: each distinct word once, with the attributes that models embed.

A word is looked up once a doc; from then on it is a row number. Attributes are hashed to 64 bits with BLAKE2b, which
needs no table and gives the same value in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import islice

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

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def __missing__(self, word: str) -> int:
        self[word] = row = len(self.words)
        self.words.append(word)
        return row


class Lexemes:
    """word → row; attribute tables by row; and how often each norm was seen while training.

    `capacity` bounds the memory that an endless stream of new words takes: past it the rows start again, empty. What was
    learned of frequencies stays.
    """

    def __init__(self, capacity: int = 500_000) -> None:
        self._capacity = capacity
        self.frequencies: dict[int, int] = {}  # hash of a norm → times seen, at least 1
        self._start()

    def _start(self) -> None:
        self._rows = _Rows()
        self._words = self._rows.words
        self._hashes: dict[str, LongLongs] = {}  # attribute → (rows so far,)
        self._norms: dict[int, int] = {}  # hash of a norm → its number
        self._norm_of = np.zeros(0, dtype="int64")  # (rows so far,) number of the norm
        self._counts = np.zeros(0, dtype="int64")  # (norms so far,)
        self._generation = object()
        self._n_counted = 0  # rows of the training corpus: the same in every process that trains on it

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, docs: Sequence[Doc]) -> NDArray[np.int64]:
        """The row of each token of all docs, one after the other: (n_tokens,)."""
        if len(self._rows) > self._capacity:
            self._start()
        parts = [np.zeros(0, dtype="int64")]
        table = self._rows
        for doc in docs:
            cached = doc.lexeme_ids
            if cached is None or cached[0] is not self._generation:
                found = np.fromiter(map(table.__getitem__, doc.words), "int64", len(doc.words))
                doc.lexeme_ids = cached = (self._generation, found)
            parts.append(cached[1])
        return np.concatenate(parts)

    def hashes(self, attribute: str, rows: NDArray[np.int64]) -> LongLongs:
        """The attribute's hash for these rows: (n,) uint64."""
        known = self._hashes.get(attribute)
        n_known = 0 if known is None else len(known)
        if known is None or n_known < len(self._rows):
            compute = ATTRIBUTES[attribute]
            words = self._words[n_known:]
            fresh = np.fromiter((hash64(compute(word)) for word in words), "uint64", len(words))
            known = self._hashes[attribute] = fresh if known is None else np.concatenate([known, fresh])
        return known[rows]

    def counts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often the norms of these rows were seen while training: (n,), 0 for an unknown word."""
        if len(self._norm_of) < len(self._rows):
            fresh = self.hashes("norm", np.arange(len(self._norm_of), len(self._rows))).tolist()
            numbers = [self._norms.setdefault(norm, len(self._norms)) for norm in fresh]
            self._norm_of = np.concatenate([self._norm_of, np.array(numbers, dtype="int64")])
            norms = islice(reversed(self._norms), len(self._norms) - len(self._counts))  # the new ones, last first
            added = [self.frequencies.get(norm, 0) for norm in norms][::-1]
            self._counts = np.concatenate([self._counts, np.array(added, dtype="int64")])
        return self._counts[self._norm_of[rows]]

    def count(self, docs: Sequence[Doc]) -> None:
        """Add these docs' words to the frequencies; done once with a training corpus."""
        self._add(*np.unique(self.rows(docs), return_counts=True))

    def count_words(self, words: Sequence[str], times: Sequence[int]) -> None:
        """The same with distinct words, in order of first appearance, and how often each occurs."""
        rows = list(map(self._rows.__getitem__, words))
        self._add(np.array(rows, dtype="int64"), np.array(times, dtype="int64"))

    def distinct(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Each row once, and where the given ones are among these: (n,), and as many as `rows`.

        In an order that is a function of the words alone, not of which other words this process has met before: rows of
        the training corpus by number; as soon as there are others (augmented words, say), all in order of appearance.
        """
        found, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        if not len(found) or found[-1] < self._n_counted:
            return found, inverse
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return found[order], place[inverse]

    def _add(self, rows: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        for norm, n in zip(self.hashes("norm", rows).tolist(), times.tolist(), strict=True):
            self.frequencies[norm] = self.frequencies.get(norm, 0) + n
        self._n_counted = len(self._rows)
        self.refresh()

    def learn(self, docs: Sequence[Doc]) -> None:
        """Words that were never seen have been seen once from now on."""
        rows = np.unique(self.rows(docs))
        new = rows[self.counts(rows) == 0]
        if len(new):
            for norm in self.hashes("norm", new).tolist():
                self.frequencies[norm] = 1
            self._counts[self._norm_of[new]] = 1

    def refresh(self) -> None:
        """Read the counts from `frequencies` again, after it was changed from outside."""
        self._norms = {}
        self._norm_of = np.zeros(0, dtype="int64")
        self._counts = np.zeros(0, dtype="int64")
