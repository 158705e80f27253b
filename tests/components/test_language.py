"""pipeline.lang reaches a tokenizer that takes a language, in a run as in Python."""

import pytest

import runner
from runner.components.pipeline import Pipeline
from runner.config.compose import compose
from runner.errors import RunnerError


def test_a_run_hands_its_language_to_the_tokenizer():
    spacy = ["pipeline.tokenizer.type=spacy", "pipeline.lang=de"]
    assert compose(spacy).pipeline.tokenizer == {"type": "spacy", "lang": "de"}
    assert compose(spacy).resolved["pipeline"]["tokenizer"] == {"type": "spacy", "lang": "de"}
    assert compose(["pipeline.lang=de"]).pipeline.tokenizer == {"type": "syntok"}


def test_two_languages_are_refused_and_the_hint_works():
    both = ["pipeline.tokenizer.type=spacy", "+pipeline.tokenizer.lang=de"]
    with pytest.raises(RunnerError, match=r"pipeline\.tokenizer\.lang: the tokenizer's language is 'de'") as caught:
        compose(both)
    assert "Set pipeline.lang=de," in str(caught.value)
    assert compose([*both, "pipeline.lang=de"]).pipeline.tokenizer["lang"] == "de"
    with pytest.raises(RunnerError, match=r"and pipeline\.lang is 'fr'"):
        runner.blank("fr", tokenizer={"type": "spacy", "lang": "de"})


def test_a_model_saved_before_keeps_the_english_rules_it_was_trained_on(tmp_path):
    nlp = Pipeline("de", tokenizer={"type": "spacy"})
    nlp.add_pipe("ner").add_label("X")
    nlp.tokenizer_block = {"type": "spacy"}  # as it was written then
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model").tokenizer_block == {"type": "spacy", "lang": "en"}
