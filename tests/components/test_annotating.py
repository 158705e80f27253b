"""Frozen components annotate for those that learn: what these read in training is what they read in prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runner
from runner.components.inputs import Batch
from runner.components.pipeline import Pipeline
from runner.components.teacher import Teacher
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import Lexemes, hash64

SMALL = {"type": "hash_embed_cnn", "width": 16, "depth": 0, "word_dropout": 0, "embed_size": 200}
BY_TAG = {**SMALL, "features": ["tag"]}
TAGGED = [
    ("Ann saw Rome", {"tags": ["N", "V", "N"]}),
    ("Bob ate soup", {"tags": ["N", "V", "M"]}),
    ("Eve met Oslo", {"tags": ["N", "V", "N"]}),
]
NAMED = [("Ann saw Rome", {"entities": [(0, 3, "X"), (8, 12, "X")]}), ("Bob ate soup", {"entities": [(0, 3, "X")]})]


def with_tagger(second: str = "ner", settings: dict[str, Any] | None = None) -> Pipeline:
    """A trained tagger, and a component beside it that has learned nothing."""
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", {"tok2vec": SMALL})
    sgd = nlp.initialize(TAGGED)
    for _ in range(30):
        nlp.update(*zip(*TAGGED, strict=True), sgd=sgd)
    nlp.add_pipe(second, settings or {"tok2vec": BY_TAG})
    return nlp


def learn(nlp: Pipeline, data: list[tuple[str, dict[str, Any]]], epochs: int = 40) -> None:
    nlp.select_pipes(disable="tagger")
    nlp.annotating = ["tagger"]
    sgd = nlp.initialize(data, start_over=False)
    for _ in range(epochs):
        nlp.update(*zip(*data, strict=True), sgd=sgd)


def test_a_feature_that_is_written_parts_words_by_what_stands_at_them() -> None:
    docs = [Doc(["a", "b", "a"], tags=["N", "V", "V"]), Doc(["a"], tags=["N"])]
    tokens = Batch.of(docs, Lexemes()).tokens(["norm", "tag"])
    rows = tokens.features[tokens.inverse].tolist()
    assert rows == [[hash64(word), hash64(tag)] for word, tag in zip("abaa", "NVVN", strict=True)]
    assert len(tokens.features) == 3  # (a, N), (b, V), (a, V)
    assert tokens.words is not None
    assert [tokens.words()[i] for i in tokens.inverse] == list("abaa")
    assert tokens.counts is not None
    assert tokens.counts.tolist() == [0, 0, 0]


def test_without_such_a_feature_nothing_is_parted() -> None:
    tokens = Batch.of([Doc(["a", "b", "a"], tags=["N", "V", "V"])], Lexemes()).tokens(["norm", "shape"])
    assert tokens.inverse.tolist() == [0, 1, 0]


def test_a_recognizer_finds_names_by_their_tags_alone() -> None:
    """It has never met Eve or Oslo; the tagger has."""
    nlp = with_tagger()
    learn(nlp, NAMED)
    assert [ent.text for ent in nlp("Eve met Oslo").ents] == ["Eve", "Oslo"]  # also while the tagger is disabled
    restored = runner.blank("en").from_bytes(nlp.to_bytes())
    assert [ent.text for ent in restored("Eve met Oslo").ents] == ["Eve", "Oslo"]


def test_whoever_annotates_keeps_every_bit_and_writes_once() -> None:
    nlp = with_tagger()
    before = nlp.network.values("tagger")
    examples = [Example.from_dict(nlp.make_doc(text), record) for text, record in NAMED]
    nlp.select_pipes(disable="tagger")
    nlp.annotating = ["tagger"]
    sgd = nlp.initialize(examples, start_over=False)
    nlp.update(examples, sgd=sgd)
    assert [example.predicted.tags for example in examples] == [["N", "V", "N"], ["N", "V", "M"]]
    examples[0].predicted.tags = ["M", "M", "M"]
    nlp.update(examples, sgd=sgd)
    assert examples[0].predicted.tags == ["M", "M", "M"]  # not predicted again
    after = nlp.network.values("tagger")
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_what_is_asked_without_annotation_is_predicted_first() -> None:
    """Candidates, likelihoods and a teacher's beliefs about bare docs are those of the whole pipeline; the docs stay bare."""
    nlp = with_tagger()
    learn(nlp, NAMED)
    bare, annotated = Doc(["Eve", "met", "Oslo"]), nlp("Eve met Oslo")
    assert nlp.ent_candidates([bare], 0.1) == nlp.ent_candidates([annotated], 0.1) != [[]]
    assert np.array_equal(Teacher(nlp).beliefs("ner", [bare]).P, Teacher(nlp).beliefs("ner", [annotated]).P)
    assert bare.tags is None
    assert not bare.has_ents


def test_merge_merges_what_a_recognizer_that_annotates_has_found() -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {**SMALL, "depth": 1}})
    names = [("Ann Lee left", {"entities": [(0, 7, "PER")]}), ("he left", {"entities": []})]
    sgd = nlp.initialize(names)
    for _ in range(40):
        nlp.update(*zip(*names, strict=True), sgd=sgd)
    nlp.add_pipe("merge")
    nlp.add_pipe("tagger", {"tok2vec": SMALL})
    nlp.select_pipes(disable="ner")
    nlp.annotating = ["ner"]
    example = Example.from_dict(nlp.make_doc("Ann Lee left"), {"tags": ["N", "N", "V"]})  # no entity is annotated
    nlp.update([example], sgd=nlp.initialize([example], start_over=False))
    assert nlp.components["merge"].retokenized(example).predicted.words == ["Ann Lee", "left"]
    assert nlp("Ann Lee left").words == ["Ann Lee", "left"]


@pytest.mark.parametrize(
    ("annotating", "disabled", "told"),
    [
        (["tager"], "tagger", "no component 'tager'; did you mean 'tagger'?"),
        (["tagger"], "", "'tagger' learns, and so cannot annotate"),
        ([], "tagger", "the feature 'tag' reads tags that another component has written, and a text has none"),
    ],
)
def test_who_cannot_annotate_is_refused(annotating: list[str], disabled: str, told: str) -> None:
    nlp = with_tagger()
    if disabled:
        nlp.select_pipes(disable=disabled)
    nlp.annotating = annotating
    sgd = nlp.initialize(NAMED, start_over=False)
    with pytest.raises(runner.RunnerError, match=told.replace("?", r"\?")):
        nlp.update(*zip(*NAMED, strict=True), sgd=sgd)


def test_whoever_annotates_stands_before_its_readers() -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": BY_TAG})
    nlp.add_pipe("tagger", source=with_tagger())
    nlp.select_pipes(disable="tagger")
    nlp.annotating = ["tagger"]
    sgd = nlp.initialize(NAMED, start_over=False)
    with pytest.raises(runner.RunnerError, match="'tagger' stands behind ner"):
        nlp.update(*zip(*NAMED, strict=True), sgd=sgd)
