"""`corpus.old_dev`: what a run forgets of what the model that it started from knew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.commands.recorders import Models
from runner.tracking.journal import read_journal
from tests.commands.test_init_model import Ended, data, place, places, train  # noqa: F401

OLD = "corpus.old_dev=people.jsonl"


@pytest.fixture
def model(place: Path) -> Path:  # noqa: F811
    """The folder of `place`, with data that annotate places and not people."""
    places(place)
    return place


def forgetful(model: Path, out: str, *words: str) -> Ended:
    files = ("corpus.train=places.jsonl", "corpus.dev=both.jsonl", OLD)
    return train(model, out, "init.model=first", "~pipeline.components.tagger", *files, "training.max_epochs=6", *words)


def f_of(model: Path, run: Path, label: str) -> float:
    found = runner.load(run).evaluate(list(runner.read_corpus(model / "people.jsonl")))
    f: float = found["per_type"]["ner"][label]["f"]
    return f


def test_forgetting_is_the_f_before_less_the_f_now(model: Path) -> None:
    ended = forgetful(model, "forgets")
    assert ended.code == 0, ended.stderr
    before, last = f_of(model, model / "first", "PER"), f_of(model, model / "forgets/model-last", "PER")
    assert before > 0.8
    assert last < before
    start = ended.summary["init"]["old_dev"]
    assert start["by_label"] == {"PER": before}
    gone = (
        before
        - runner.load(model / "forgets/model-last").evaluate(list(runner.read_corpus(model / "people.jsonl")))["ents_f"]
    )
    assert ended.stdout.split("Epoch")[1].split("\n")[0].count("Forgot") == 1
    assert f"{100 * gone:.2f}" in ended.stdout.split("Epoch")[1].splitlines()[7]
    assert ", on the old dev set: NER P" in ended.stdout
    best = ended.summary["best"]
    assert best["forgetting"]["PER"] == pytest.approx(before - f_of(model, model / "forgets", "PER"))
    assert best["old_dev"]["score"] == pytest.approx(start["scores"]["score"] - best["forgetting"]["score"])


def test_mlflow_has_the_curves_and_the_data_set(
    model: Path, monkeypatch: pytest.MonkeyPatch, fresh_mlflow: None
) -> None:
    import mlflow

    ended = forgetful(model, "tracked", "tracking=mlflow", f"tracking.uri=sqlite:///{model}/old.db")
    assert ended.code == 0, ended.stderr
    client = mlflow.MlflowClient(f"sqlite:///{model}/old.db")
    run = client.get_run(ended.summary["run_id"])
    assert {"forgetting/PER", "forgetting/score", "old_dev/score", "old_dev/ents_f"} <= run.data.metrics.keys()
    assert len(client.get_metric_history(run.info.run_id, "forgetting/PER")) == 6
    events = [one for one in read_journal(model / "tracked" / "journal.jsonl") if one["event"] == "evaluation"]
    before, last = f_of(model, model / "first", "PER"), f_of(model, model / "tracked/model-last", "PER")
    assert events[-1]["values"]["forgetting/PER"] == pytest.approx(before - last)
    start, values = ended.summary["init"]["old_dev"]["scores"]["score"], events[-1]["values"]
    assert values["forgetting/score"] == pytest.approx(start - values["old_dev/ents_f"])
    contexts = {tag.value for one in run.inputs.dataset_inputs for tag in one.tags}
    assert contexts == {"train", "dev", "old_dev"}


def test_old_data_change_no_weight_and_no_choice(model: Path) -> None:
    with_old = forgetful(model, "with_old")
    without = forgetful(model, "without_old", "corpus.old_dev=null")
    assert with_old.summary["weights_sha256"] == without.summary["weights_sha256"]
    assert with_old.summary["best"]["epoch"] == without.summary["best"]["epoch"]
    assert with_old.summary["fingerprint"] != without.summary["fingerprint"]
    assert "forgetting" not in without.summary["best"]
    assert "Forgot" not in without.stdout


def test_labels_of_two_components_are_told_apart(model: Path) -> None:
    ended = train(model, "two", "init.model=first", *data("both"), OLD, "training.best_epoch=each")
    assert ended.code == 0, ended.stderr
    assert {"ner/PER", "tagger/N", "score"} <= ended.summary["best"]["forgetting"].keys()
    alone = train(model, "one_of_two", "init.model=first", *data("both"), OLD, "training.components=[ner]")
    assert alone.summary["best"]["forgetting"].keys() == {"score", "PER"}


def test_a_run_that_was_interrupted_goes_on_with_the_same_figures(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = forgetful(model, "whole")
    record = Models.record

    def interrupted(self: Models, step: Any) -> None:
        record(self, step)
        if step.epoch == 3 and step.evaluation is not None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Models, "record", interrupted)
        assert forgetful(model, "halved").code == 130
    (model / "people.jsonl").rename(model / "kept.jsonl")
    record_of_one = json.loads((model / "kept.jsonl").read_text("utf8").splitlines()[0])
    (model / "people.jsonl").write_text(json.dumps(record_of_one | {"entities": ["O"] * 3 + ["U-PER", "O"]}) + "\n")
    changed = forgetful(model, "halved", "resume=auto")
    (model / "kept.jsonl").rename(model / "people.jsonl")
    assert changed.code == 2
    assert "corpus.old_dev: the old dev data has changed since the run was interrupted" in changed.stderr
    ended = forgetful(model, "halved", "resume=auto")
    assert ended.code == 0, ended.stderr
    for key in ("best", "init", "weights_sha256"):
        assert ended.summary[key] == whole.summary[key]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pipeline=ner", "init.model=null"], "there are old dev data, and no model that could forget"),
        (["pipeline=textcat_bow", "training.components=[textcat]"], "the model that the run starts from has none"),
        (["training.components=[ner]", "corpus.old_dev=more.jsonl"], "the old dev data have no gold for ner"),
        (["corpus.old_dev=nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_old_data_that_tell_nothing_are_refused(model: Path, words: list[str], told: str) -> None:
    files = data("more") if "pipeline=textcat_bow" in words else data("both")
    ended = train(model, "refused", "init.model=first", OLD, *files, *words)
    assert ended.code == 2
    fact, hint = [line for line in ended.stderr.splitlines() if "no label of" not in line][-2:]
    assert told in fact
    assert hint.startswith("  ")
