"""Outcomes: each gold annotation beside its prediction, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.components.outcomes import Mark, bucket, kind_of_span, paired
from runner.components.parser_scores import arc_outcomes
from runner.components.textcat_scores import cats_chances, cats_outcomes
from runner.corpus.doc import Doc
from runner.corpus.example import Example

WORDS = "Ada Lovelace met Bo in Rome on Monday".split()


def example(reference: dict, predicted: dict) -> Example:
    return Example(Doc(WORDS, **predicted), Doc(WORDS, **reference))


def test_entities_are_missed_invented_or_of_wrong_type_or_boundary():
    gold = [(0, 2, "PER"), (3, 4, "PER"), (5, 6, "LOC")]
    guesses = [(1, 2, "PER"), (3, 4, "LOC"), (7, 8, "DATE")]
    one = example({"ents": gold}, {"ents": guesses})
    one.predicted.ents[1].confidence = 0.75
    outcomes = runner.blank().add_pipe("ner").outcomes(one)
    assert [(o.kind, o.gold, o.predicted) for o in outcomes] == [
        ("wrong boundary", Mark(0, 2, "PER"), Mark(1, 2, "PER")),
        ("wrong type", Mark(3, 4, "PER"), Mark(3, 4, "LOC")),
        ("missed", Mark(5, 6, "LOC"), None),
        ("invented", None, Mark(7, 8, "DATE")),
    ]
    assert [o.confidence for o in outcomes] == [None, 0.75, None, None]
    assert [o.groups["length"] for o in outcomes] == ["2 words", "1 word", "1 word", "1 word"]


def test_entities_that_cannot_be_wrong_are_no_outcome():
    ner = runner.blank().add_pipe("ner")
    assert ner.outcomes(example({}, {"ents": [(0, 1, "PER")]})) == []  # no gold annotation
    unknown = example({"ents": [], "unknown_ents": [(0, 2)]}, {"ents": [(0, 1, "PER"), (3, 4, "PER")]})
    assert [o.place.start for o in ner.outcomes(unknown)] == [3]


spans = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.sampled_from("AB")), max_size=6).map(
    lambda rows: {(start, start + length, name) for start, length, name in rows}
)


@given(spans, spans)
def test_each_span_stands_in_one_pair_and_equal_spans_pair(gold, predicted):
    pairs = paired(gold, predicted)
    assert sorted(a for a, _ in pairs if a) == sorted(gold)
    assert sorted(b for _, b in pairs if b) == sorted(predicted)
    for a, b in pairs:
        assert a is None or b is None or (a[0] < b[1] and b[0] < a[1])
    assert sum(kind_of_span(*pair) == "right" for pair in pairs) == len(gold & predicted)


def test_tags_are_right_or_wrong_where_gold_is_known():
    tags = ["NNP", "NNP", "VBD", None, "IN", "NNP", "IN", "NNP"]
    guesses = ["NNP", "NN", "VBD", "NN", "IN", "NNP", "RP", "NNP"]
    one = example({"tags": tags}, {"tags": guesses})
    one.predicted.confidence = {"tags": [0.9, 0.4, 0.8, 0.7, 1.0, 1.0, 0.6, 1.0]}
    outcomes = runner.blank().add_pipe("tagger").outcomes(one)
    assert len(outcomes) == 7
    wrong = [(o.gold, o.predicted, o.confidence) for o in outcomes if o.kind != "right"]
    assert wrong == [(Mark(1, 2, "NNP"), Mark(1, 2, "NN"), 0.4), (Mark(6, 7, "IN"), Mark(6, 7, "RP"), 0.6)]


def test_arcs_have_a_wrong_head_a_wrong_label_or_both():
    gold = {
        "heads": [1, 2, 2, 2, 5, 2, 7, 2],
        "deps": ["compound", "nsubj", "root", "obj", "case", "obl", "punct", "obl"],
    }
    own = {"heads": [2, 2, 2, 2, 3, 2, 7, 5], "deps": ["compound", "obj", "root", "obj", "mark", "obl", "punct", "obl"]}
    one = example(gold, own)
    one.predicted.confidence = {"heads": [0.5] * 8, "deps": [0.5] * 8}
    outcomes = arc_outcomes(one, ignore_punct=True)
    assert [(o.place.start, o.kind, o.groups["distance"]) for o in outcomes] == [
        (0, "wrong head", "1 word"),
        (1, "wrong label", "1 word"),
        (2, "right", "root"),
        (3, "right", "1 word"),
        (4, "wrong head and label", "1 word"),
        (5, "right", "3–4 words"),
        (7, "wrong head", "5–8 words"),
    ]
    assert outcomes[4].predicted == Mark(4, 5, "mark", 3)
    assert outcomes[0].confidence == 0.25  # of the head, and of the label given the head


@pytest.mark.parametrize(("ignore_punct", "kind"), [(True, "wrong label"), (False, "right")])
def test_labels_are_compared_as_the_scores_compare_them(ignore_punct, kind):
    heads = [0] * len(WORDS)
    one = example({"heads": heads, "deps": ["nmod"] * 8}, {"heads": heads, "deps": ["nmod:poss"] * 8})
    assert {o.kind for o in arc_outcomes(one, ignore_punct=ignore_punct)} == {kind}


def test_an_exclusive_category_is_right_or_wrong():
    one = example({"cats": {"A": 1.0, "B": 0.0}}, {"cats": {"A": 0.3, "B": 0.7}})
    (outcome,) = cats_outcomes(one, exclusive=True, threshold=None)
    assert (outcome.kind, outcome.gold.label, outcome.predicted.label) == ("wrong category", "A", "B")
    assert outcome.confidence == 0.7
    (missed,) = cats_outcomes(one, exclusive=True, threshold=0.8)
    assert (missed.kind, missed.predicted) == ("missed", None)
    assert [tuple(chance) for chance in cats_chances(one, exclusive=True)] == [("A", 0.3, True), ("B", 0.7, False)]


def test_categories_that_are_not_exclusive_are_judged_one_by_one():
    one = example({"cats": {"A": 1.0, "B": 0.0, "C": 1.0}}, {"cats": {"A": 0.9, "B": 0.6, "C": 0.2, "D": 0.8}})
    outcomes = cats_outcomes(one, exclusive=False, threshold=None)  # nothing is known of D
    assert [(o.kind, o.place.label, o.confidence) for o in outcomes] == [
        ("right", "A", 0.9), ("invented", "B", 0.6), ("missed", "C", 0.2),
    ]  # fmt: skip
    assert [chance.label for chance in cats_chances(one, exclusive=False)] == ["A", "B", "C"]


def test_numbers_fall_into_named_ranges():
    assert [bucket(n, (1, 2, 4), "words") for n in (1, 2, 3, 5)] == ["1 word", "2 words", "3–4 words", "5+ words"]
