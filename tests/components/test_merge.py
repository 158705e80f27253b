"""Merging phrases and entities into one token, while training and while predicting."""

from __future__ import annotations

import runner
from runner.corpus.alignment import Alignment
from runner.corpus.doc import Doc
from runner.corpus.example import Example


def hotel():
    """find a hotel in New York City: `New York City` is one place for whoever asks."""
    return Doc(
        ["find", "a", "hotel", "in", "New", "York", "City"],
        heads=[0, 2, 0, 6, 6, 6, 2],
        deps=["ROOT", "-", "PLACE", "-", "-", "-", "LOCATION"],
        ents=[(4, 7, "GPE")],
    )


def test_retokenizing_keeps_text_and_tree():
    doc = hotel()
    doc.retokenize([(4, 7)])
    assert doc.words == ["find", "a", "hotel", "in", "New York City"]
    assert doc.text == "find a hotel in New York City"
    assert doc.heads == [0, 2, 0, 4, 2]
    assert doc.deps == ["ROOT", "-", "PLACE", "-", "LOCATION"]
    assert [ent.as_tuple() for ent in doc.ents] == [(4, 5, "GPE")]


def test_gold_trees_cross_over_to_merged_tokens():
    reference = hotel()
    predicted = reference.copy_unannotated()
    predicted.retokenize([(4, 7)])
    example = Example(predicted, reference)
    assert example.aligned_heads() == [0, 2, 0, 4, 2]
    assert example.aligned_deps() == ["ROOT", "-", "PLACE", "-", "LOCATION"]
    assert example.aligned_ents() == [(4, 5, "GPE")]


def test_a_token_of_two_roots_has_no_head():
    reference = Doc(["go", "home", "now"], heads=[0, 1, 0], deps=["ROOT", "ROOT", "TIME"])
    predicted = reference.copy_unannotated()
    predicted.retokenize([(0, 2)])
    assert Example(predicted, reference).aligned_heads() == [None, 0]


def test_merged_tells_what_holds_what():
    made_of, holder = Alignment(["a", "b", "cd", "e"], ["ab", "c", "de"]).merged()
    assert made_of == [(0, 2), None, None]
    assert holder == [0, 0, None, 2]


def test_phrases_are_found_in_any_case_longest_first():
    nlp = runner.blank("en")
    step = nlp.add_pipe("merge", {"phrases": ["good wifi", "free good wifi", "new york"]})
    doc = nlp.make_doc("Free good WiFi in New York, good wifi!")
    assert [doc[start:end].text for start, end in step.spans(doc, [])] == ["Free good WiFi", "New York", "good wifi"]


def test_a_parser_after_the_step_learns_on_merged_tokens():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 24, "depth": 1, "embed_size": 100}})
    nlp.add_pipe("merge")
    nlp.add_pipe("parser", {"tok2vec": {"type": "hash_embed_cnn", "width": 24, "depth": 1, "embed_size": 100}})
    examples = [Example.from_doc(hotel())]
    sgd = nlp.initialize(lambda: examples)
    for _ in range(60):
        losses = {}
        nlp.update(examples, sgd=sgd, losses=losses)
    assert set(losses) == {"ner", "parser"}
    doc = nlp("find a hotel in New York City")
    assert [(t.text, t.dep_, t.head.text) for t in doc if t.dep_ != "-"] == [
        ("find", "ROOT", "find"),
        ("hotel", "PLACE", "find"),
        ("New York City", "LOCATION", "hotel"),
    ]
    scores = nlp.evaluate(examples)
    assert (scores["ents_f"], scores["dep_las"]) == (1.0, 1.0)
    assert len(examples[0].predicted) == 7  # the examples keep their tokens
