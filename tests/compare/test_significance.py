"""Significance: a case worked by hand, and the random rounds against every exchange there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from runner.compare.significance import compare, gold_of, paired
from runner.components.counts import score_of


def test_by_hand():
    """Three docs with one gold entity each; b finds all of them, a none.

    F is 0 and 1. Of the 8 exchanges only the two that leave the models whole (none exchanged, all exchanged) give a
    difference as large as 1: p is 1/4. Every sample of docs gives 0 and 1 again.
    """
    found = paired("ents_f", [{"ents_f": [0, 0, 1]}] * 3, [{"ents_f": [1, 1, 1]}] * 3)
    assert (found.a, found.b, found.difference, found.n_docs) == (0.0, 1.0, 1.0, 3)
    assert found.p == pytest.approx(1 / 4, abs=0.015)
    assert (found.low, found.high) == (1.0, 1.0)


def test_the_bootstrap_by_hand():
    """Two docs, of which b has one right and a none: accuracy 0 in both against 0, 1/2 or 1.

    Drawn twice the same doc with probability 1/4 each, so the interval's ends are 0 and 1.
    """
    found = paired("tag_acc", [{"tag_acc": [0, 1, 1]}] * 2, [{"tag_acc": [1, 1, 1]}, {"tag_acc": [0, 1, 1]}])
    assert (found.difference, found.low, found.high) == (0.5, 0.0, 1.0)


def exact_p(a, b):
    """The share of all 2^n exchanges whose difference is at least as large; plain Python, no arrays."""
    observed = abs(score_of(a) - score_of(b))
    extreme = 0
    for exchange in itertools.product([False, True], repeat=len(a)):
        first = [y if swap else x for x, y, swap in zip(a, b, exchange, strict=True)]
        second = [x if swap else y for x, y, swap in zip(a, b, exchange, strict=True)]
        extreme += abs(score_of(first) - score_of(second)) >= observed - 1e-12
    return extreme / 2 ** len(a)


def triple(rng, skill):
    gold, predicted = rng.integers(0, 5, 2)
    return [int(rng.binomial(min(gold, predicted), skill)), int(predicted), int(gold)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_macro", [False, True])
def test_the_p_value_is_that_of_all_exchanges(seed, is_macro):
    rng = np.random.default_rng(seed)

    def doc(skill):
        return {label: triple(rng, skill) for label in "xyz"} if is_macro else triple(rng, skill)

    a, b = [doc(0.4) for _ in range(10)], [doc(0.9) for _ in range(10)]
    found = paired("f", [{"f": one} for one in a], [{"f": one} for one in b])
    assert found.a == pytest.approx(score_of(a))
    assert found.b == pytest.approx(score_of(b))
    exact = exact_p(a, b)
    assert 0.001 < exact < 0.9  # else it would say little
    assert found.p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 10_000) ** 0.5 + 1e-3)


def test_the_bootstrap_is_that_of_a_plain_loop():
    rng = np.random.default_rng(7)
    a, b = [triple(rng, 0.4) for _ in range(30)], [triple(rng, 0.8) for _ in range(30)]
    found = paired("f", [{"f": one} for one in a], [{"f": one} for one in b])
    differences = []
    for _ in range(3000):
        drawn = rng.integers(0, 30, 30)
        differences.append(score_of([b[i] for i in drawn]) - score_of([a[i] for i in drawn]))
    assert [found.low, found.high] == pytest.approx(np.percentile(differences, [2.5, 97.5]), abs=0.015)
    assert found.low < found.difference < found.high


def test_under_the_null_small_p_values_are_rare():
    """Two models drawn alike: p below 0.1 in about a tenth of the cases, not more."""
    rng = np.random.default_rng(3)
    small = 0
    for _ in range(200):
        a, b = ([{"f": triple(rng, 0.6)} for _ in range(40)] for _ in range(2))
        small += paired("f", a, b, rounds=300).p < 0.1
    assert 8 <= small <= 34  # 20, give or take three standard deviations


def test_equal_models_differ_in_nothing():
    docs = [{"ents_f": [1, 2, 2]}, {"ents_f": [0, 0, 1]}]
    (found,) = compare(docs, docs)
    assert (found.p, found.difference, found.low, found.high) == (1.0, 0.0, 0.0, 0.0)


def test_the_same_seed_gives_the_same_numbers():
    rng = np.random.default_rng(1)
    a, b = ([{"f": triple(rng, skill)} for _ in range(20)] for skill in (0.5, 0.7))
    assert compare(a, b, rounds=500) == compare(a, b, rounds=500)
    assert compare(a, b, rounds=500) != compare(a, b, rounds=500, seed=1)


def test_only_what_both_have_and_docs_that_have_it():
    a = [{"ents_f": [1, 1, 1], "tag_acc": [1, 2, 2]}, {"tag_acc": [2, 2, 2]}]
    b = [{"ents_f": [0, 1, 1]}, {}]
    (found,) = compare(a, b, rounds=100)
    assert (found.key, found.n_docs, found.a, found.b) == ("ents_f", 1, 1.0, 0.0)


def test_gold_tells_annotations_apart():
    a = [{"f": [1, 2, 3], "c": {"x": [1, 1, 1], "y": [0, 1, 0]}}, {}]
    b = [{"f": [0, 1, 3], "c": {"x": [0, 0, 1]}}, {}]
    assert gold_of(a, "f") == gold_of(b, "f") == [{"": 3}, None]
    assert gold_of(a, "c") == gold_of(b, "c") == [{"x": 1}, None]
    assert gold_of(a, "f") != gold_of([{"f": [0, 1, 2]}, {}], "f")
