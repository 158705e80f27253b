"""`runner.runs`: past runs as a table, from folders and from MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import runner

COLUMNS = ["score", "differs", "component", "corpus", "seed", "status", "epoch", "start", "seconds", "path", "run_id"]


def write_run(folder: Path, *words: str, score: float | None = 0.5, status: str = "FINISHED", **more: object) -> None:
    """The files by which a run without MLflow is known."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(words)), encoding="utf8")
    config = {"seed": 3, "pipeline": {"components": {"ner": {}, "tagger": {}}}, "corpus": {"name": "mine"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf8")
    best = {"score": score, "epoch": 2} if score is not None else None
    summary = {"status": status, "best": best, "seconds": 1.5, "run_id": None, **more}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf8")


def test_runs_of_a_folder(tmp_path):
    write_run(tmp_path / "outputs" / "a", "pipeline=ner", "seed=0", "output_dir=a", "tracking=none")
    write_run(tmp_path / "outputs" / "deep" / "er" / "b", "pipeline=ner", "seed=1", score=None, status="FAILED")
    write_run(tmp_path / "outputs" / "c", "pipeline=ner", pruned=True)
    write_run(tmp_path / "outputs" / "c" / "previous-run", "pipeline=ner")
    (tmp_path / "outputs" / "broken").mkdir()
    (tmp_path / "outputs" / "broken" / "config.yaml").write_text("{", encoding="utf8")
    (tmp_path / "outputs" / "broken" / "summary.json").write_text("{", encoding="utf8")
    frame = runner.runs(tmp_path / "outputs")
    assert list(frame.columns) == COLUMNS
    by_path = frame.set_index("path")
    assert len(frame) == 3
    a, b, c = (by_path.loc[str(tmp_path / "outputs" / name)] for name in ("a", "deep/er/b", "c"))
    assert (a.score, a.differs, a.component, a.corpus, a.seed, a.epoch, a.seconds) == (
        0.5, "seed=0", "ner,tagger", "mine", 3, 2, 1.5,
    )  # fmt: skip
    assert (b.status, b.differs) == ("FAILED", "seed=1")
    assert frame.score.isna().sum() == 1
    assert c.status == "PRUNED"
    assert frame.start.notna().all()


def test_without_a_store_the_runs_below_outputs(tmp_path, monkeypatch, fresh_mlflow):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(runner.RunnerError, match="nor a folder outputs"):
        runner.runs()
    write_run(tmp_path / "outputs" / "a")
    assert runner.runs()["path"].tolist() == [str(tmp_path / "outputs" / "a")]
    with pytest.raises(runner.RunnerError, match="Give one of them"):
        runner.runs("outputs", uri="sqlite:///mlflow.db")
    with pytest.raises(runner.RunnerError, match="there is no such folder"):
        runner.runs("elsewhere")


@pytest.mark.mlflow
@pytest.mark.slow
def test_runs_of_a_store(tracked_run, monkeypatch, fresh_mlflow):
    monkeypatch.chdir(tracked_run.parent)
    of_store, of_folder = runner.runs(), runner.runs(".")
    assert list(of_store.columns) == COLUMNS
    assert of_store.score.tolist() == pytest.approx(of_folder.score.tolist())  # files hold it rounded
    for key in ("component", "corpus", "seed", "status", "epoch", "path", "run_id"):
        assert of_store[key].tolist() == of_folder[key].tolist(), key
    assert of_store.path.tolist() == [str(tracked_run)]
    result = runner.RunResult.read(tracked_run)
    assert result.run_id == of_store.run_id[0]
    assert result.tracking_uri == f"sqlite:///{tracked_run.parent}/mlflow.db"
    assert result.test is not None
    assert result.test["score"] is not None
    history = result.history()
    assert history.epoch.tolist() == [1, 2]
    assert history.score.max() == pytest.approx(result.score)
