"""Examples that stay on disk: each access to examples[i] makes an example from the arrays of a file.

    examples = PackedExamples(PackedDocs(Arrays(path), [the packed data files]))
    examples[630_000].reference.tags

In memory are some bytes per doc, and the pages that the operating system caches while nobody else needs the memory. Making
an example costs at most a microsecond per word, because annotations are decoded at their first use. Every access makes a new
object: keep the object if changes and caches in it matter. writer.py writes the file, packing.py decides when.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import overload

import numpy as np

from runner.corpus.alignment import Alignment
from runner.corpus.example import Example
from runner.corpus.packed import writer as packer
from runner.corpus.packed.arrays import StoredArray
from runner.corpus.packed.docs import Ints, PackedDocs

_SCAN = 1 << 20  # words that are scanned at once


class StoredExamples(Sequence[Example]):
    """Examples that are made at each access, so that what must be known of all of them is asked at once."""

    @property
    @abstractmethod
    def n_words(self) -> Ints:
        """The number of predicted tokens of each example: (n_examples,)."""

    @abstractmethod
    def covering(self) -> Sequence[Example]:
        """A few of these examples that together hold every tag, universal tag, label and category of all of them."""

    @abstractmethod
    def word_counts(self) -> tuple[list[str], list[int]]:
        """(words, counts): the distinct predicted tokens, in order of first appearance, and how often each occurs."""


class JoinedExamples(StoredExamples):
    """The examples of several sequences, one after the other; some of them packed."""

    def __init__(self, parts: Sequence[Sequence[Example]]) -> None:
        self.parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self.parts]).tolist()

    @overload
    def __getitem__(self, i: int) -> Example: ...

    @overload
    def __getitem__(self, i: slice) -> list[Example]: ...

    def __getitem__(self, i: int | slice) -> Example | list[Example]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        at = bisect_right(self._ends, i)
        return self.parts[at][i - (self._ends[at - 1] if at else 0)]

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends else 0

    def __iter__(self) -> Iterator[Example]:
        return chain.from_iterable(self.parts)

    @cached_property
    def n_words(self) -> Ints:
        return np.concatenate([n_words(part) for part in self.parts])

    def covering(self) -> list[Example]:
        return [x for part in self.parts for x in (part.covering() if isinstance(part, StoredExamples) else part)]

    def word_counts(self) -> tuple[list[str], list[int]]:
        counts: Counter[str] = Counter()
        for part in self.parts:
            if isinstance(part, StoredExamples):
                words, times = part.word_counts()
                counts.update(dict(zip(words, times, strict=True)))
            else:
                counts.update(word for example in part for word in example.predicted.words)
        return list(counts), list(counts.values())


class PackedExamples(StoredExamples):
    """Examples of docs of a packed file. numbers: which docs, in this order; None: all."""

    def __init__(self, docs: PackedDocs, numbers: Ints | None = None) -> None:
        self.docs = docs
        self.numbers = np.arange(len(docs)) if numbers is None else numbers  # (n_examples,)
        self._covering: PackedExamples | None = None

    @overload
    def __getitem__(self, i: int) -> Example: ...

    @overload
    def __getitem__(self, i: slice) -> PackedExamples: ...

    def __getitem__(self, i: int | slice) -> Example | PackedExamples:
        if isinstance(i, slice):
            return PackedExamples(self.docs, self.numbers[i])
        number = int(self.numbers[i])
        reference, predicted = self.docs.reference(number), self.docs.predicted(number)
        if self.docs.predicted_words is not self.docs.words:
            return Example(predicted, reference)
        words = predicted.words
        return Example(predicted, reference, alignment=Alignment(words, words, is_identical=True))

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Example]:
        return (self[i] for i in range(len(self)))

    def without(self, start: int, end: int) -> PackedExamples:
        """These examples without those from `start` to `end` (exclusive)."""
        return PackedExamples(self.docs, np.delete(self.numbers, slice(start, end)))

    @cached_property
    def n_words(self) -> Ints:
        """The number of predicted tokens of each example, without making the examples: (n_examples,)."""
        lengths: Ints = np.diff(self.docs.predicted_words.starts)[self.numbers]
        return lengths

    def per_file(self) -> list[tuple[int, int]]:
        """(number of docs, number of reference words) of each data file among these examples."""
        lengths = np.diff(self.docs.words.starts)[self.numbers]
        files = np.searchsorted(self.docs.file_starts, self.numbers, side="right") - 1
        n_files = len(self.docs.n_docs_of)
        n_docs, n_words = np.bincount(files, minlength=n_files), np.bincount(files, lengths, minlength=n_files)
        return [(int(n), int(words)) for n, words in zip(n_docs, n_words, strict=True)]

    def word_counts(self) -> tuple[list[str], list[int]]:
        """(words, counts): the distinct predicted tokens, in order of first appearance, and how often each occurs."""
        words = self.docs.predicted_words
        times = np.zeros(len(words.strings), dtype="int64")
        for numbers, _ in self._scan(words.numbers, words.starts):
            times += np.bincount(numbers, minlength=len(times))
        seen = list(self._first_seen(words.numbers, words.starts, len(times)))
        return [words.strings[i] for i in seen], times[seen].tolist()

    def covering(self) -> PackedExamples:
        """A few of these examples that together hold every tag, universal tag, label and category of all of them.

        The columns are read once; the answer is kept.
        """
        if self._covering is None:
            self._covering = self._covered()
        return self._covering

    def _covered(self) -> PackedExamples:
        arrays, docs = self.docs.arrays, self.docs
        chosen: set[int] = set()
        for name in packer.LAYERS:
            if name in arrays:
                starts = docs.words.starts
                chosen.update(self._docs_at(starts, self._first_seen(arrays[name], starts, len(docs.table(name)))))
        for name, numbers in (("span", arrays["span"][2::3]), ("cat", arrays["cat"][:])):
            starts = np.concatenate([np.zeros(1, dtype="int64"), arrays[f"{name}_end"][:].astype("int64")])
            table = docs.table("ents" if name == "span" else "cats")
            chosen.update(self._docs_at(starts, self._first_seen(numbers, starts, len(table))))
        return PackedExamples(docs, np.array(sorted(chosen), dtype="int64"))

    def _docs_at(self, starts: Ints, first_seen: dict[int, int]) -> list[int]:
        positions: list[int] = (np.searchsorted(starts, list(first_seen.values()), side="right") - 1).tolist()
        return positions

    def _scan(self, values: Ints | StoredArray, starts: Ints) -> Iterator[tuple[Ints, int]]:
        """(values, position in the column) of these docs, in pieces of bounded size."""
        breaks = np.flatnonzero(np.diff(self.numbers) != 1) + 1
        firsts = np.concatenate([[0], breaks]).astype("int64")
        lasts = np.concatenate([breaks, [len(self.numbers)]]).astype("int64") - 1
        if not len(self.numbers):
            return
        for first, last in zip(self.numbers[firsts].tolist(), self.numbers[lasts].tolist(), strict=True):
            for position in range(int(starts[first]), int(starts[last + 1]), _SCAN):
                yield values[position : min(position + _SCAN, int(starts[last + 1]))], position

    def _first_seen(self, values: Ints | StoredArray, starts: Ints, n: int) -> dict[int, int]:
        """Map each string number (1 … n-1) in these docs to its first position in the column, ordered by position."""
        is_new = np.ones(n, dtype="bool")
        is_new[0] = False
        first_seen: dict[int, int] = {}
        for numbers, position in self._scan(values, starts):
            at = np.flatnonzero(is_new[numbers])
            distinct, first = np.unique(numbers[at], return_index=True)
            for i in np.argsort(first, kind="stable").tolist():
                first_seen[int(distinct[i])] = position + int(at[first[i]])
            is_new[distinct] = False
        return first_seen


def n_words(examples: Sequence[Example]) -> Ints:
    """The number of predicted tokens of each example: (n_examples,)."""
    if isinstance(examples, StoredExamples):
        return examples.n_words
    return np.array([len(example.predicted) for example in examples], dtype="int64")
