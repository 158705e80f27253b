"""Batches: which examples, in which order, and the batch size that was asked for.

A batcher is a function of the epoch's order, the words of each example, and the number of updates done before the epoch:

    batcher(order, n_words, step) → Batch(indices, size), …

so a run can start again in the middle of an epoch. Sizes are schedules of the step.
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


class Batch(NamedTuple):
    """Examples of one update."""

    indices: list[int]
    size: float  # the schedule's value at this step, in the batcher's unit


Batcher = Callable[[Ints, Ints, int], Iterator[Batch]]


@registry.batchers("auto")
def auto(
    start: float = 1.0,
    compound: float = 1.001,
    stop: float | None = None,
    component: str | None = None,
    max_size: int = 16,
) -> Batcher:
    """The recipe: from `start` examples, compounding, to a maximum that fits the components and the size of the data.

    component: the name or type of the one whose maximum counts; null: the smallest of all (16 for a parser or ner, 32 for
    a tagger, 64 for a textcat). max_size: that maximum, which a run fills in; halved under 1,000 examples and again under
    500. stop: in its place, whatever the size of the data.
    """
    if start < 1 or compound < 1:
        raise RunnerError(f"start {start} and compound {compound} must each be at least 1")

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[Batch]:
        largest = stop if stop is not None else max_size * _share(len(n_words))
        return _by_count(order, lambda at: _compounded(start, largest, compound, at), step)

    return batches


def _share(n_examples: int) -> float:
    """Of the largest batch, what fits data of that size."""
    return 1.0 if n_examples >= 1000 else 0.5 if n_examples >= 500 else 0.25


def _compounded(start: float, stop: float, compound: float, step: int) -> float:
    try:
        return min(start * compound**step, max(stop, start))
    except OverflowError:
        return max(stop, start)


@registry.batchers("by_sentences")
def by_sentences(size: registry.Schedule) -> Batcher:
    """`size` examples a batch."""
    _check_size(size)

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[Batch]:
        return _by_count(order, size, step)

    return batches


def _check_size(size: registry.Schedule) -> None:
    if size(0) < 1:
        raise RunnerError(f"size is {size(0)} at step 0; it must be at least 1")


def _by_count(order: Ints, size: Callable[[int], float], step: int) -> Iterator[Batch]:
    position = 0
    while position < len(order):
        value = size(step)
        count = max(int(value), 1)
        yield Batch([int(i) for i in order[position : position + count]], value)
        position += count
        step += 1


@registry.batchers("by_words")
def by_words(size: registry.Schedule, tolerance: float = 0.2, discard_oversize: bool = False) -> Batcher:
    """Examples up to `size` words, give or take the share `tolerance` (spaCy's batch_by_words).

    An example longer than that makes a batch of its own, or is left out with `discard_oversize`.
    """
    _check_size(size)
    if tolerance < 0:
        raise RunnerError(f"tolerance is {tolerance}; it must not be negative")

    def batches(order: Ints, n_words: Ints, step: int) -> Iterator[Batch]:
        batch: list[int] = []
        words = 0
        value: float | None = None  # asked for once a batch, when its first example is there
        for i, n in zip(order.tolist(), n_words[order].tolist(), strict=True):
            if value is None:
                value = size(step)
            if batch and words + n > max(value, 1.0) * (1.0 + tolerance):
                yield Batch(batch, value)
                batch, words, step = [], 0, step + 1
                value = size(step)
            if n > max(value, 1.0) * (1.0 + tolerance) and discard_oversize:
                continue
            batch.append(i)
            words += n
            if words >= value:
                yield Batch(batch, value)
                batch, words, step, value = [], 0, step + 1, None
        if batch:
            yield Batch(batch, size(step))

    return batches


def minibatch(items: Iterable[Item], size: float | Callable[[int], float] | Iterator[float]) -> Iterator[list[Item]]:
    """Cut `items` into lists; `size` is a number, an iterator of sizes, or a function of the batch's number.

    runner.compounding and its like are iterators: a schedule that several epochs share goes on where the last epoch left
    it. An iterator that ends leaves its last size. Raises RunnerError for a size that is none of these.

    >>> [len(batch) for batch in minibatch(range(10), size=4)]
    [4, 4, 2]
    >>> sizes = iter([1, 2, 3, 4])
    >>> [len(batch) for _ in range(2) for batch in minibatch(range(3), size=sizes)]
    [1, 2, 3]
    """
    source = iter(items)
    value = 1.0
    for number, first in enumerate(source):  # no size is drawn where nothing is left
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
    """The numbers below n in an order that is a function of `seed` alone."""
    return np.random.Generator(np.random.PCG64(list(seed))).permutation(n)
