"""Equal fingerprints: the same settings, data and code, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.compose import compose
from runner.corpus.datasets import SourceFile
from runner.launch import fingerprint as module
from runner.launch.fingerprint import fingerprint

SOURCES = [SourceFile("x", "train", Path("a"), "11", 1, 1), SourceFile("x", "dev", Path("b"), "22", 1, 1)]


@pytest.mark.parametrize(
    "more",
    [
        "output_dir=elsewhere", "tracking=none", "resume=auto", "force=true", "fail_fast=true", "training.checkpoint_steps=5",
        "corpus.cache=elsewhere", "training.errors=false",
    ],
)  # fmt: skip
def test_what_does_not_touch_the_result_does_not_count(more):
    assert fingerprint(compose([more]), SOURCES) == fingerprint(compose([]), SOURCES)


@pytest.mark.parametrize(
    "more",
    ["seed=1", "optimizer.learn_rate=0.002", "dropout.start=0.5", "pipeline=tagger", "batch=words", "corpus.limit=3"],
)
def test_what_does_counts(more):
    assert fingerprint(compose([more]), SOURCES) != fingerprint(compose([]), SOURCES)


def test_data_counts_by_what_it_holds():
    moved = [SourceFile("y", one.split, Path("elsewhere"), one.sha256, 1, 1) for one in SOURCES]
    other = [SOURCES[0], SourceFile("x", "dev", Path("b"), "33", 1, 1)]
    config = compose([])
    assert fingerprint(config, moved) == fingerprint(config, SOURCES) != fingerprint(config, other)


def test_code_counts(monkeypatch):
    before = fingerprint(compose([]), SOURCES)
    monkeypatch.setattr(module, "code_digest", lambda: "another")
    assert fingerprint(compose([]), SOURCES) != before
