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


def test_files_of_vectors_and_encoders_count_by_content_wherever_they_lie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "encoder"
    folder.mkdir()
    for words, file in (
        (["vectors=file", "vectors.path=a.vec"], tmp_path / "a.vec"),
        (["tok2vec.vectors=a.vec"], tmp_path / "a.vec"),
        (["tok2vec=encoder", "tok2vec.model=encoder"], folder / "model.safetensors"),
    ):
        seen = []
        for content in ("the 1 2", "the 1 3", "the 1 2"):
            file.write_text(content)
            seen.append(module.settings(compose(words)))
        assert seen[0] == seen[2] != seen[1]
        file.unlink()
        assert module.settings(compose(words))  # a trained model holds what it needs
