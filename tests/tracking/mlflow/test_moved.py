"""A moved project: its store is where the command is, and nothing is made at the old place."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.commands.recorders import Models
from runner.errors import Interrupted, RunnerError
from runner.tracking.mlflow import follower
from runner.tracking.mlflow import tracker as mlflow_client
from runner.tracking.mlflow.moved import follow_moved_files, is_gone, is_same_store, store_for
from runner.training.keeper import FOLDER, checkpoints
from runner.training.step import Step

pytestmark = pytest.mark.mlflow

TINY = (
    "pipeline=tagger", "optimizer.learn_rate=0.01", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=100", "dropout=constant", "corpus.limit=10", "training.max_epochs=2", "training.checkpoint_steps=1",
    "output_dir=out",
)  # fmt: skip


def call(cwd: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


def rows(store: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def moved(tmp_path, monkeypatch) -> Path:
    """A project with a run that was interrupted after its first evaluation, then moved."""
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    old.mkdir()
    record = Models.record

    def interrupted(models: Models, step: Step) -> None:
        record(models, step)
        if step.epoch == 2:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Models, "record", interrupted)
        patch.setattr(mlflow_client, "KILLED_SECONDS", None)  # until all of it is in the store
        assert call(old, *TINY)[0] == 130
    assert checkpoints(old / "out" / FOLDER)
    follower.current_follower().close()  # with the process that was interrupted
    monkeypatch.setattr(follower, "_current", None)
    new.parent.mkdir()
    shutil.move(old, new)
    return new


def test_a_run_goes_on_in_the_store_that_was_moved_with_it(moved, tmp_path):
    old, store = tmp_path / "old", moved / "mlflow.db"
    (run_id,) = rows(store, "select run_uuid from runs")[0]
    code, out, err = call(moved, *TINY, "resume=auto")
    assert (code, err) == (0, "")
    assert f"the run's store is gone from sqlite:///{old / 'mlflow.db'}: it goes on in sqlite:///{store}" in out
    assert not old.exists()
    assert rows(store, "select run_uuid, status from runs") == [(run_id, "FINISHED")]
    assert json.loads((moved / "out" / "summary.json").read_text())["run_id"] == run_id
    assert len(rows(store, "select * from logged_models where status = 2 or status = 'READY'")) == 2
    for table, column in (("runs", "artifact_uri"), ("logged_models", "artifact_location")):
        for (address,) in rows(store, f"select {column} from {table}"):
            assert address.startswith((moved / "mlartifacts").as_uri())
            assert any(Path(address.removeprefix("file://")).iterdir())
    assert dict(rows(store, "select key, value from tags"))["output_dir"] == str(moved / "out")
    assert call(moved, "sync", "out")[1] == "0 sent, 0 not sent, 0 left alone, 1 already there\n"


@pytest.mark.slow
def test_two_stores_that_both_exist_are_not_guessed_between(moved, tmp_path):
    copy = tmp_path / "old"
    shutil.copytree(moved, copy)  # the project was copied, not moved
    before = (moved / "out" / "config.yaml").read_bytes()
    code, _, err = call(moved, *TINY, "resume=auto", "seed=0", "tracking.experiment=other")
    assert code == 2
    first, hint = err.splitlines()
    old, new = (f"sqlite:///{folder / 'mlflow.db'}" for folder in (copy, moved))
    assert first == f"{moved / 'out'}: the run is tracked in {old}, and the command names {new}"
    assert f"tracking.uri={old}" in hint
    assert (moved / "out" / "config.yaml").read_bytes() == before
    code, _, err = call(moved, *TINY, "resume=auto", f"tracking.uri={old}")
    assert code == 0, err


@pytest.mark.slow
def test_sync_sends_into_the_store_that_was_moved_along(moved, tmp_path):
    (moved / "out" / "synced.json").unlink(missing_ok=True)
    code, out, _ = call(moved, "sync", "out")
    assert code == 0, out
    assert not (tmp_path / "old").exists()
    assert rows(moved / "mlflow.db", "select count(*) from runs") == [(1,)]
    (moved / "out" / "synced.json").unlink()
    (moved / "mlflow.db").rename(moved / "away.db")
    code, out, _ = call(moved, "sync", "out")
    assert code == 1
    assert "is gone, and there is none at sqlite:///" in out
    assert "--uri=sqlite:////PATH/mlflow.db" in out
    assert not (moved / "mlflow.db").exists()


def test_addresses_of_stores(tmp_path):
    here = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert is_gone(here)
    assert not is_gone("http://127.0.0.1:5000")
    assert is_same_store("postgresql://me:one@host/db", "postgresql://***@host/db?connect_timeout=3")
    assert not is_same_store("http://a:5000", "http://b:5000")
    (tmp_path / "mlflow.db").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert is_same_store(here, f"sqlite:///{tmp_path / 'link' / 'mlflow.db'}")
    with pytest.raises(RunnerError, match="the run is tracked in http://a:5000, and the command names sqlite"):
        store_for("http://me:secret@a:5000", here, tmp_path, "tracking.uri")


def test_only_files_that_were_moved_with_the_store_are_followed(tmp_path):
    """The store of a copied project, and a place of the user's own that is not mounted just now."""
    store = tmp_path / "new" / "mlflow.db"
    store.parent.mkdir()
    (tmp_path / "copied" / "mlartifacts").mkdir(parents=True)
    places = {
        "moved": f"file://{tmp_path}/gone/mlartifacts/a",
        "copied": f"file://{tmp_path}/copied/mlartifacts/a",
        "mounted": "/mnt/away/runs/a",
        "bucket": "s3://bucket/mlartifacts/a",
    }
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("create table experiments (name text, artifact_location text)")
        connection.executemany("insert into experiments values (?, ?)", places.items())
        connection.commit()
    follow_moved_files(f"sqlite:///{store}")
    found = dict(rows(store, "select name, artifact_location from experiments"))
    assert found == {**places, "moved": f"file://{tmp_path}/new/mlartifacts/a"}
