"""Batchers are functions of order, lengths and step: they can start again in the middle."""

from __future__ import annotations

import numpy as np

from runner.corpus.batching import by_sentences, by_words, growing, minibatch, shuffled
from runner.training.schedules import compounding


def test_auto_grows_from_one_example():
    batches = list(growing(start=1, compound=2.0, stop=4)(np.arange(12), np.ones(12, dtype=int), 0))
    assert [len(batch.indices) for batch in batches] == [1, 2, 4, 4, 1]
    assert [batch.size for batch in batches] == [1, 2, 4, 4, 4]
    assert [i for batch in batches for i in batch.indices] == list(range(12))


def test_auto_is_smaller_on_small_data():
    sizes = {
        n: max(batch.size for batch in growing(max_size=32)(np.arange(n), np.ones(n, dtype=int), 50_000))
        for n in (2000, 900, 400)
    }
    assert sizes == {2000: 32, 900: 16, 400: 8}


def test_by_words_keeps_to_the_limit_and_gives_a_long_example_its_own_batch():
    n_words = np.array([4, 4, 4, 30, 2, 9])
    batches = list(by_words(size=lambda step: 10, tolerance=0.2)(np.arange(6), n_words, 0))
    assert [batch.indices for batch in batches] == [[0, 1, 2], [3], [4, 5]]
    kept = list(by_words(size=lambda step: 10, tolerance=0.2, discard_oversize=True)(np.arange(6), n_words, 0))
    assert [batch.indices for batch in kept] == [[0, 1, 2], [4, 5]]


def test_the_schedule_goes_on_from_the_step_it_is_given():
    size = compounding(1.0, 100.0, 2.0)
    order, n_words = np.arange(15), np.ones(15, dtype=int)
    whole = list(by_sentences(size)(order, n_words, 0))
    rest = list(by_sentences(size)(order[3:], n_words, 2))
    assert rest == whole[2:]


def test_shuffling_is_a_function_of_seed_and_epoch():
    assert (shuffled(50, (1, 2)) == shuffled(50, (1, 2))).all()
    assert (shuffled(50, (1, 2)) != shuffled(50, (1, 3))).any()
    assert sorted(shuffled(50, (1, 2))) == list(range(50))


def test_minibatch_takes_numbers_schedules_and_iterators():
    assert [len(b) for b in minibatch(range(7), 3)] == [3, 3, 1]
    assert [len(b) for b in minibatch(range(7), compounding(1.0, 4.0, 2.0))] == [1, 2, 4]
    assert [len(b) for b in minibatch(range(7), iter([2, 4, 8]))] == [2, 4, 1]
