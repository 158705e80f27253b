"""The status file: written whole and without secrets, and what the training process makes of it. No MLflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.errors import RunnerError
from runner.tracking.journal import FILE_NAME, SENT_NAME, JournalWriter, read_journal
from runner.tracking.mlflow import delivery
from runner.tracking.mlflow.delivery import Delivery, Unsent
from runner.tracking.mlflow.status import SyncStatus, read_status
from runner.tracking.mlflow.task import Task


class Deaf:
    """A follower that does nothing. tasks: that it was given."""

    def __init__(self) -> None:
        self.is_alive = True
        self.tasks: list[Task] = []

    def follow(self, task: Task) -> None:
        self.tasks.append(task)

    def last_words(self) -> str:
        return "Killed"


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> Deaf:
    deaf = Deaf()
    monkeypatch.setattr(delivery, "current_follower", lambda: deaf)
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=_clock(), sleep=lambda seconds: None))
    return deaf


def _clock() -> Callable[[], float]:
    """A clock by which a second passes between two looks."""
    seconds = iter(range(10_000))
    return lambda: float(next(seconds))


@pytest.fixture
def begun(follower: Deaf, tmp_path: Path) -> Delivery:
    journal = JournalWriter(tmp_path / FILE_NAME)
    return Delivery(journal, Task(journal.path, "sqlite:///a.db"))


def tell(follower: Deaf, **values: Any) -> None:
    task = follower.tasks[-1]
    SyncStatus(**{"key": "k", "uri": task.uri, "task": task.name, **values}).write(task.journal)


def test_the_file_comes_back_and_holds_no_secrets(tmp_path: Path) -> None:
    journal = tmp_path / FILE_NAME
    assert read_status(journal) is None
    SyncStatus("k", "http://ada:pl4nted1@host", "r", error="no answer from http://ada:pl4nted1@host/x").write(journal)
    assert "pl4nted1" not in (tmp_path / SENT_NAME).read_text()
    status = read_status(journal)
    assert status == SyncStatus("k", "http://***@host", "r", error="no answer from http://***@host/x")
    (tmp_path / SENT_NAME).write_text(json.dumps({"key": "k", "uri": "u", "run_id": "r", "status": "KILLED", "new": 1}))
    status = read_status(journal)
    assert status is not None
    assert status.status == "KILLED"
    for damaged in ("", "[]", "null", '{"key": "k"}', '{"key": "k", "uri": "u", "n_bytes": "7"}', "[" * 100_000):
        (tmp_path / SENT_NAME).write_text(damaged)
        assert read_status(journal) is None


@pytest.mark.parametrize(("status", "is_whole"), [
    (SyncStatus("k", "http://***@host", "r", "FINISHED", 7), True),
    (SyncStatus("k", "http://***@host", "r", "FINISHED", 6), False),  # the journal has grown
    (SyncStatus("k", "http://***@host", "r", None, 7), False),  # still being sent
    (SyncStatus("k", "http://***@other", "r", "FINISHED", 7), False),
    (SyncStatus("another", "http://***@host", "r", "FINISHED", 7), False),
])  # fmt: skip
def test_what_is_whole(status: SyncStatus, is_whole: bool) -> None:
    assert status.is_of("k", "http://ada:secret@host", 7) is is_whole


def test_a_task_is_one_line(tmp_path: Path) -> None:
    task = Task(tmp_path / "a\nb" / FILE_NAME, "http://ada:secret@host", run_id="r", n_resumes=2, must_answer=True)
    assert task.as_line().count(b"\n") == 1
    assert Task.from_line(task.as_line()) == task


def test_the_run_is_heard_of_once(begun: Delivery, follower: Deaf, tmp_path: Path) -> None:
    assert begun.look() is False
    SyncStatus("k", "sqlite:///a.db", "old", "FINISHED", task="of an earlier process").write(tmp_path / FILE_NAME)
    assert begun.look() is False
    assert begun.run_id is None
    tell(follower, run_id="r", experiment_id="3")
    assert begun.look() is False
    tell(follower, run_id="r", experiment_id="3", progress=1)
    assert begun.look() is False
    assert (begun.run_id, begun.experiment_id) == ("r", "3")
    assert [event["run_id"] for event in read_journal(tmp_path / FILE_NAME)] == ["r"]
    tell(follower, run_id="r", status="FINISHED", n_bytes=1)
    begun.wait(None)


def test_what_the_follower_waits_for_is_said_once(
    begun: Delivery, follower: Deaf, capsys: pytest.CaptureFixture[str]
) -> None:
    for progress in (1, 2):
        tell(follower, note="waiting for a lock", progress=progress)
        begun.look()
    assert capsys.readouterr().err == "waiting for a lock\n"


def test_a_store_of_no_use_is_an_error_once(begun: Delivery, follower: Deaf) -> None:
    tell(follower, error="no such table")
    with pytest.raises(RunnerError, match="no such table") as caught:
        begun.look()
    assert not isinstance(caught.value, Unsent)
    begun.wait(None)  # was said already


def test_silence_and_the_limit(begun: Delivery, follower: Deaf) -> None:
    begun.wait(3.0)
    tell(follower, run_id="r", away="no MLflow server answers")
    with pytest.raises(Unsent, match="no MLflow server answers"):
        begun.wait(3.0)
    with pytest.raises(Unsent, match="has taken nothing for 60 seconds"):
        begun.wait(None)


def test_a_follower_that_dies_again_and_again(begun: Delivery, follower: Deaf) -> None:
    tell(follower, run_id="r")
    begun.look()
    follower.is_alive = False
    with pytest.raises(Unsent, match="the process that talks to MLflow ended early: Killed"):
        begun.wait(None)
    first, *others = follower.tasks
    assert len(others) == 1 + delivery.MAX_LOST
    assert {task.run_id for task in others} == {"r"}
    assert len({task.name for task in follower.tasks}) == len(follower.tasks)
    assert first.run_id is None
