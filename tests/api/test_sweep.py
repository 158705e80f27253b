"""`runner.sweep`: every job's result, and a table of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import runner
from runner.errors import RunFailed
from tests.api.test_run import QUICK, data, surroundings

__all__ = ["data"]

HERE = "hydra/launcher=basic"


@pytest.mark.slow
def test_a_grid_as_a_table_and_the_same_words_again(data, capsys):
    words = [*QUICK, "training.max_epochs=1,2", "output_dir=grid"]
    before = surroundings()
    sweep = runner.sweep(words)
    assert surroundings() == before
    assert sweep.folder == data / "grid"
    assert [job.output_dir for job in sweep.jobs] == [data / "grid" / "0", data / "grid" / "1"]
    frame = sweep.frame()
    assert list(frame.columns[:6]) == ["score", "training.max_epochs", "status", "epoch", "seconds", "path"]
    assert frame["training.max_epochs"].tolist() == [1, 2]
    assert frame["status"].tolist() == ["FINISHED", "FINISHED"]
    assert frame["ents_f"].tolist() == [job.scores["ents_f"] for job in sweep.jobs]
    assert sweep.best is not None
    assert sweep.best.score == max(frame["score"])
    assert sweep.best.load().pipe_names == ["ner"]
    assert "2 jobs in grid" in capsys.readouterr().out
    html = sweep._repr_html_()
    assert html.count("<tr>") == 3
    assert f"{100 * sweep.best.score:.2f}" in html
    again = runner.sweep(words)
    assert again == sweep
    assert "has finished before" in capsys.readouterr().out


def test_a_job_that_fails_stops_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(config: object) -> Path:
        if config.seed == 1:
            raise RunFailed("the disk is full", place="model-best")
        summary = {"status": "FINISHED", "fingerprint": None, "best": {"score": 0.5, "epoch": 1, "scores": {}}}
        config.output_dir.mkdir(parents=True, exist_ok=True)
        from runner.launch.fingerprint import fingerprint

        summary["fingerprint"] = fingerprint(config, sources(config))
        (config.output_dir / "summary.json").write_text(json.dumps(summary), encoding="utf8")
        return config.output_dir

    def sources(config: object) -> object:
        from runner.commands.preflight import Preflight

        return Preflight().corpus(config).sources

    monkeypatch.setattr("runner.commands.train.run", run)
    sweep = runner.sweep([HERE, "seed=0,1,2", "tracking=none", "output_dir=grid", "corpus.limit=10"])
    assert [job.status for job in sweep.jobs] == ["FINISHED", "FAILED", "FINISHED"]
    assert [job.error for job in sweep.failures] == ["model-best: the disk is full"]
    assert sweep.frame()["error"].tolist()[1] == "model-best: the disk is full"
    assert sweep.best is sweep.jobs[0]
    assert "1 of the jobs failed" in capsys.readouterr().err


def test_a_job_that_cannot_start_is_raised(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(runner.RunnerError, match="1 of 2 jobs cannot run"):
        runner.sweep(["optimizer.learn_rate=0.001,-1", "tracking=none", "corpus.limit=10"])
    with pytest.raises(runner.RunnerError, match="Leave it out"):
        runner.sweep(["-m", "seed=0,1"])
    assert capsys.readouterr().err == ""
