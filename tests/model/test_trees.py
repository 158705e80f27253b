"""Decoding always gives trees, and the best ones: by hand, against all trees of short docs, and for any scores."""

from __future__ import annotations

import doctest
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import trees
from runner.model.layout import Layout
from runner.model.ops import Ops
from runner.model.trees import are_trees, decode, roots_of, sentence_starts, spanning_tree, starts_in

OPS = Ops(use_blis=False)


def is_tree(heads):
    """By walking: every token reaches a root in fewer steps than there are tokens."""
    for token in range(len(heads)):
        for _ in heads:
            token = heads[token]
        if heads[token] != token:
            return False
    return True


def total(scores, heads):
    return sum(scores[i][head] for i, head in enumerate(heads))


def best_by_trying_all(scores, single_root):
    n = len(scores)
    best = -np.inf
    for heads in product(range(n), repeat=n):
        n_roots = sum(head == i for i, head in enumerate(heads))
        if is_tree(heads) and (n_roots == 1 or not single_root):
            best = max(best, total(scores, heads))
    return best


def test_a_cycle_is_broken_where_it_costs_least():
    # saw(1) and John(0) prefer each other: 30 + 20. The best tree gives up saw ← John (20) for the root (10),
    # not John ← saw (30) for the root (9): McDonald et al. (2005), figure 2, with tokens as heads in columns.
    scores = np.array([[9, 30, 11], [20, 10, 0], [3, 30, 9]], dtype="float32")  # John saw Mary
    assert spanning_tree(OPS, scores, single_root=False).tolist() == [1, 1, 1]
    assert decode(OPS, scores[None], np.array([3]), single_root=False).tolist() == [[1, 1, 1]]


def test_a_cycle_within_a_cycle():
    # 0 ↔ 1 is a cycle, and with 2 it is one again: 2 ← 1, 0 ← 2. Only 2 has a root score worth having.
    scores = np.full((3, 3), -50.0)
    scores[0, 1], scores[1, 0], scores[2, 1], scores[0, 2] = 10, 10, 8, 5
    scores[2, 2] = 1
    heads = spanning_tree(OPS, scores, single_root=True)
    assert heads.tolist() == [2, 0, 2]  # 5 + 10 + 1


def test_one_root_or_several():
    scores = np.array([[5.0, 1.0], [1.0, 5.0]])
    assert spanning_tree(OPS, scores, single_root=False).tolist() == [0, 1]
    assert decode(OPS, scores[None], np.array([2]), single_root=False).tolist() == [[0, 1]]
    assert decode(OPS, scores[None], np.array([2]), single_root=True).tolist() in ([[0, 0]], [[1, 1]])


@st.composite
def score_matrices(draw, largest):
    n = draw(st.integers(1, largest))
    numbers = st.one_of(st.integers(-3, 3), st.floats(-1e4, 1e4, width=32))  # small integers make ties
    return np.array(draw(st.lists(numbers, min_size=n * n, max_size=n * n)), dtype="float32").reshape(n, n)


@settings(max_examples=300, deadline=None)
@given(score_matrices(largest=5), st.booleans())
def test_short_docs_get_the_best_of_all_trees(scores, single_root):
    expected = best_by_trying_all(scores.tolist(), single_root)
    for heads in (
        spanning_tree(OPS, scores, single_root=single_root),
        decode(OPS, scores[None], np.array([len(scores)]), single_root=single_root)[0],
    ):
        assert is_tree(heads)
        assert total(scores.tolist(), heads) == pytest.approx(expected, abs=1e-3 * (1 + abs(expected)))
        assert not single_root or sum(heads == np.arange(len(heads))) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 2**32), st.booleans())
def test_any_scores_give_trees(lengths, seed, single_root):
    longest = max(max(lengths), 1)
    scores = np.random.default_rng(seed).normal(size=(len(lengths), longest, longest)).astype("float32")
    found = decode(OPS, scores, np.array(lengths), single_root=single_root)
    for heads, n in zip(found, lengths, strict=True):
        assert is_tree(heads[:n].tolist())
        assert heads[n:].tolist() == list(range(n, longest))
        roots = int((heads[:n] == np.arange(n)).sum())
        assert roots == min(n, 1) if single_root else roots >= min(n, 1)
        assert roots_of(heads[:n]).tolist() == [_walk(heads, i) for i in range(n)]


def _walk(heads, i):
    while heads[i] != i:
        i = int(heads[i])
    return i


@settings(max_examples=200, deadline=None)
@given(score_matrices(largest=9))
def test_a_search_over_all_tokens_finds_the_same_heads(scores):
    n = len(scores)
    tokens = np.arange(n)
    into = np.empty((n, n + 1))
    into[:, :n], into[:, n] = scores, scores.diagonal()
    into[tokens, tokens] = -np.inf
    heads = np.arange(n)
    OPS.best_forest(into, tokens, heads)
    assert spanning_tree(OPS, scores, single_root=False).tolist() == heads.tolist()


def test_cycles_are_seen():
    heads = np.array([[1, 0, 2, 2], [1, 1, 1, 2], [0, 1, 2, 3], [3, 0, 1, 2]])
    assert are_trees(heads).tolist() == [False, True, True, False]


def test_a_doc_of_a_thousand_words_of_noise_takes_no_time():
    scores = np.random.default_rng(0).normal(size=(1000, 1000)).astype("float32")
    started = time.process_time()
    heads = spanning_tree(OPS, scores, single_root=True)
    assert time.process_time() - started < 10
    assert are_trees(heads[None]).all()


@pytest.mark.parametrize(
    ("heads", "starts"),
    [
        ([], []),
        ([0], [0]),
        ([1, 1, 1], [0]),  # one tree
        ([1, 1, 3, 3, 3], [0, 2]),  # two, side by side
        ([2, 3, 2, 3], [0]),  # two that interleave: nowhere can they be parted
        ([3, 1, 1, 3, 4], [0, 4]),  # one inside another, and one after them
        ([0, 1, 2], [0, 1, 2]),  # roots alone
        ([3, 2, 2, 3], [0]),  # non-projective within: 0 ← 3 spans the tree of 2
    ],
)
def test_sentences_are_the_finest_cut_that_crosses_no_tree(heads, starts):
    assert [i for i, is_start in enumerate(sentence_starts(heads)) if is_start] == starts


def test_sentences_of_a_batch_are_those_of_each_doc():
    docs = [[], [1, 1, 3, 3, 3], [0], [2, 3, 2, 3], [], [3, 1, 1, 3, 4], [0, 1, 2], [1, 2, 3, 4, 4]]
    heads = np.array([head for doc in docs for head in doc])
    batch = starts_in(heads, Layout([len(doc) for doc in docs])).tolist()
    assert batch == [is_start for doc in docs for is_start in sentence_starts(doc)]
    assert starts_in(heads[:0], Layout([0, 0])).tolist() == []


def test_docstrings():
    assert doctest.testmod(trees).failed == 0
