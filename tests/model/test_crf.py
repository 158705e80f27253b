"""The CRF against brute force: all legal sequences of a short doc, summed and compared one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import crf
from runner.model.layout import Layout
from runner.model.ops import Ops
from runner.model.ops.sequences import decode_stepwise
from runner.model.ops.sparse_viterbi import decode_sparsely
from runner.model.time_order import TimeOrder

LABELS = {"LOC": 0, "PER": 1}
OPS = Ops(use_blis=False)
TAGS = ["O", *(f"{move}-{label}" for move in "BILU" for label in LABELS)]


def is_legal(tags):
    opened = None
    for tag in tags:
        if opened is None:
            if tag[0] in "IL":
                return False
        elif tag not in (f"I-{opened}", f"L-{opened}"):
            return False
        opened = tag[2:] if tag[0] in "BI" else None
    return opened is None


def legal_sequences(n):
    return [[crf.state_of(tag, LABELS) for tag in tags] for tags in product(TAGS, repeat=n) if is_legal(tags)]


def brute_force(scores, allowed=None):
    n = scores.shape[1]
    paths = [
        path for path in legal_sequences(n) if allowed is None or all(allowed[state, t] for t, state in enumerate(path))
    ]
    weights = np.exp([sum(scores[state, t] for t, state in enumerate(path)) for path in paths])
    probabilities = np.zeros(scores.shape)
    for path, weight in zip(paths, weights, strict=True):
        probabilities[path, np.arange(n)] += weight / weights.sum()
    return np.log(weights.sum()), probabilities, paths[int(weights.argmax())]


@pytest.fixture
def batch(request):
    rng = np.random.default_rng(7)
    lengths = [3, 1, 0, 4, 2]
    return rng.normal(0, 2, (crf.n_states(2), sum(lengths))), Layout(lengths)


def docs_of(layout):
    for start, length in zip(layout.starts, layout.lengths, strict=True):
        yield slice(start, start + length)


def test_rows_are_ordered_as_the_scheme_says():
    assert [crf.state_of(tag, LABELS) for tag in TAGS] == list(range(9))


def test_marginals_and_partition_equal_the_sum_over_all_legal_sequences(batch):
    scores, layout = batch
    found = OPS.crf_marginals(scores, layout)
    for doc, at in enumerate(docs_of(layout)):
        log_z, probabilities, _ = brute_force(scores[:, at]) if at.stop > at.start else (0.0, np.zeros((9, 0)), [])
        assert found.log_partition[doc] == pytest.approx(log_z)
        np.testing.assert_allclose(found.probabilities[:, at], probabilities, atol=1e-12)


def test_marginals_within_allowed_states(batch):
    scores, layout = batch
    allowed = np.ones(scores.shape, dtype=bool)
    allowed[:, 0] = np.arange(9) == crf.state_of("B-PER", LABELS)  # the first doc opens a PER; the rest is not known
    found = OPS.crf_marginals(scores, layout, allowed)
    log_z, probabilities, _ = brute_force(scores[:, :3], allowed[:, :3])
    assert found.log_partition[0] == pytest.approx(log_z)
    np.testing.assert_allclose(found.probabilities[:, :3], probabilities, atol=1e-12)


def test_decode_finds_the_best_legal_sequence(batch):
    scores, layout = batch
    states = OPS.crf_decode(scores, layout)
    for at in docs_of(layout):
        if at.stop > at.start:
            assert states[at].tolist() == brute_force(scores[:, at])[2]


def test_gradient_equals_finite_differences(batch):
    scores, layout = batch
    gold = np.zeros(layout.n_tokens, dtype=int)
    gold[0] = -1  # one token is not annotated
    _, gradient = crf.loss(OPS, scores, layout, gold)
    for i, j in np.ndindex(*scores.shape):
        bumped = []
        for step in (1e-5, -1e-5):
            nudged = scores.copy()
            nudged[i, j] += step
            bumped.append(crf.loss(OPS, nudged, layout, gold)[0].sum())
        assert gradient[i, j] == pytest.approx((bumped[0] - bumped[1]) / 2e-5, abs=1e-6)


def test_a_fully_known_doc_takes_the_short_way_to_the_same_loss(batch):
    scores, layout = batch
    allowed = np.zeros(scores.shape, dtype=bool)
    allowed[0] = True
    losses, gradient = crf.loss(OPS, scores, layout, np.zeros(layout.n_tokens, dtype=int))
    gold, log_z = OPS.crf_marginals(scores, layout, allowed)
    np.testing.assert_allclose(losses, OPS.crf_marginals(scores, layout).log_partition - log_z, atol=1e-9)
    np.testing.assert_allclose(gradient, OPS.crf_marginals(scores, layout).probabilities - gold, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
    st.integers(0, 3),
    st.integers(0, 10_000),
    st.sampled_from([0.1, 5.0, 1e3, 1e6]),
)
def test_whatever_the_scores_the_sequence_is_legal_and_the_gradient_finite(lengths, n_labels, seed, scale):
    labels = {f"L{i}": i for i in range(n_labels)}
    tags = ["O", *(f"{move}-{label}" for move in "BILU" for label in labels)]
    layout = Layout(lengths)
    scores = (np.random.default_rng(seed).normal(0, scale, (crf.n_states(n_labels), layout.n_tokens))).astype("float32")
    states = OPS.crf_decode(scores, layout)
    for at in docs_of(layout):
        assert is_legal([tags[state] for state in states[at]])
    losses, gradient = crf.loss(OPS, scores, layout, np.zeros(layout.n_tokens, dtype=int))
    assert np.isfinite(losses).all()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-5)


@pytest.fixture
def partial():
    """Gold of which only LOC is annotated: OTHER may be O or any state of PER; in two words only PER is: O or any of LOC.

    And the states that are allowed by it.
    """
    of_per = crf.OTHER - 1
    gold = np.array([crf.OTHER, of_per, crf.state_of("U-LOC", LABELS), crf.UNKNOWN, 0, crf.OTHER, of_per])
    others = np.array([[label not in tag for tag in TAGS] for label in ("LOC", "PER")])
    allowed = np.zeros((9, len(gold)), dtype=bool)
    for t, state in enumerate(gold):
        known = others[crf.OTHER - state] if state <= crf.OTHER else np.arange(9) == state
        allowed[:, t] = True if state == crf.UNKNOWN else known
    return np.random.default_rng(3).normal(0, 2, (9, len(gold))), Layout([3, 4]), gold, others, allowed


def test_a_word_in_no_annotated_entity_may_be_of_another_label(partial):
    scores, layout, gold, others, allowed = partial
    losses, gradient = crf.loss(OPS, scores.copy(), layout, gold, others)
    for doc, at in enumerate(docs_of(layout)):
        free, P, _ = brute_force(scores[:, at])
        within, Q, _ = brute_force(scores[:, at], allowed[:, at])
        assert losses[doc] == pytest.approx(free - within)
        assert gradient[:, at] == pytest.approx(P - Q, abs=1e-6)


def test_the_gradient_of_partial_annotation_equals_finite_differences(partial):
    scores, layout, gold, others, _ = partial
    _, gradient = crf.loss(OPS, scores.copy(), layout, gold, others)
    for state, t in [(0, 0), (2, 1), (4, 3), (8, 6), (1, 5)]:
        up, down = scores.copy(), scores.copy()
        up[state, t] += 1e-4
        down[state, t] -= 1e-4
        slope = (crf.loss(OPS, up, layout, gold, others)[0] - crf.loss(OPS, down, layout, gold, others)[0]).sum() / 2e-4
        assert gradient[state, t] == pytest.approx(slope, abs=1e-5)


@st.composite
def biluo_scores(draw):
    """float32 scores of some docs, in which staying closed is more or less likely. Small integers make ties."""
    n_labels = draw(st.integers(1, 3))
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (crf.n_states(n_labels), sum(lengths))
    scores = rng.integers(-2, 3, shape) if draw(st.booleans()) else rng.normal(0, 3, shape)
    scores = scores.astype("float32")
    scores += np.float32(draw(st.sampled_from([0, 0.1, 1000])))  # far from 0, sums are rounded
    scores[0] += draw(st.integers(0, 4))
    return scores, Layout(lengths)


@settings(max_examples=300, deadline=None)
@given(biluo_scores())
def test_stepping_through_some_words_finds_the_path_of_stepping_through_all(batch):
    scores, layout = batch
    expected = decode_stepwise(scores, layout, TimeOrder(layout))
    assert decode_sparsely(scores, layout, most=scores.size).tolist() == expected.tolist()


def test_a_long_text_is_decoded_as_by_steps_through_all_words():
    rng = np.random.default_rng(0)
    layout = Layout([3000, 40])
    scores = rng.normal(0, 3, (crf.n_states(4), layout.n_tokens)).astype("float32")
    scores[0] += 7
    states = OPS.crf_decode(scores, layout)
    assert states.tolist() == decode_stepwise(scores, layout, TimeOrder(layout)).tolist()
    n_inside = int(((states > 0) & (states <= 12)).sum())
    assert n_inside > 20  # there are entities of several words
    assert (
        decode_sparsely(scores, layout, most=n_inside // 4) is None
    )  # as many as that, and steps through all are cheaper


def test_scores_that_are_not_finite_are_left_to_the_steps_through_all_words():
    scores, layout = np.zeros((5, 3), dtype="float32"), Layout([3])
    scores[1, 1] = np.nan
    assert decode_sparsely(scores, layout, most=100) is None
