"""The probability of an entity, against the sum over all legal sequences."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from runner.corpus.biluo import TagError, biluo_to_spans
from runner.model.crf_spans import SMALLEST, entity_probabilities, path_probabilities
from runner.model.layout import Layout
from runner.model.ops import Ops

LABELS = ("LOC", "PER")
TAGS = ("O", *(f"{move}-{label}" for move in "BILU" for label in LABELS))

OPS = Ops(use_blis=False)


def by_counting(scores: np.ndarray) -> dict[tuple[int, int, int], float]:
    """Every sequence, its probability, the entities in it."""
    weights: dict[tuple[int, int, int], float] = defaultdict(float)
    total = 0.0
    for states in product(range(len(TAGS)), repeat=scores.shape[1]):
        try:
            spans = biluo_to_spans([TAGS[state] for state in states])
        except TagError:
            continue
        weight = float(np.exp(sum(scores[state, i] for i, state in enumerate(states))))
        total += weight
        for start, end, label in spans:
            weights[start, end, LABELS.index(label)] += weight
    return {key: weight / total for key, weight in weights.items()}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_as_the_sum_over_all_sequences(seed):
    scores = np.random.default_rng(seed).normal(0, 1.5, (len(TAGS), 4)).astype("float64")
    P = OPS.crf_marginals(scores, Layout([4])).probabilities
    found = {(i, j, x): p for i, j, x, p in entity_probabilities(P, 0.0)}
    expected = {key: p for key, p in by_counting(scores).items() if p >= SMALLEST}
    assert found.keys() == expected.keys()
    assert len(found) > 5
    for key, p in expected.items():
        assert found[key] == pytest.approx(p, abs=1e-9)


def test_one_unit_by_hand():
    """One token, U-PER twice as likely as O, U-LOC impossible: 2/3."""
    scores = np.full((len(TAGS), 1), -50.0)
    scores[0], scores[TAGS.index("U-PER")] = 0.0, np.log(2.0)
    P = OPS.crf_marginals(scores, Layout([1])).probabilities
    ((start, end, label, p),) = entity_probabilities(P, 0.5)
    assert (start, end, LABELS[label]) == (0, 1, "PER")
    assert p == pytest.approx(2 / 3)
    assert entity_probabilities(P, 0.7) == []


def test_no_label_no_entity():
    assert entity_probabilities(np.ones((1, 3)), 0.5) == []


# Given entities


@pytest.mark.parametrize("spread", [0.5, 4.0, 30.0])
def test_a_given_entity_as_the_sum_over_all_sequences(spread):
    scores = np.random.default_rng(3).normal(0, spread, (len(TAGS), 4))
    for (start, end, x), p in by_counting(scores).items():
        assert path_probabilities(scores, [(start, end, x)])[0] == pytest.approx(p, rel=1e-9)


def test_scores_that_no_float_could_hold_the_exponential_of():
    """O and U-PER differ by log 2, all others lie 5,000 below, and the level is 2,000."""
    scores = np.full((len(TAGS), 3), -3000.0)
    scores[0], scores[TAGS.index("U-PER")] = 2000.0, 2000.0 + np.log(2.0)
    assert path_probabilities(scores, [(1, 2, 1)]) == pytest.approx([2 / 3])


def test_an_entity_is_as_probable_with_others_in_the_list_as_alone():
    scores = np.random.default_rng(5).normal(0, 2, (len(TAGS), 12))
    entities = [(0, 1, 0), (3, 6, 1), (6, 8, 0), (11, 12, 1)]
    alone = [path_probabilities(scores, [entity])[0] for entity in entities]
    assert path_probabilities(scores, entities) == pytest.approx(alone, rel=1e-12)
    assert path_probabilities(scores, []) == []


def test_given_and_looked_for_agree_in_a_long_doc():
    scores = np.random.default_rng(6).normal(0, 3, (len(TAGS), 400))
    P = OPS.crf_marginals(scores, Layout([400])).probabilities
    found = entity_probabilities(P, 0.2)
    assert len(found) > 50
    for start, end, x, p in found:
        assert path_probabilities(scores, [(start, end, x)])[0] == pytest.approx(p, rel=1e-9)


def test_the_only_label_of_a_sure_model_is_at_most_certain():
    scores = np.full((5, 2), -400.0)
    scores[1, 0] = scores[3, 1] = 400.0  # B-x, L-x
    assert path_probabilities(scores, [(0, 2, 0)]) == [1.0]
