"""Journals that MLflow does not have whole: find them, see who has them in hand, and have the child send them.

A journal is left alone while its run is trained or sent by another process, and where the run has no end and its
process cannot be looked at from this machine. What MLflow has whole says synced.json, so that a second look costs little.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runner.files import open_file
from runner.secrets import masked_all
from runner.tracking.journal import FILE_NAME, KEY_TAG, JournalLock, parse_events, read_journal, read_sent, store_of
from runner.tracking.mlflow import moved
from runner.tracking.mlflow.child import mlflow_process, next_run_number
from runner.tracking.mlflow.store import store_uri
from runner.tracking.process import is_gone

State = Literal["sent", "unsent", "busy", "elsewhere", "empty"]


@dataclass(frozen=True)
class Journal:
    """What can be seen of a journal without MLflow.

    state: sent (MLflow has all of it), unsent, busy (its run is being trained or sent), elsewhere (it has no end and began
    on a machine that cannot be looked at), empty (no run has begun in it).
    """

    path: Path
    state: State
    uri: str = ""
    key: str = ""
    run_id: str | None = None
    n_resumes: int = 0


@dataclass(frozen=True)
class Outcome:
    """status: as MLflow has it now; None where not everything could be sent, or another process is sending."""

    status: str | None = None
    run_id: str | None = None
    error: str | None = None
    is_away: bool = False  # nobody answers


def journals(folder: Path) -> list[Path]:
    """All journals in and below a folder, by name; a sweep's own before those of its jobs, which look for its run."""
    found = [path for path in folder.rglob(FILE_NAME) if path.is_file()]
    return sorted(found, key=lambda path: (len(path.parts), path))


def look(path: Path, uri: str | None = None) -> Journal:
    """What is to be done about a journal. uri: the store that should have it; None for the one it names, or in place of a
    SQLite file that is gone the command's own.

    Raises OSError where it cannot be read, RunnerError where there is neither store.
    """
    start = _start_of(path)
    if start is None:
        return Journal(path, "empty")
    key, store = str(start["tags"].get(KEY_TAG, "")), uri or str(start["uri"])
    sent = read_sent(path)
    if (
        sent is not None
        and (sent.key, masked_all(sent.uri)) == (key, masked_all(store))
        and sent.n_bytes >= _whole_bytes(path)
    ):
        return Journal(path, "sent", store, key, sent.run_id)
    events = read_journal(path)
    if uri is None and moved.is_gone(store):
        store = store_of(events)
        if (
            sent is not None
            and (sent.key, masked_all(sent.uri)) == (key, masked_all(store))
            and sent.n_bytes >= _whole_bytes(path)
        ):
            return Journal(path, "sent", store, key, sent.run_id)
        store = moved.store_for(store, store_uri(None), path.parent, "--uri") if moved.is_gone(store) else store
    known = sent.run_id if sent is not None and sent.key == key else None
    run_id = next((str(event["run_id"]) for event in events if event["event"] == "run"), known)
    n_resumes = sum(event["event"] == "resume" for event in events)
    return Journal(path, _state(path, events), store, key, run_id, n_resumes)


def send(journal: Journal) -> Outcome:
    """Send all of a journal; returns when MLflow has it, or after some seconds without an answer."""
    process = mlflow_process()
    number = next_run_number()
    process.send(
        {
            "journal": str(journal.path.absolute()),
            "run": number,
            "run_id": journal.run_id,
            "resumes": journal.n_resumes,
            "uri": journal.uri,
            "over": True,
        }
    )
    run_id = None
    while True:
        replies = process.wait(number, 0.5)
        for reply in replies:
            run_id = reply.get("run_id") or run_id
            if reply.get("done"):
                return Outcome(str(reply["status"]), run_id)
            if reply.get("busy"):
                return Outcome()
            if reply.get("error"):
                return Outcome(None, run_id, str(reply["error"]), bool(reply.get("is_away")))
        if not replies and not process.is_alive:
            return Outcome(None, run_id, f"the process that talks to MLflow ended early: {process.last_words()}")


def process_of(events: Iterable[dict[str, Any]]) -> str | None:
    """The process that has the run, or had it last; None where the journal is older than that note."""
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
    """The first event, where it begins a run."""
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
