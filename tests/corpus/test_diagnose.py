"""What a corpus holds, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from runner.corpus.annotations import read_annotations
from runner.corpus.diagnose import (
    crossing_arcs,
    has_cycle,
    part_facts,
    plain,
    shared_facts,
)
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.tokenizer import syntok


def example(text: str, source: str = "a:1", **annotations: Any) -> Example:
    return Example.from_doc(Doc(text.split(), source=source, **annotations))


class TestTrees:
    @pytest.mark.parametrize(
        ("heads", "crossed"),
        [
            ([0], 0),
            ([1, 1, 1], 0),
            ([2, 3, 3, 3], 1),  # 0→2 and 1→3
            ([2, 1, 2], 1),  # the root 1 lies under the arc 0→2 of another root
            ([1, 1, 3, 3], 0),  # two trees side by side
            ([None, 1, None], 0),
        ],
    )
    def test_crossing_arcs(self, heads, crossed):
        assert crossing_arcs(heads) == crossed

    @pytest.mark.parametrize(
        ("heads", "cycle"), [([0, 0, 1], False), ([1, 0], True), ([1, 2, 1, 3], True), ([None, 0], False)]
    )
    def test_cycles(self, heads, cycle):
        assert has_cycle(heads) is cycle


class TestPart:
    def test_sizes_and_quantiles(self):
        facts = part_facts([example("a b c"), example("A"), example("b b", sent_starts=[True, True])])
        assert (facts.n_docs, facts.n_sents, facts.n_words, len(facts.words)) == (3, 4, 6, 3)
        assert facts.lengths == {"min": 1, "median": 1, "mean": 1.5, "p95": 3, "max": 3}

    def test_duplicates_and_those_that_disagree(self):
        train = [
            example("Ada slept", "a:1", ents=[(0, 1, "PER")]),
            example("Ada slept", "a:4", ents=[(0, 1, "PER")]),
            example("Ada slept", "a:7", ents=[]),
            Example.from_doc(Doc(["Ada", "sle", "pt"], source="a:9", ents=[(0, 1, "PER")])),  # the same on other tokens
        ]
        texts = part_facts(train).texts
        assert texts["duplicates"].n == 3
        assert texts["duplicates"].places == ["a:4 = a:1", "a:7 = a:1", "a:9 = a:1"]
        assert texts["duplicates that disagree"].places == ["a:7 = a:1"]

    def test_entities(self):
        facts = part_facts(
            [
                example("Ada met Lin", ents=[(0, 1, "PER"), (2, 3, "PER")]),
                example("Oslo\u200b is cold", "a:2", ents=[(0, 1, "LOC")]),
                example("in Oslo . Lin", "a:3", ents=[(1, 4, "LOC")], sent_starts=[True, False, False, True]),
                example("! !", "a:4", ents=[(0, 2, "ORG")]),
                example("nothing here", "a:5", ents=[]),
                example("never annotated", "a:6"),
            ]
        ).annotations["entities"]
        assert (facts.n_annotated, facts.n_docs, facts.n_values) == (5, 6, 5)
        assert facts.labels == {"PER": 2, "LOC": 2, "ORG": 1}
        assert {name: trouble.places for name, trouble in facts.troubles.items()} == {
            "bordering white space": ["a:2 'Oslo\\u200b'"],
            "crossing a sentence's end": ["a:3 'Oslo . Lin'"],
            "of punctuation alone": ["a:4 '! !'"],
            "docs without entities": ["a:5"],
        }

    def test_entities_that_do_not_align(self):
        doc = read_annotations({"text": "In Oslo-based firms", "entities": [[3, 6, "LOC"]]}, syntok(), "a:1")
        trouble = part_facts([Example.from_doc(doc)]).annotations["entities"].troubles
        assert trouble["not aligned with the tokens"].n == 1

    def test_trees(self):
        facts = part_facts(
            [
                example("a b c d", "a:1", heads=[2, 3, 3, 3], deps=["x", "x", "y", "root"]),
                example("a b", "a:2", heads=[0, 1], deps=["root", "root"]),
                example("a b", "a:3", heads=[1, 0], deps=["x", "x"]),
                example("a b", "a:4", heads=[1, None]),
            ]
        ).annotations["trees"]
        assert facts.n_values == 9
        assert {name: (t.n, t.places) for name, t in facts.troubles.items()} == {
            "not projective": (1, ["a:1"]),
            "arcs that cross another": (1, ["a:1"]),
            "more roots than sentences": (1, ["a:2"]),
            "heads that lead in a circle": (1, ["a:3"]),
            "docs with a head for some words only": (1, ["a:4"]),
        }

    def test_categories_count_from_one_half(self):
        facts = part_facts(
            [example("a", cats={"X": 1.0, "Y": 0.0}), example("b", "a:2", cats={"X": 0.2, "Y": 0.1}), example("c")]
        ).annotations["categories"]
        assert facts.labels == {"X": 1, "Y": 0}
        assert facts.n_annotated == 2
        assert facts.troubles["docs of no category"].places == ["a:2"]

    def test_as_plain_values(self):
        facts = plain(part_facts([example("Ada slept", ents=[(0, 1, "PER")], tags=["NNP", None])]))
        assert facts["n_distinct_words"] == 2
        assert facts["annotations"]["tags"]["labels"] == {"NNP": 1}
        assert facts["annotations"]["tags"]["troubles"] == {
            "docs with a tag for some words only": {"n": 1, "places": ["a:1"]}
        }


def test_train_beside_dev():
    train = [
        example("Ada met Lin in Oslo today", "t:1", ents=[(0, 1, "PER"), (4, 5, "LOC")]),
        example("Yes", "t:9", ents=[]),
    ]
    dev = [
        example("yes", "d:1", ents=[]),  # another text: case counts
        example("Ada  met Lin in Oslo today", "d:2", ents=[(4, 5, "LOC")]),
        example("Yes", "d:3", ents=[]),
        example("Bo left", "d:4", ents=[(0, 1, "PER")]),
    ]
    shared = shared_facts(train, dev, part_facts(train), part_facts(dev))
    assert (shared.overlap.n, shared.overlap.places) == (2, ["d:2 = t:1", "d:3 = t:9"])
    assert shared.overlap_long.places == ["d:2 = t:1"]
    assert shared.unknown_words == pytest.approx(2 / 10)
    assert shared.unknown_entities == pytest.approx(1 / 2)
