"""What a corpus holds, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from runner.corpus.diagnose import (
    part_facts,
    plain,
    shared_facts,
)
from runner.corpus.doc import Doc
from runner.corpus.example import Example


def example(text: str, source: str = "a:1", **annotations: Any) -> Example:
    return Example.from_doc(Doc(text.split(), source=source, **annotations))


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

    def test_as_plain_values(self):
        facts = plain(part_facts([example("Ada slept", ents=[(0, 1, "PER")], tags=["NNP", None])]))
        assert facts["n_distinct_words"] == 2
        assert "words" not in facts


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
