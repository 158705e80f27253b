"""What components count in a corpus, held against counts by hand."""

from __future__ import annotations

from typing import Any

import runner
from runner.components.facts import Facts
from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.tokenizer import syntok


def example(text: str, source: str = "a:1", **annotations: Any) -> Example:
    return Example.from_doc(Doc(text.split(), source=source, **annotations))


def facts_of(name: str, examples: list[Example]) -> Facts:
    return runner.blank("en").add_pipe(name).facts(examples)


def test_entities():
    facts = facts_of(
        "ner",
        [
            example("Ada met Lin", ents=[(0, 1, "PER"), (2, 3, "PER")]),
            example("Oslo\u200b is cold", "a:2", ents=[(0, 1, "LOC")]),
            example("in Oslo . Lin", "a:3", ents=[(1, 4, "LOC")], sent_starts=[True, False, False, True]),
            example("! !", "a:4", ents=[(0, 2, "ORG")]),
            example("nothing here", "a:5", ents=[]),
            example("never annotated", "a:6"),
        ],
    )
    assert (facts.n_annotated, facts.n_docs, facts.n_values) == (5, 6, 5)
    assert facts.labels == {"PER": 2, "LOC": 2, "ORG": 1}
    assert {name: fault.places for name, fault in facts.faults.items()} == {
        "bordering white space": ["a:2 'Oslo\\u200b'"],
        "crossing a sentence's end": ["a:3 'Oslo . Lin'"],
        "of punctuation alone": ["a:4 '! !'"],
        "docs without entities": ["a:5"],
    }


def test_entities_that_do_not_align():
    doc = read_annotations({"text": "In Oslo-based firms", "entities": [[3, 6, "LOC"]]}, syntok(), "a:1")
    assert facts_of("ner", [Example.from_doc(doc)]).faults["not aligned with the tokens"].n == 1


def test_trees():
    facts = facts_of(
        "parser",
        [
            example("a b c d", "a:1", heads=[2, 3, 3, 3], deps=["x", "x", "y", "root"]),
            example("a b", "a:2", heads=[0, 1], deps=["root", "root"]),
            example("a b", "a:3", heads=[1, 0], deps=["x", "x"]),
            example("a b", "a:4", heads=[1, None]),
        ],
    )
    assert facts.n_values == 9
    assert {name: (t.n, t.places) for name, t in facts.faults.items()} == {
        "not projective": (1, ["a:1"]),
        "arcs that cross another": (1, ["a:1"]),
        "more roots than sentences": (1, ["a:2"]),
        "heads that lead in a circle": (1, ["a:3"]),
        "docs with a head for some words only": (1, ["a:4"]),
    }


def test_tags():
    facts = facts_of("tagger", [example("Ada slept", tags=["NNP", None])]).as_dict()
    assert facts["labels"] == {"NNP": 1}
    assert facts["troubles"] == {"docs with a tag for some words only": {"n": 1, "places": ["a:1"]}}


def test_categories_count_from_one_half():
    facts = facts_of(
        "textcat",
        [example("a", cats={"X": 1.0, "Y": 0.0}), example("b", "a:2", cats={"X": 0.2, "Y": 0.1}), example("c")],
    )
    assert facts.labels == {"X": 1, "Y": 0}
    assert facts.n_annotated == 2
    assert facts.faults["docs of no category"].places == ["a:2"]
