"""End to end: a tracker in this process, its follower, a SQLite store, and what MLflow's own client then reads there."""

from __future__ import annotations

import dataclasses
import filecmp
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.errors import RunFailed, RunnerError
from runner.tracking.base import Resumed, RunEnd, RunInfo
from runner.tracking.journal import FILE_NAME, JournalWriter, read_journal
from runner.tracking.metric_names import as_shown
from runner.tracking.mlflow.follower import current_follower
from runner.tracking.mlflow.metrics import MAX_KEYS
from runner.tracking.mlflow.store import MODEL_FOLDER, fetch, store_uri
from runner.tracking.mlflow.tracker import MlflowTracker
from runner.tracking.past_run import PastRun, from_folder

from ..conftest import make_evaluation, make_models, make_run, make_step, three_steps

pytestmark = [pytest.mark.mlflow, pytest.mark.usefixtures("clean_environment")]

ABANDONED = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from conftest import make_run, three_steps
from runner.tracking.mlflow.tracker import MlflowTracker
tracker = MlflowTracker({uri!r})
tracker.start(make_run(Path({output_dir!r}), name="abandoned"))
for step in three_steps():
    tracker.record(step)
print(tracker._delivery.follower.pid, flush=True)
time.sleep(60)
"""


@dataclasses.dataclass
class Store:
    """A store with a run that finished, one that failed, one that was interrupted and one whose process was killed."""

    uri: str
    folder: Path
    client: Any
    models: dict[str, Path]
    ids: dict[str, str]

    def run(self, name: str) -> Any:
        return self.client.get_run(self.ids[name])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    uri = store_uri("sqlite:///runs.db", cwd=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_RUN_ID", "0" * 32)  # of some other run: must not leak in
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        parent = subprocess.Popen(
            [sys.executable, "-c", ABANDONED.format(
                paths=[str(Path(runner.__file__).parent.parent), str(Path(__file__).parent.parent)],
                uri=uri,
                output_dir=str(folder / "abandoned"),
            )],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        models = make_models(folder / "finished")
        ids = {
            "finished": track(uri, make_run(folder / "finished", name="finished"), models),
            "failed": track(uri, make_run(folder / "failed", name="failed"), status="FAILED", error="the loss is nan"),
        }
        ids["killed"] = track(uri, make_run(folder / "killed", name="killed"), status="KILLED", error="interrupted")
        wait_for_the_end(orphan)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("runner")
        (abandoned,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'abandoned'")
        ids["abandoned"] = abandoned.info.run_id
        yield Store(uri, folder, client, models, ids)


def track(
    uri: str, run: RunInfo, models: dict[str, Path] | None = None, status: Any = "FINISHED", error: Any = None
) -> str:
    tracker = MlflowTracker(uri)
    tracker.start(run)
    for step in three_steps():
        tracker.record(step)
    run_id = tracker.finish(RunEnd(status, error, models or {}))
    assert run_id is not None
    return run_id


def wait_for_the_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.05)
    raise AssertionError("the follower outlived its parent")


@pytest.mark.slow
def test_one_follower_for_all_runs(store: Store) -> None:
    assert current_follower() is current_follower()
    assert len(store.ids) == 4


def test_statuses(store: Store) -> None:
    statuses = {name: store.run(name).info.status for name in store.ids}
    assert statuses == {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED", "abandoned": "KILLED"}
    errors = {name: store.run(name).data.tags.get("error") for name in store.ids}
    assert errors["finished"] is None
    assert errors["failed"] == "the loss is nan"
    assert errors["killed"] == "interrupted"
    assert "without a word" in errors["abandoned"]


def test_parameters_tags_and_name(store: Store) -> None:
    run = store.run("finished")
    assert run.info.run_name == "finished"
    assert run.data.params == {"seed": "0", "optimizer.type": "adam", "optimizer.L2": "1e-06"}
    assert run.data.tags["component"] == "ner"
    assert run.data.tags["mlflow.source.git.commit"] == "0123abc"
    assert run.data.tags["output_dir"] == str(store.folder / "finished")
    assert run.data.tags["rank"] == "1 ner 0.600000"
    assert store.run("failed").data.tags["rank"] == "2 ner 0.600000"
    assert store.run("abandoned").data.tags["rank"] == "2 ner 0.600000"


def test_the_description_tells_links_data_and_labels(store: Store) -> None:
    run = store.run("finished")
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("Best score **40.00** at epoch 1.")
    assert "- Train: 3 texts, 30 words, `/data/tiny.iob`" in note
    here = f"#/experiments/{run.info.experiment_id}"
    (best,) = [
        output.model_id
        for output in run.outputs.model_outputs
        if store.client.get_logged_model(output.model_id).name == "model-best"
    ]
    assert f"[model-best]({here}/models/{best})" in note
    assert f"[curves]({here}/runs/{run.info.run_id}/artifacts/learning_curves.svg)" in note
    assert "| PER | 100.00 | 50.00 | 66.67 | 6 |" in note
    assert "[its sweep]" not in note
    assert "Goes on from" not in note


def test_every_metric_once_and_with_its_step(store: Store) -> None:
    for name in ("finished", "abandoned"):
        metrics = store.run(name).data.metrics
        assert metrics["train/batch_loss"] == pytest.approx(8 / 3)
        assert metrics["train/loss"] == pytest.approx((8 + 8 / 2 + 8 / 3) / 3 / 100)  # a word, mean of the updates
        every = {"train/loss": 1, "speed/words_per_second": 1, "dev/ents_f": 2, "train/epoch": 2}
        for key, first in every.items():
            history = store.client.get_metric_history(store.ids[name], key)
            assert [metric.step for metric in history] == list(range(first, 4))
        journal = {
            (key, event["step"], event["time"], as_shown(key, value))
            for event in read_journal(store.folder / name / "journal.jsonl")
            if event["event"] in ("metrics", "evaluation")
            for key, value in event["values"].items()
        }
        kept = {
            (metric.key, metric.step, metric.timestamp, metric.value)
            for key in metrics
            for metric in store.client.get_metric_history(store.ids[name], key)
        }
        assert journal <= kept
    metrics = store.run("finished").data.metrics
    assert metrics["dev/best_score"] == 0.4
    assert (metrics["train/best_step"], metrics["train/words"]) == (2, 300)
    assert store.client.get_metric_history(store.ids["finished"], "dev/best_score")[0].step == 2
    assert len(metrics) < 60


def test_scores_without_gold_are_absent(store: Store, tmp_path: Path) -> None:
    absent = dataclasses.replace(make_evaluation(0.4), score=None, scores={"ents_f": None, "token_acc": 1.0})
    tracker = MlflowTracker(store.uri)
    tracker.start(make_run(tmp_path / "unscored", name="unscored"))
    tracker.record(make_step(1, evaluation=absent, is_best=True))
    run_id = tracker.finish(RunEnd("FINISHED", None, make_models(tmp_path / "unscored")))
    run = store.client.get_run(run_id)
    metrics = run.data.metrics
    assert (run.info.status, metrics["dev/token_acc"], metrics["train/best_epoch"]) == ("FINISHED", 1.0, 1.0)
    assert not {"dev/score", "dev/ents_f", "dev/best_score"} & set(metrics)
    past = from_folder_with_summary(tmp_path / "unscored")
    assert ([point.score for point in past.points], past.final, past.scores) == ([None], {"epoch": 1, "step": 1}, {})


def from_folder_with_summary(folder: Path) -> PastRun:
    best = {"score": None, "epoch": 1, "step": 1, "scores": {"ents_f": None}}
    (folder / "summary.json").write_text(json.dumps({"status": "FINISHED", "best": best}), encoding="utf8")
    return from_folder(folder)


def test_data_sets_of_one_file_are_two(store: Store) -> None:
    inputs = store.run("finished").inputs.dataset_inputs
    found = {(one.dataset.name, one.dataset.digest, one.tags[0].value) for one in inputs}
    assert found == {("tiny-train", "abababab", "train"), ("tiny-dev", "abababab", "dev")}
    assert {json.loads(one.dataset.profile)["n_words"] for one in inputs} == {30, 10}


def test_artifacts(store: Store) -> None:
    paths = {file.path for file in store.client.list_artifacts(store.ids["finished"])}
    assert paths == {"config.yaml", "table.txt", "per_type_scores.json", "learning_curves.svg"}
    table = store.client.download_artifacts(store.ids["finished"], "table.txt")
    assert "- NER -" in Path(table).read_text()
    scores = json.loads(
        Path(store.client.download_artifacts(store.ids["finished"], "per_type_scores.json")).read_text()
    )
    rows = [dict(zip(scores["columns"], row, strict=True)) for row in scores["data"]]
    assert [(row["model"], row["type"], row["step"]) for row in rows] == [
        ("model-best", "PER", 2), ("model-best", "LOC", 2), ("model-last", "PER", 3), ("model-last", "LOC", 3),
    ]  # fmt: skip
    assert {file.path for file in store.client.list_artifacts(store.ids["abandoned"])} >= {"table.txt"}


def test_models_are_listed_and_come_back_as_they_were(store: Store) -> None:
    outputs = store.run("finished").outputs.model_outputs
    models = {(model := store.client.get_logged_model(output.model_id)).name: model for output in outputs}
    assert set(models) == {"model-best", "model-last"}
    assert {metric.key: metric.value for metric in models["model-best"].metrics}["dev/ents_f"] == 0.4
    assert {metric.key: metric.value for metric in models["model-last"].metrics}["dev/ents_f"] == 0.3
    for name, model in models.items():
        assert str(model.status) == "READY"
        for uri in (f"runs:/{store.ids['finished']}/{name}", f"models:/{model.model_id}"):
            folder = fetch(uri, store.uri)
            files = ["meta.json", "parts/weights.msgpack"]
            assert filecmp.cmpfiles(folder, store.models[name], files, shallow=False) == (files, [], [])
        assert not [path for path in folder.parent.rglob("*") if path.suffix in (".pkl", ".pickle")]


@pytest.mark.usefixtures("fresh_mlflow")
def test_mlflow_itself_finds_model_and_loader(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)  # set_tracking_uri would outlive this test
    folder = mlflow.artifacts.download_artifacts(f"runs:/{store.ids['finished']}/model-best")
    flavors = mlflow.models.Model.load(folder).flavors
    assert flavors["python_function"]["loader_module"] == "runner.tracking.mlflow.flavor"
    assert (Path(folder) / MODEL_FOLDER / "meta.json").is_file()


def test_fetch_of_what_is_not_there(store: Store) -> None:
    with pytest.raises(RunnerError, match="no model 'model-first'"):
        fetch(f"runs:/{store.ids['finished']}/model-first", store.uri)
    with pytest.raises(RunnerError):
        fetch(f"runs:/{'f' * 32}/model-best", store.uri)
    with pytest.raises(RunnerError):
        fetch("models:/nothing/1", store.uri)


def _recorded_and_finished(tracker: MlflowTracker) -> None:
    tracker.record(make_step(1))
    tracker.finish(RunEnd("FINISHED"))


def test_a_store_that_cannot_be_used_is_said_in_two_lines(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"SQLite format 3\x00" + b"and then nothing of the kind" * 40)
    tracker = MlflowTracker(store_uri("sqlite:///runs.db", cwd=tmp_path))
    tracker.start(make_run(tmp_path / "out"))
    with pytest.raises(RunnerError) as caught:  # at the first step, or at the end if the follower is slow
        _recorded_and_finished(tracker)
    assert caught.value.place == "tracking.uri"
    assert len(str(caught.value).splitlines()) == 2


def test_a_failure_is_not_hidden_by_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs.db").write_bytes(b"SQLite format 3\x00" + b"and then nothing of the kind" * 40)
    tracker = MlflowTracker(store_uri("sqlite:///runs.db", cwd=tmp_path))
    tracker.start(make_run(tmp_path / "out"))
    assert tracker.finish(RunEnd("FAILED", "the loss is nan")) is None
    assert capsys.readouterr().err.startswith("tracking.uri: ")


@pytest.mark.slow
def test_a_follower_that_dies_is_replaced_and_nothing_is_doubled(store: Store, tmp_path: Path) -> None:
    tracker = MlflowTracker(store.uri)
    tracker.start(make_run(tmp_path / "out", name="two followers"))
    first, *rest = three_steps()
    tracker.record(first)
    follower = current_follower()
    while tracker.run_id is None:
        time.sleep(0.01)
        tracker._delivery.look()
    os.kill(follower.pid, signal.SIGKILL)
    for step in rest:
        tracker.record(step)
    while follower.is_alive:
        time.sleep(0.01)
    run_id = tracker.finish(RunEnd("FINISHED"))
    assert run_id == tracker.run_id
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert [metric.step for metric in store.client.get_metric_history(run_id, "train/loss")] == [1, 2, 3]


def test_the_number_of_keys_is_bounded(store: Store, tmp_path: Path) -> None:
    tracker = MlflowTracker(store.uri)
    tracker.start(make_run(tmp_path))
    many = {f"more_{i}": 1.0 for i in range(70)}
    tracker.record(dataclasses.replace(make_step(1), extra=many))
    tracker.record(dataclasses.replace(make_step(2, evaluation=make_evaluation(0.5), is_best=True), extra=many))
    run_id = tracker.finish(RunEnd("FINISHED"))
    assert run_id is not None
    metrics = store.client.get_run(run_id).data.metrics
    assert 40 < len(metrics) <= MAX_KEYS
    assert metrics["schedule/more_0"] == 1.0
    assert metrics["dev/score"] == metrics["dev/best_score"] == 0.5


def test_a_journal_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    run = dataclasses.replace(make_run(tmp_path / "out"), resumed=Resumed(1, 1.0))
    writer = JournalWriter(tmp_path / "out" / FILE_NAME)
    writer.event("start", uri="sqlite:///a.db", tags={})
    writer.event("metrics", step=1, values={"words": "many"})
    writer.close()
    with pytest.raises(RunFailed, match=r"journal.jsonl: the journal is damaged \(ValueError: .*\)"):
        MlflowTracker(f"sqlite:///{tmp_path}/a.db").start(run)
