"""Journals that MLflow does not have whole: find them, see whether a process is at work on them, and send them.

A journal is left alone while its run is trained or sent by another process, and where the run has no end and its
process cannot be looked at from this machine. The status file says what MLflow has whole, so that a second look costs
little. MLflow is imported when something is sent.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runner.files import open_file
from runner.tracking.journal import FILE_NAME, KEY_TAG, JournalLock, parse_events, read_journal, store_of
from runner.tracking.mlflow import moved
from runner.tracking.mlflow.status import SyncStatus, read_status
from runner.tracking.mlflow.store import sending_environment, store_uri
from runner.tracking.mlflow.task import Task
from runner.tracking.process import is_gone

State = Literal["sent", "unsent", "busy", "elsewhere", "empty"]


@dataclass(frozen=True)
class Journal:
    """What is known of a journal without asking MLflow.

    state: sent (MLflow has all of it), unsent, busy (its run is being trained or sent), elsewhere (it has no end and began
    on a machine that cannot be looked at), empty (no run has begun in it).
    """

    path: Path
    state: State
    uri: str = ""
    key: str = ""
    run_id: str | None = None
    n_resumes: int = 0


def journals(folder: Path) -> list[Path]:
    """All journals in and below a folder. A sweep's own comes before those of its jobs, which look for the sweep's run."""
    paths = [path for path in folder.rglob(FILE_NAME) if path.is_file()]
    return sorted(paths, key=lambda path: (len(path.parts), path))


def look(path: Path, uri: str | None = None) -> Journal:
    """The state of a journal.

    uri: of the store that should have it; None for the store that the journal names, or, if that is a SQLite file that is
    gone, the store in the current folder. Raises OSError where the journal cannot be read, RunnerError where neither store
    exists.
    """
    start = _start_of(path)
    if start is None:
        return Journal(path, "empty")
    key, store = str(start["tags"].get(KEY_TAG, "")), uri or str(start["uri"])
    if uri is None and moved.is_gone(store):
        store = store_of(read_journal(path))
    sent = read_status(path)
    if sent is not None and sent.is_of(key, store, _whole_bytes(path)):
        return Journal(path, "sent", store, key, sent.run_id)
    if uri is None and moved.is_gone(store):
        store = moved.store_for(store, store_uri(None), path.parent, "--uri")
    events = read_journal(path)
    known = sent.run_id if sent is not None and sent.key == key else None
    run_id = next((str(event["run_id"]) for event in events if event["event"] == "run"), known)
    n_resumes = sum(event["event"] == "resume" for event in events)
    return Journal(path, _state(path, events), store, key, run_id, n_resumes)


def send(journal: Journal) -> SyncStatus | None:
    """Send all of a journal; returns how far MLflow has it, or None where another process sends it.

    Returns after some seconds where nobody answers. MLflow is imported in this process, and prints nothing.
    """
    task = Task(journal.path.absolute(), journal.uri, journal.run_id, journal.n_resumes, is_over=True)
    nowhere = io.StringIO()
    with _sending_environment(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        from runner.tracking.mlflow.sender import LOOK_SECONDS, JournalSender

        sender = JournalSender(task)
        sender.pump()
        while not sender.is_done:
            time.sleep(LOOK_SECONDS)
            sender.pump()
    return sender.status if not sender.is_busy else None


@contextlib.contextmanager
def _sending_environment() -> Iterator[None]:
    """The variables of this process as the code that sends must find them."""
    before = dict(os.environ)
    try:
        _set_environment(sending_environment())
        yield
    finally:
        _set_environment(before)


def _set_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def process_of(events: Iterable[dict[str, Any]]) -> str | None:
    """The process that trains the run, or was the last to; None in journals of versions that did not note it."""
    return next((event["process"] for event in reversed(list(events)) if event.get("process")), None)


def is_held(path: Path) -> bool:
    """Whether a process is sending this journal."""
    lock = JournalLock(path)
    if lock.is_taken(wait=True):
        lock.release()
        return False
    return True


def _state(path: Path, events: list[dict[str, Any]]) -> State:
    if is_held(path):
        return "busy"
    if _has_ended(events):
        return "unsent"
    process = process_of(events)
    gone = is_gone(process) if process is not None else True
    return "elsewhere" if gone is None else "unsent" if gone else "busy"


def _has_ended(events: list[dict[str, Any]]) -> bool:
    last = next((event["event"] for event in reversed(events) if event["event"] in ("finish", "resume")), None)
    return last == "finish"


def _start_of(path: Path) -> dict[str, Any] | None:
    """The journal's first event; None if no run has begun."""
    with open_file(path) as file:
        line = file.readline()
    start = next(parse_events([line]), None)
    return start if start is not None and start["event"] == "start" else None


def _whole_bytes(path: Path) -> int:
    """The size up to the end of the last whole line."""
    with open_file(path) as file:
        size = file.seek(0, 2)
        tail = b""
        at = size
        while at and b"\n" not in tail:
            before = max(0, at - 65536)
            file.seek(before)
            tail = file.read(at - before) + tail
            at = before
    return size - len(tail) + tail.rfind(b"\n") + 1
