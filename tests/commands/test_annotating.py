"""`training.annotating`: a model's tagger is frozen, and what it writes is a feature of the recognizer that learns."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.__main__ import main
from runner.commands import recorders
from runner.corpus.locate import SAMPLE

TINY = (
    "corpus=files", "tracking=none", "dropout=constant", "training.max_epochs=2", "batch=words", "batch.size=100",
    "optimizer.learn_rate=0.01", f"corpus.train={SAMPLE / 'train.jsonl'}", f"corpus.dev={SAMPLE / 'dev.jsonl'}",
    "corpus.limit=60", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100",
)  # fmt: skip
READS_TAGS = ("init.model=tagger", "pipeline=ner", "tok2vec.features=[norm,suffix,tag]", "training.components=[ner]")
ANNOTATING = (*READS_TAGS, "training.annotating=[tagger]")


BARE = tuple(word for word in TINY if not word.startswith("tok2vec"))  # all components are a model's


def train(
    cwd: Path, out: str, *overrides: str, code: int = 0, common: tuple[str, ...] = TINY
) -> tuple[dict[str, Any], str]:
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        ended = main([*common, f"output_dir={out}", *overrides])
    assert ended == code, complained.getvalue()
    summary = cwd / out / "summary.json"
    return json.loads(summary.read_text("utf8")) if summary.exists() else {}, complained.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("annotating")
    train(folder, "tagger", "pipeline=tagger")
    return folder


def test_the_model_scores_on_its_own_as_it_did_in_training(place: Path) -> None:
    summary, _ = train(place, "read", *ANNOTATING)
    nlp = runner.load(place / "read")
    assert nlp.pipe_names == ["tagger", "ner"]  # whoever annotates stands first
    dev = list(runner.read_corpus(SAMPLE / "dev.jsonl"))[:60]
    assert nlp.evaluate(dev)["ents_f"] == pytest.approx(summary["best"]["scores"]["ents_f"], abs=1e-9)
    before = runner.load(place / "tagger").network.values("tagger")
    after = nlp.network.values("tagger")
    assert all((before[path] == after[path]).all() for path in before)


def test_packed_augmented_and_resumed_it_is_the_same_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*ANNOTATING, "augmenters=noise", "training.checkpoint_steps=1")
    whole, _ = train(place, "whole", *words)
    packed, _ = train(place, "packed", *words, "corpus.in_memory_words=0", "corpus.cache=cache")
    assert packed["weights_sha256"] == whole["weights_sha256"]
    record = recorders.Checkpoints.record

    def interrupt(self: Any, step: Any) -> None:
        record(self, step)
        if step.step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recorders.Checkpoints, "record", interrupt)
        train(place, "halved", *words, code=130)
    resumed, _ = train(place, "halved", *words, "resume=auto")
    assert resumed["weights_sha256"] == whole["weights_sha256"]


def test_the_run_that_goes_on_from_it_reads_tags_too(place: Path) -> None:
    train(place, "first", *ANNOTATING)
    again = ("init.model=first", "training.components=[ner]", "training.annotating=[tagger]")
    summary, _ = train(place, "second", *again, common=BARE)
    assert summary["init"]["score"] == pytest.approx(
        json.loads((place / "first/summary.json").read_text())["best"]["score"]
    )
    for teacher in ("itself", "labels"):
        train(place, f"taught_{teacher}", *again, f"teacher={teacher}", "training.max_epochs=1", common=BARE)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (READS_TAGS, "tok2vec.features: the feature 'tag' reads tags that another component has written"),
        (
            (*READS_TAGS[:-1], "training.annotating=[tagger]"),
            "training.annotating: 'tagger' learns, and so cannot annotate",
        ),
        (
            (*READS_TAGS, "training.annotating=[taggr]"),
            "training.annotating: there is no component 'taggr'; did you mean",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(place: Path, words: tuple[str, ...], told: str) -> None:
    _, complained = train(place, "refused", *words, code=2)
    assert told in " ".join(complained.split())
    assert len(complained.splitlines()) <= 3
