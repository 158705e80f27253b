"""Scores of categories: by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from runner.components.textcat_scores import area_under_curve, cats
from runner.corpus.doc import Doc
from runner.corpus.example import Example


def example(gold, found):
    pair = Example.from_doc(Doc(["text"], cats=gold))
    pair.predicted.cats = found
    return pair


def test_one_category_each_by_hand():
    scores, by_label = cats()(
        [
            example({"A": 1.0}, {"A": 0.7, "B": 0.3}),
            example({"A": 1.0, "B": 0.0}, {"A": 0.4, "B": 0.6}),
            example({"B": 1.0}, {"A": 0.1, "B": 0.9}),
            example({"A": 0.0, "B": 0.0}, {"A": 0.9, "B": 0.1}),  # of neither: left out
            example(None, {"A": 0.9, "B": 0.1}),  # never annotated
        ]
    )
    assert by_label["A"] == pytest.approx({"p": 1.0, "r": 0.5, "f": 2 / 3, "support": 2, "auc": 1.0})
    assert by_label["B"] == pytest.approx({"p": 0.5, "r": 1.0, "f": 2 / 3, "support": 1, "auc": 1.0})
    expected = {
        "cats_p": 2 / 3, "cats_r": 2 / 3, "cats_f": 2 / 3, "cats_macro_p": 0.75, "cats_macro_r": 0.75,
        "cats_macro_f": 2 / 3, "cats_macro_auc": 1.0, "cats_score": 2 / 3,
    }  # fmt: skip
    assert scores == pytest.approx(expected)


def test_a_threshold_leaves_doubtful_texts_without_a_category():
    scores, _ = cats(threshold=0.65)(
        [example({"A": 1.0}, {"A": 0.7, "B": 0.3}), example({"B": 1.0}, {"A": 0.4, "B": 0.6})]
    )
    assert (scores["cats_p"], scores["cats_r"]) == (1.0, 0.5)


def test_any_number_of_categories_by_hand():
    scores, by_label = cats(exclusive=False)(
        [
            example({"A": 1.0, "B": 1.0}, {"A": 0.9, "B": 0.4}),
            example({"A": 0.0}, {"A": 0.5, "B": 0.9}),  # B is not known here
            example({"A": 0.0, "B": 0.0}, {"A": 0.1, "B": 0.2}),
        ]
    )
    assert by_label["A"] == pytest.approx({"p": 0.5, "r": 1.0, "f": 2 / 3, "support": 1, "auc": 1.0})
    assert by_label["B"] == pytest.approx({"p": 0.0, "r": 0.0, "f": 0.0, "support": 1, "auc": 1.0})
    assert (scores["cats_p"], scores["cats_r"], scores["cats_f"]) == (0.5, 0.5, 0.5)
    assert scores["cats_score"] == scores["cats_macro_auc"] == 1.0


def test_nothing_to_score():
    scores, by_label = cats()([])
    assert by_label == {}
    assert set(scores.values()) == {None}
    scores, by_label = cats(exclusive=False)(
        [example({"A": 1.0}, {"A": 0.9, "B": 0.7})]
    )  # no text lacks A, none knows B
    assert (scores["cats_macro_auc"], scores["cats_score"], scores["cats_f"]) == (None, None, 1.0)
    assert by_label["B"] == {"p": None, "r": None, "f": None, "support": 0}
    scores, _ = cats(exclusive=False)([example({"A": 0.0}, {"A": 0.9})])  # no text is of any label: not even precision
    assert set(scores.values()) == {None}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_the_area_is_scikit_learns_with_ties_too(pairs):
    is_gold, values = np.array([p[0] for p in pairs]), np.array([p[1] / 5 for p in pairs])
    if is_gold.all() or not is_gold.any():
        assert area_under_curve(is_gold, values) is None
    else:
        assert area_under_curve(is_gold, values) == pytest.approx(roc_auc_score(is_gold, values))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_macro_scores_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    labels = ["A", "B", "C"]
    gold, P = rng.integers(3, size=12), rng.dirichlet([1, 1, 1], size=12)
    examples = [
        example({labels[g]: 1.0}, dict(zip(labels, p.tolist(), strict=True))) for g, p in zip(gold, P, strict=True)
    ]
    scores, _ = cats()(examples)
    assert scores["cats_macro_f"] == pytest.approx(f1_score(gold, P.argmax(axis=1), average="macro"))
    assert scores["cats_f"] == pytest.approx((gold == P.argmax(axis=1)).mean())
    if len(set(gold.tolist())) == 3:
        expected = np.mean([roc_auc_score(gold == i, P[:, i]) for i in range(3)])
        assert scores["cats_macro_auc"] == pytest.approx(expected)
