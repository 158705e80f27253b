"""Run names: the task, and what differs from the defaults."""

from __future__ import annotations

import doctest

import pytest

from runner.tracking import run_name as module
from runner.tracking.run_name import LONGEST, run_name


@pytest.mark.parametrize(("overrides", "name"), [
    ([], "ner"),
    (["pipeline=ner", "tracking.uri=sqlite:///a.db", "output_dir=/tmp/x", "hydra/launcher=basic"], "ner"),
    (["optimizer=sgd", "training.max_epochs=5"], "sgd epochs=5"),
    (["dropout=constant", "dropout.start=0.25"], "drop=constant drop=.25"),
    (["corpus=files", "corpus.train=my.jsonl", "init.model=outputs/a/model-best"], "continued"),
    (["experiment=recipe", "variant=no_L2"], "recipe no_L2"),
    (["~pipeline.components.parser"], "without parser"),
    (["+augmenters.mine={type: noise}", "+training.max_epochs=3"], "epochs=3"),
])  # fmt: skip
def test_names(overrides: list[str], name: str) -> None:
    assert run_name(["ner"], "sample", overrides) == name


def test_a_task_that_is_not_the_default_is_told() -> None:
    assert run_name(["tagger"], "sample", ["pipeline=tagger", "training.max_epochs=4"]) == "tagger epochs=4"
    assert run_name(["tagger"], "files", ["corpus=files", "corpus.dev=dev.jsonl"]) == "tagger"


def test_a_sweep_s_keys_stand_first_and_the_corpus_is_told() -> None:
    words = ["training.max_epochs=4", "optimizer=adam", "tok2vec.depth=2"]
    assert run_name(["ner"], "wnut17", words, "optimizer=adam tok2vec.depth=2") == "wnut17 adam depth=2 epochs=4"


def test_a_long_name_says_that_something_is_left_out() -> None:
    name = run_name(["ner"], "sample", [f"tok2vec.a_setting_{i}={i}" for i in range(9)])
    assert len(name) <= LONGEST + 2
    assert name.endswith(" …")
    assert run_name(["x" * 99], "sample", []).endswith("x …")


def test_docstrings() -> None:
    assert doctest.testmod(module).failed == 0
