"""Entity scores against seqeval on the same predictions, and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from runner.components.scores import ents, tokens
from runner.corpus.doc import Doc
from runner.corpus.example import Example


@st.composite
def entity_lists(draw, n_words):
    spans, position = [], 0
    while position < n_words:
        position += draw(st.integers(0, 3))
        length = draw(st.integers(1, 3))
        if position + length > n_words:
            break
        spans.append((position, position + length, draw(st.sampled_from(["LOC", "PER"]))))
        position += length
    return spans


@st.composite
def pairs(draw):
    n_words = draw(st.integers(1, 9))
    return n_words, draw(entity_lists(n_words)), draw(entity_lists(n_words))


def iob2(n_words, spans):
    tags = ["O"] * n_words
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def example_of(n_words, gold, predicted):
    example = Example.from_doc(Doc(["w"] * n_words, ents=gold))
    example.predicted.set_ents(predicted)
    return example


@settings(max_examples=150, deadline=None)
@given(st.lists(pairs(), min_size=1, max_size=5))
def test_f_equals_seqevals(docs):
    scores, per_type = ents()([example_of(*doc) for doc in docs])
    gold = [iob2(n, spans) for n, spans, _ in docs]
    found = [iob2(n, spans) for n, _, spans in docs]
    if not any(tag != "O" for tags in gold for tag in tags):
        assert set(scores.values()) == {None}
        return
    p, r, f, _ = precision_recall_fscore_support(gold, found, average="micro", scheme=IOB2, zero_division=0)
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == pytest.approx((p, r, f))
    labels = sorted(per_type)
    by_type = precision_recall_fscore_support(gold, found, average=None, scheme=IOB2, zero_division=0)
    for i, label in enumerate(labels):  # seqeval says 0 of a label that gold does not have
        expected = [part[i] for part in by_type[:3]] if by_type[3][i] else [None] * 3
        assert [per_type[label][key] for key in "prf"] == pytest.approx(expected)
        assert per_type[label]["support"] == by_type[3][i]
    of_gold_labels = [f for f, support in zip(by_type[2], by_type[3], strict=True) if support]
    assert scores["ents_macro_f"] == pytest.approx(sum(of_gold_labels) / len(of_gold_labels))


def test_without_gold_there_is_no_score_and_without_predictions_precision_is_0():
    assert ents()([example_of(2, [(0, 1, "LOC")], [])])[0] == {
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_f": 0.0,
        "ents_macro_f": 0.0,
    }
    scores, per_type = ents()([example_of(2, [], [(0, 1, "LOC")])])
    assert scores == {"ents_p": None, "ents_r": None, "ents_f": None, "ents_macro_f": None}
    assert per_type == {"LOC": {"p": None, "r": None, "f": None, "support": 0}}


def test_entities_that_do_not_align_are_left_out():
    predicted = Doc(["New", "York-based", "Uber"], [True, True, False])
    example = Example.from_dict(predicted, {"entities": [(0, 8, "GPE"), (15, 19, "ORG")]})
    assert example.excluded_ents == 1
    predicted.set_ents([(0, 2, "GPE"), (2, 3, "ORG")])  # the first lies where the gold is not known
    assert ents()([example])[0] == {"ents_p": 1.0, "ents_r": 1.0, "ents_f": 1.0, "ents_macro_f": 1.0}


def test_token_accuracy_is_the_share_of_predicted_tokens_that_gold_has_too():
    example = Example.from_dict(Doc(["can", "not", "fly"], [False, True, False]), {"words": ["cannot", "fly"]})
    assert tokens()([example])[0]["token_acc"] == pytest.approx(1 / 3)
