"""Multiruns as a user issues them: again, extended, failing, killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from runner import progress
from runner.__main__ import main
from runner.commands import train
from runner.tracking.mlflow import tracker as mlflow_client
from tests.commands.test_resume import TINY
from tests.stress.sweep_interrupts import jobs_of
from tests.stress.sweep_kills import issue

pytestmark = [pytest.mark.slow, pytest.mark.mlflow]

SHORT = (*TINY, "training.max_epochs=2", "tracking=none")
FAILING = (  # after some steps; at once would be seen before the first job starts
    "optimizer.learn_rate={type: warmup_linear, initial_rate: 1e32, warmup_steps: 1000, total_steps: 2000},0.01"
)


def multirun(cwd: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["-m", *SHORT, "hydra/launcher=basic", *words])
    return code, out.getvalue(), err.getvalue()


def weights(folder: Path) -> list[str]:
    return [
        json.loads((folder / str(number) / "summary.json").read_text())["weights_sha256"]
        for number in sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    ]


@pytest.fixture(autouse=True, scope="module")
def no_surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder in which a sweep of four jobs has run once."""
    cwd = tmp_path_factory.mktemp("swept")
    code, out, err = multirun(cwd, "optimizer=adam,radam", "repeat=2")
    assert code == 0, err
    return cwd, out


def folder_of(cwd: Path) -> Path:
    (found,) = cwd.glob("outputs/multirun/*/*/sweep.json")
    return found.parent


def test_a_log_is_told_once_a_minute_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.02)
    code, out, _ = multirun(tmp_path, "seed=0,1")
    assert code == 0
    assert re.search(r"^0 of 2 jobs have ended, 0:\d\d so far$", out, re.M)
    assert re.search(
        r"^1 of 2 jobs have ended, 0:\d\d so far, about 0:\d\d left; best: job 0, score [\d.]+$", out, re.M
    )


class TestIssuedAgain:
    def test_runs_nothing_and_shows_the_same_table(self, swept):
        cwd, first = swept
        stamps = [path.stat().st_mtime_ns for path in sorted(folder_of(cwd).glob("*/summary.json"))]
        code, again, _ = multirun(cwd, "optimizer=adam,radam", "repeat=2")
        assert code == 0
        assert "4 of them finished before" in again
        assert again[again.index("Job  optimizer") :] == first[first.index("Job  optimizer") :]
        assert [path.stat().st_mtime_ns for path in sorted(folder_of(cwd).glob("*/summary.json"))] == stamps

    def test_a_larger_grid_runs_what_is_new(self, swept, tmp_path):
        cwd = shutil.copytree(swept[0], tmp_path / "copy")
        code, out, _ = multirun(cwd, "optimizer=adam,radam", "repeat=3")
        assert code == 0
        assert "6 jobs" in out
        assert "4 of them finished before" in out
        assert out.count("Best: epoch") == 2  # trainings

    def test_a_folder_of_its_own_looks_into_no_other(self, swept, tmp_path):
        cwd = shutil.copytree(swept[0], tmp_path / "copy")
        code, out, _ = multirun(cwd, "optimizer=adam", "repeat=2", "output_dir=own")
        assert code == 0
        assert "finished before" not in out

    def test_force_runs_them_in_a_new_folder(self, tmp_path):
        for expected in (1, 2):
            code, out, _ = multirun(tmp_path, "seed=0,1", "force=true", "training.max_epochs=1")
            assert code == 0
            assert "finished before" not in out
            assert len(list(tmp_path.glob("outputs/multirun/*/*/sweep.json"))) == expected

    def test_another_sweep_in_the_same_folder_is_refused(self, tmp_path):
        assert multirun(tmp_path, "seed=0,1", "output_dir=mine", "training.max_epochs=1")[0] == 0
        before = weights(tmp_path / "mine")
        code, _, err = multirun(tmp_path, "seed=2,3", "output_dir=mine", "training.max_epochs=1")
        assert code == 2
        assert "holds another sweep" in err
        assert weights(tmp_path / "mine") == before


class TestFolders:
    def test_jobs_are_found_where_they_wrote(self, tmp_path):
        short = ("seed=0,1", "training.max_epochs=1", "hydra.sweep.dir=sw")
        code, out, err = multirun(tmp_path, *short, "hydra.sweep.subdir=job-${hydra.job.num}/of")
        assert code == 0, err
        assert out.count("finished") == 2
        code, again, err = multirun(tmp_path, *short, "hydra.sweep.subdir=${hydra.job.override_dirname}")
        assert code == 0, err
        assert "2 of them finished before" in again
        assert again[again.index("Job  seed") :] == out[out.index("Job  seed") :]
        assert sorted(path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("summary.json")) == [
            "sw/job-0/of", "sw/job-1/of",
        ]  # fmt: skip

    def test_an_interrupted_job_goes_on_where_it_wrote(self, tmp_path):
        short = ("seed=0,1", "hydra.sweep.dir=sw")
        assert multirun(tmp_path, *short, "training.max_epochs=3", "hydra.sweep.subdir=a${hydra.job.num}")[0] == 0
        whole = weights_at(tmp_path / "sw/a1")
        shutil.rmtree(tmp_path / "sw")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train, "make_judge", lambda config: interrupted_at_second if config.seed == 1 else None)
            code, out, _ = multirun(tmp_path, *short, "training.max_epochs=3", "hydra.sweep.subdir=a${hydra.job.num}")
        assert code == 130
        assert "interrupted at step" in out
        code, out, err = multirun(tmp_path, *short, "training.max_epochs=3", "hydra.sweep.subdir=b${hydra.job.num}")
        assert code == 0, err
        assert "goes on after step" in out
        assert weights_at(tmp_path / "sw/a1") == whole
        assert not (tmp_path / "sw/b1").exists()

    def test_one_folder_for_two_jobs_is_refused(self, tmp_path):
        code, _, err = multirun(tmp_path, "seed=0,1", "hydra.sweep.subdir=same")
        assert code == 2
        assert err.startswith("hydra.sweep.subdir: jobs 0 and 1 would both write into")
        assert "'hydra.sweep.subdir=${hydra.job.num}'" in err
        assert not list(tmp_path.rglob("summary.json"))

    def test_a_named_folder_looks_into_no_other(self, tmp_path):
        short = ("seed=0,1", "training.max_epochs=1")
        for name in ("exp/a", "exp/b", "."):
            code, out, err = multirun(tmp_path, *short, f"hydra.sweep.dir={name}")
            assert code == 0, err
            assert "finished before" not in out
            assert (tmp_path / name / "sweep.json").is_file()
        code, out, _ = multirun(tmp_path, *short, "hydra.sweep.dir=exp/a")
        assert "2 of them finished before" in out

    def test_a_folder_named_by_the_time_is_found_again(self, tmp_path):
        for expected in (False, True):
            name = "hydra.sweep.dir=x/${hydra.runtime.choices.optimizer}-${now:%H%M%S}-${random_digits:}"
            code, out, err = multirun(tmp_path, "seed=0,1", "training.max_epochs=1", name)
            assert code == 0, err
            assert ("2 of them finished before" in out) is expected
        assert len(list(tmp_path.glob("x/adam-*"))) == 1


def weights_at(folder: Path) -> str:
    return json.loads((folder / "summary.json").read_text())["weights_sha256"]


def interrupted_at_second(n_evaluations: int, score: float | None) -> bool:
    """In the place of a search's judge: a signal in the middle of the training."""
    if n_evaluations == 2:
        signal.raise_signal(signal.SIGINT)
    return False


class TestRepeats:
    def test_every_point_under_every_seed(self, swept):
        cwd, out = swept
        jobs = json.loads((folder_of(cwd) / "sweep.json").read_text())["jobs"]
        told = [[word for word in job["overrides"] if word.startswith(("optimizer=", "seed="))] for job in jobs]
        assert told == [[f"optimizer={o}", f"seed={s}"] for o in ("adam", "radam") for s in (0, 1)]
        assert "95 % interval" in out

    def test_without_m(self, tmp_path):
        out = io.StringIO()
        with contextlib.chdir(tmp_path), contextlib.redirect_stdout(out):
            code = main([*SHORT, "hydra/launcher=basic", "repeat=2", "seed=5", "training.max_epochs=1"])
        assert code == 0
        assert "seed=5" in out.getvalue()
        assert "seed=6" in out.getvalue()

    def test_a_swept_seed_is_refused(self, tmp_path):
        code, _, err = multirun(tmp_path, "seed=0,1", "repeat=2")
        assert code == 2
        assert err.startswith("repeat: the seed is swept")
        assert not list(tmp_path.glob("outputs/multirun/*/*/*/summary.json"))


class TestFailures:
    def test_all_are_told_and_tried_again(self, tmp_path):
        code, out, err = multirun(tmp_path, FAILING, "seed=0,1")
        assert code == 1
        assert out.count("failed") == 2
        assert out.count("finished") == 2
        assert err.startswith("2 of the jobs failed:")
        assert "job 0 (" in err
        assert "job 1 (" in err
        code, out, err = multirun(tmp_path, FAILING, "seed=0,1")
        assert code == 1
        assert "2 of them finished before" in out
        assert len(list(tmp_path.glob("outputs/multirun/*/*/sweep.json"))) == 1

    def test_fail_fast(self, tmp_path):
        code, out, err = multirun(tmp_path, FAILING, "seed=0,1", "fail_fast=true")
        assert code == 1
        assert out.count("  failed") == 1
        assert out.count("  not started") == 3
        assert err.startswith("1 of the jobs failed:")


def test_side_by_side_the_bits_are_the_same(swept, tmp_path):
    """Alone, one after the other, and in processes of their own."""
    cwd, _ = swept
    words = ["optimizer=adam,radam", "repeat=2", "training.max_epochs=2", "tracking=none", "hydra/launcher=joblib"]
    assert issue(tmp_path, None, *words, "hydra.launcher.n_jobs=2")
    assert weights(folder_of(tmp_path)) == weights(folder_of(cwd))
    log = (tmp_path / "log").read_text()
    assert log.count(" after ") == 4
    assert "Epoch" not in log[: log.index("Job ")]  # the jobs' tables are in their own logs
    assert "Epoch" in (folder_of(tmp_path) / "3" / "job.log").read_text()
    with contextlib.chdir(tmp_path):
        assert main([*SHORT, "optimizer=radam", "seed=1", "output_dir=alone"]) == 0
    alone = json.loads((tmp_path / "alone" / "summary.json").read_text())["weights_sha256"]
    assert alone == weights(folder_of(cwd))[3]


def test_killed_and_issued_again(tmp_path):
    """SIGKILL to all of its processes; the table and the weights are those of a sweep that was left alone."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert issue(whole, None, "tracking=none")
    n_kills = sum(not issue(killed, seconds, "tracking=none") for seconds in (3.0, 3.5, 4.0))
    issue(killed, None, "tracking=none")
    assert jobs_of(killed) == jobs_of(whole)
    assert n_kills, "the sweep was over before its first kill"


def test_in_mlflow_jobs_and_repeats_lie_below_the_sweep(tmp_path):
    out = io.StringIO()
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(out):
        code = main(
            [
                "-m",
                *SHORT,
                "tracking=mlflow",
                "hydra/launcher=basic",
                "optimizer=adam,sgd",
                "repeat=2",
                "training.max_epochs=1",
            ]
        )
    assert code == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        runs = connection.execute("select run_uuid, name, status from runs").fetchall()
        tags = dict(connection.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'").fetchall())
        values = dict(connection.execute("select run_uuid || ' ' || key, value from latest_metrics").fetchall())
    (parent,) = [uuid for uuid, name, _ in runs if name.startswith("sweep")]
    assert {status for _, _, status in runs} == {"FINISHED"}
    assert len(runs) == 1 + 4 + 2
    assert set(tags) == {uuid for uuid, _, _ in runs} - {parent}
    assert set(tags.values()) == {parent}
    assert values[f"{parent} sweep/n_finished"] == 4
    means = [values[f"{uuid} sweep/score_mean"] for uuid, name, _ in runs if name.startswith("2 seeds")]
    assert values[f"{parent} sweep/best_mean_score"] == max(means)
    artifacts = {path.name for path in (tmp_path / "mlartifacts").rglob("*") if path.is_file()}
    assert {"sweep.md", "parallel_coordinates.png", "scores.png"} <= artifacts
    assert os.path.exists(folder_of(tmp_path) / "sweep.md")


class TestDeletedExperiment:
    """A store of which the experiment was deleted takes no runs."""

    @pytest.fixture
    def store(self, tmp_path):
        words = [*SHORT, "tracking=mlflow", "training.max_epochs=1", "output_dir=before"]
        with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()):
            assert main(words) == 0
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("update experiments set lifecycle_stage = 'deleted' where name = 'runner'")
            connection.commit()
        return tmp_path

    def test_nothing_is_started(self, store):
        code, out, err = multirun(store, "tracking=mlflow", "seed=0,1", "training.max_epochs=1")
        assert code == 2
        first, second = err.splitlines()
        assert first == "tracking.experiment: the experiment 'runner' was deleted, and takes no runs"
        assert f"MLFLOW_TRACKING_URI=sqlite:///{store}/mlflow.db mlflow experiments restore -x 1" in second
        assert "job 0" not in out
        code, _, err = multirun(
            store, "tracking=mlflow", "seed=0,1", "training.max_epochs=1", "tracking.experiment=new"
        )
        assert code == 0, err

    def test_a_job_that_finds_out_late_has_not_finished(self, store, monkeypatch):
        monkeypatch.setattr(mlflow_client, "deleted_experiment", lambda uri, name: None)
        code, out, _ = multirun(store, "tracking=mlflow", "seed=0,1", "training.max_epochs=1")
        assert code == 2
        assert "finished" not in out
        (summary, *_) = store.glob("outputs/multirun/*/*/0/summary.json")
        assert json.loads(summary.read_text())["status"] == "FAILED"
        assert "was deleted" in json.loads(summary.read_text())["error"]
