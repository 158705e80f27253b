"""Batchers: cut the order of an epoch into batches of examples.

A batcher is a function of the order, the number of words of each example, and the number of updates before the epoch:

    batcher(order, n_words, step) → BatchIndices(indices, size), …

It has no state, so a run can resume in the middle of an epoch. Batch sizes are schedules of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from runner import registry
from runner.errors import RunnerError

Item = TypeVar("Item")
Ints = NDArray[np.integer[Any]]


class BatchIndices(NamedTuple):
    """The examples of one update."""

    indices: list[int]  # of examples in the corpus
    size: float  # the schedule's value at this step, in examples or words


Batcher = Callable[[Ints, Ints, int], Iterator[BatchIndices]]


@registry.batchers("growing")
def growing(
    start: float = 1.0,
    compound: float = 1.001,
    stop: float | None = None,
    component: str | None = None,
    max_size: int = 16,
) -> Batcher:
    """Batches that grow from `start` examples by the factor `compound` to a maximum that fits the components and the data.

    component: name or type of the component whose maximum counts; null: the smallest of all (16 for a parser or ner, 32
    for a tagger, 64 for a textcat). max_size: that maximum, which a run fills in; halved below 1,000 examples and again
    below 500. stop: a maximum to use instead, whatever the size of the data.
    """
    if start < 1 or compound < 1:
        raise RunnerError(f"start and compound must be at least 1, got {start} and {compound}")

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[BatchIndices]:
        largest = stop if stop is not None else max_size * _share(len(n_words))
        return _by_count(order, lambda at: _compounded(start, largest, compound, at), step)

    return batches


def _share(n_examples: int) -> float:
    """The share of the largest batch size that suits `n_examples` training examples."""
    return 1.0 if n_examples >= 1000 else 0.5 if n_examples >= 500 else 0.25


def _compounded(start: float, stop: float, compound: float, step: int) -> float:
    try:
        return min(start * compound**step, max(stop, start))
    except OverflowError:
        return max(stop, start)


@registry.batchers("by_sentences")
def by_sentences(size: registry.Schedule) -> Batcher:
    """Batches of `size` examples."""
    _check_size(size)

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[BatchIndices]:
        return _by_count(order, size, step)

    return batches


def _check_size(size: registry.Schedule) -> None:
    if size(0) < 1:
        raise RunnerError(f"size must be at least 1, got {size(0)} at step 0")


def _by_count(order: Ints, size: Callable[[int], float], step: int) -> Iterator[BatchIndices]:
    position = 0
    while position < len(order):
        value = size(step)
        count = max(int(value), 1)
        yield BatchIndices([int(i) for i in order[position : position + count]], value)
        position += count
        step += 1


@registry.batchers("by_words")
def by_words(size: registry.Schedule, tolerance: float = 0.2, *, discard_oversize: bool = False) -> Batcher:
    """Batches of about `size` words, as spaCy's batch_by_words: a batch may exceed `size` by the share `tolerance`.

    A longer example makes a batch of its own; with `discard_oversize` it is left out.
    """
    _check_size(size)
    if tolerance < 0:
        raise RunnerError(f"tolerance must be at least 0, got {tolerance}")

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[BatchIndices]:
        batch: list[int] = []
        words = 0
        value: float | None = None  # the schedule is called once per batch, at its first example
        for i, n in zip(order.tolist(), n_words[order].tolist(), strict=True):
            if value is None:
                value = size(step)
            if batch and words + n > max(value, 1.0) * (1.0 + tolerance):
                yield BatchIndices(batch, value)
                batch, words, step = [], 0, step + 1
                value = size(step)
            if n > max(value, 1.0) * (1.0 + tolerance) and discard_oversize:
                continue
            batch.append(i)
            words += n
            if words >= value:
                yield BatchIndices(batch, value)
                batch, words, step, value = [], 0, step + 1, None
        if batch:
            yield BatchIndices(batch, size(step))

    return batches


def minibatch(items: Iterable[Item], size: float | Callable[[int], float] | Iterator[float]) -> Iterator[list[Item]]:
    """Cut `items` into lists. size: a number, an iterator of sizes, or a function of the batch's number.

    Schedules such as runner.compounding are iterators: epochs that share a schedule continue it. After an iterator ends,
    its last size is used. Raises RunnerError if a size is not a finite number.

    >>> [len(batch) for batch in minibatch(range(10), size=4)]
    [4, 4, 2]
    >>> sizes = iter([1, 2, 3, 4])
    >>> [len(batch) for _ in range(2) for batch in minibatch(range(3), size=sizes)]
    [1, 2, 3]
    """
    source = iter(items)
    value = 1.0
    for number, first in enumerate(source):  # take an item first: no size is drawn for an empty batch
        if isinstance(size, Iterator):
            value = next(size, value)
        else:
            value = size(number) if callable(size) else size
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            raise RunnerError(
                f"the size of a batch is {value!r}", hint="Give a number, or runner.compounding(1, 32, 1.001)."
            )
        yield [first, *islice(source, max(int(value), 1) - 1)]


def shuffled(n: int, seed: Sequence[int]) -> Ints:
    """The numbers 0 … n-1 in random order; the same `seed` gives the same order."""
    return np.random.Generator(np.random.PCG64(list(seed))).permutation(n)
