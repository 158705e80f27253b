"""What stands in an output folder is of one run, and nobody but that run writes there."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.__main__ import main
from runner.commands.folder import make_room, taken
from runner.commands.recorders import Models
from runner.corpus.locate import SAMPLE
from runner.errors import RunFailed, RunnerError
from runner.files import open_locked, write_file, write_folder
from runner.training import checkpoint
from runner.training.keeper import FOLDER, lock
from tests.stress.file_kills import COUNTER

TINY = (
    "pipeline=tagger", "optimizer.learn_rate=0.01", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=100", "dropout=constant", "corpus.limit=10", "training.max_epochs=1",
)  # fmt: skip


def run(cwd: Path, *overrides: str, tracking: str = "none") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*TINY, f"tracking={tracking}", *overrides])
    return code, out.getvalue(), err.getvalue()


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text("utf8"))


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    code, _, err = run(folder, "output_dir=out")
    assert code == 0, err
    return folder


@pytest.fixture
def place(finished, tmp_path) -> Path:
    """A folder in which a run has finished, in out/."""
    shutil.copytree(finished, tmp_path / "project")
    return tmp_path / "project"


class TestAnotherProcess:
    def test_one_that_is_refused_writes_nothing(self, place):
        held = lock(place / "out" / FOLDER)
        before = contents(place)
        for more in ("seed=5", "resume=auto"):
            code, _, err = run(place, "output_dir=out", more, tracking="mlflow")
            assert code == 2
            assert err.splitlines()[0] == f"{place / 'out'}: another process is training in this folder"
            assert contents(place) == before
        held.release()

    @pytest.mark.slow
    def test_nor_a_sweep_while_the_same_one_runs(self, tmp_path):
        words = ["-m", "seed=0,1", "hydra/launcher=basic", "output_dir=sweep"]
        assert run(tmp_path, *words)[0] == 0
        assert not (tmp_path / "sweep" / ".lock").exists()
        (tmp_path / "sweep" / "0" / "summary.json").write_text("{}")  # there is something to do
        held = open_locked(tmp_path / "sweep" / ".lock")
        assert held is not None
        before = contents(tmp_path)
        code, _, err = run(tmp_path, *words, tracking="mlflow")
        assert code == 2
        assert err.splitlines()[0] == "sweep: another process runs a sweep in this folder"
        assert contents(tmp_path) == before
        held.close()
        assert run(tmp_path, *words)[0] == 0
        assert not (tmp_path / "sweep" / ".lock").exists()

    def test_nor_one_that_comes_before_the_first_file(self, tmp_path):
        """The other has taken the folder and reads its corpus."""
        held = lock(tmp_path / "out" / FOLDER)
        before = contents(tmp_path)
        for wrong in ("seed=5", "corpus.train=nowhere.jsonl", "training.max_epochs=0"):
            assert run(tmp_path, "output_dir=out", wrong)[0] == 2
            assert contents(tmp_path) == before
        held.release()

    def test_nothing_of_the_lock_is_left(self, place, tmp_path):
        assert not (place / "out" / FOLDER).exists()
        assert run(place, "output_dir=other", "corpus.train=nowhere.jsonl", "corpus=files")[0] == 2
        assert not (place / "other").exists()


def test_hydras_notes_are_the_runs(place):
    assert "tagger" in (place / "out" / ".hydra" / "overrides.yaml").read_text()
    assert run(place, "output_dir=out", "hydra.output_subdir=notes", "seed=3")[0] == 0
    notes = place / "out" / "notes"
    assert sorted(path.name for path in notes.iterdir()) == ["config.yaml", "hydra.yaml", "overrides.yaml"]
    assert "seed: 3" in (notes / "config.yaml").read_text()


class TestAnEarlierRun:
    def test_a_run_that_fails_names_none_of_its_models(self, place, monkeypatch):
        before = contents(place / "out")

        def fails(*_: Any) -> None:
            raise RunFailed("the disk is gone")

        monkeypatch.setattr(Models, "record", fails)
        code, out, _ = run(place, "output_dir=out", "seed=5", tracking="mlflow")
        assert code == 1
        assert f"the run that was in {place / 'out'} is kept in {place / 'out' / 'previous-run'}" in out
        ended = summary(place / "out")
        assert (ended["status"], ended["model_best"], ended["model_last"], ended["best"]) == (
            "FAILED",
            None,
            None,
            None,
        )
        assert contents(place / "out" / "previous-run") == before
        with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as connection:
            assert connection.execute("select status from runs").fetchall() == [("FAILED",)]
            assert connection.execute("select * from logged_models").fetchall() == []

    def test_one_that_fails_at_once_touches_nothing(self, place):
        before = contents(place)
        assert run(place, "output_dir=out", "corpus=files", "corpus.train=nowhere.jsonl")[0] == 2
        assert contents(place) == before

    def test_the_last_one_with_models_is_kept(self, place):
        first = summary(place / "out")["weights_sha256"]
        assert run(place, "output_dir=out", "seed=5")[0] == 0
        second = summary(place / "out")["weights_sha256"]
        assert summary(place / "out" / "previous-run")["weights_sha256"] == first != second
        assert run(place, "output_dir=out", "seed=6")[0] == 0
        assert summary(place / "out" / "previous-run")["weights_sha256"] == second

    def test_results_of_a_run_without_models_go(self, place):
        out = place / "out"
        for name in ("model-best", "model-last"):
            shutil.rmtree(out / name)
        assert make_room(out) is None
        assert sorted(os.listdir(out)) == [".hydra", "config.yaml"]

    def test_a_folder_of_the_users_is_not_replaced(self, place):
        own = place / "out" / "previous-run"
        own.mkdir()
        (own / "notes.txt").write_text("mine")
        assert make_room(place / "out") == place / "out" / "previous-run-2"
        assert (own / "notes.txt").read_text() == "mine"
        assert (place / "out" / "previous-run-2" / "model-best").is_dir()


class TestFinishedBefore:
    def test_it_says_so_and_trains_nothing(self, place):
        before = contents(place)
        code, out, err = run(place, "output_dir=out", "resume=auto")
        assert (code, err) == (0, "")
        assert out.splitlines()[-1].startswith(f"has finished before: {place / 'out'}, best score ")
        assert contents(place) == before

    def test_what_mlflow_lacks_of_it_is_told(self, place):
        """The process that talks to MLflow was lost at the end, say."""
        start = {"event": "start", "uri": "http://127.0.0.1:1", "tags": {"journal": "k"}}
        events = [start, {"event": "finish", "status": "FINISHED"}]
        (place / "out" / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        out = run(place, "output_dir=out", "resume=auto")[1]
        assert out.splitlines()[-1] == f"not everything of it reached MLflow: python -m runner sync {place / 'out'}"

    def test_more_epochs_are_a_new_run(self, place):
        code, out, err = run(place, "output_dir=out", "resume=auto", "training.max_epochs=2")
        assert code == 0
        assert err.splitlines() == [
            f"resume: the run in {place / 'out'} has finished, with other settings: training.max_epochs (1 → 2)",
            "  It has kept no checkpoint to go on from, so that this is a new run from its first step.",
        ]
        assert "previous-run" in out
        assert summary(place / "out")["best"]["epoch"] in (1, 2)

    def test_in_a_folder_that_was_not_named(self, tmp_path):
        assert run(tmp_path, "resume=auto")[0] == 0
        code, out, _ = run(tmp_path, "resume=auto")
        assert code == 0
        (kept,) = tmp_path.glob("outputs/*/*")
        assert f"has finished before: {kept}" in out


def test_relative_paths_belong_to_the_folder_of_the_command(tmp_path):
    for part in ("train", "dev"):
        lines = (SAMPLE / f"{part}.jsonl").read_text("utf8").splitlines(keepends=True)
        (tmp_path / f"{part}.jsonl").write_text("".join(lines[:10]), "utf8")
    files = ["corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl"]
    code, _, err = run(tmp_path, *files, "hydra.job.chdir=true", "output_dir=out", tracking="mlflow")
    assert code == 0, err
    assert (tmp_path / "mlflow.db").is_file()
    assert not (tmp_path / "out" / "mlflow.db").exists()
    store = [".mlflow.db.lock", "dev.jsonl", "mlartifacts", "mlflow.db"]  # the lock stays: others may be waiting for it
    assert sorted(os.listdir(tmp_path)) == [*store, "out", "train.jsonl"]


def killed_at_each_operation(root: Path, act: Callable[[], None], check: Callable[[int], None]) -> int:
    """Kill `act` at its n-th file operation below `root`, then `check(n)`, for every n; how many there were."""
    n = 0
    while True:
        n += 1
        pid = os.fork()
        if pid == 0:
            try:
                COUNTER.install()
                COUNTER.start(root, n)
                act()
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return n - 1
        check(n)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are named by Linux's /proc")
class TestKilled:
    @pytest.fixture
    def small(self, place) -> Path:
        """The folder, with models that are written quickly."""
        out = place / "out"
        for name in ("model-best", "model-last"):
            shutil.rmtree(out / name)
            (out / name).mkdir()
            for file in ("config.json", "weights.msgpack"):
                (out / name / file).write_text(f"old {name}")
        return out

    def test_while_a_model_is_replaced(self, small):
        def fill(folder: Path) -> None:
            for name in ("config.json", "weights.msgpack"):
                write_file(folder / name, "new model-best")

        def replace() -> None:
            with taken(small):
                write_folder(small / "model-best", fill)

        names = set(contents(small))

        def check(n: int) -> None:
            with taken(small):
                pass
            found = contents(small)
            assert set(found) == names, n
            texts = {found[f"model-best/{name}"] for name in ("config.json", "weights.msgpack")}
            assert texts in ({b"old model-best"}, {b"new model-best"}), n

        assert killed_at_each_operation(small, replace, check) > 20

    def test_while_an_earlier_run_is_put_away(self, small):
        before = contents(small)

        def put_away() -> None:
            with taken(small):
                make_room(small)

        copy = small.with_name("copy")
        shutil.copytree(small, copy)

        def check(n: int) -> None:
            if n % 2:  # the next run comes to this point, or is killed there again
                put_away()
                assert contents(small / "previous-run") == before, n
                shutil.rmtree(small)
                shutil.copytree(copy, small)

        assert killed_at_each_operation(small, put_away, check) > 5

    def test_while_a_file_or_a_checkpoint_is_written(self, tmp_path):
        (tmp_path / FOLDER).mkdir()
        path, last = tmp_path / "summary.json", tmp_path / FOLDER / "step-000000007.ckpt"
        write_file(path, "old")
        checkpoint.save(last, {"n": 0}, {})

        def write() -> None:
            with taken(tmp_path):
                write_file(path, "new")
                checkpoint.save(last, {"n": 1}, {"weights": np.ones(3, dtype="float32")})

        def check(n: int) -> None:
            with taken(tmp_path):
                pass
            assert path.read_text() in ("old", "new")
            assert checkpoint.load(last)[0]["n"] in (0, 1)
            assert sorted(name for name in contents(tmp_path) if not name.endswith(".lock")) == [
                FOLDER, f"{FOLDER}/step-000000007.ckpt", "summary.json",
            ]  # fmt: skip

        assert killed_at_each_operation(tmp_path, write, check) > 10

    def test_files_of_the_users_are_left(self, tmp_path):
        names = [".notes.txt.12.tmp", ".model-best.old", "model-best.12.tmp", ".model-better.12.old"]
        for name in names:
            (tmp_path / name).write_text("mine")
        with taken(tmp_path):
            pass
        assert sorted(os.listdir(tmp_path)) == sorted(names)


def test_a_lock_file_that_was_removed_is_no_lock(tmp_path):
    """A run that ends removes its lock file; who has opened it before must not take it for the folder's lock."""
    first = lock(tmp_path / FOLDER)
    (tmp_path / FOLDER / ".lock").unlink()
    second = lock(tmp_path / FOLDER)
    with pytest.raises(RunnerError, match="another process is training"):
        lock(tmp_path / FOLDER)
    first.release()
    second.release()
