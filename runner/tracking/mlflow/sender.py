"""`JournalSender`: one journal on its way into MLflow; the same code for a run that trains, for `sync` and for `reap`.

It holds the journal's lock while it sends, and says in the status file how far it is. What is wrong with the store at first
contact is fatal. A server that goes away is tried again until the run has ended, and then for a few seconds: the journal
stays, and `python -m runner sync` sends it. What is written into MLflow stands in writer.py.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.errors import RunFailed
from runner.secrets import learn, learn_environment, masked
from runner.tracking.journal import ERROR_LOG, KEY_TAG, JournalLock, JournalReader, now_ms
from runner.tracking.mlflow.errors import explained, first_line, is_locked, is_outage
from runner.tracking.mlflow.status import SyncStatus
from runner.tracking.mlflow.task import Task
from runner.tracking.mlflow.writer import RunWriter
from runner.tracking.process import PROCESS_TAG

LOOK_SECONDS = 0.1  # between two looks at a growing journal
SEND_SECONDS = 1.0  # between two requests with what has grown; the run's end is sent at once
GIVE_UP_SECONDS = 10.0  # of failed attempts after the run's end, or when the training process is gone
BUSY_SECONDS = 30.0  # the same, of a SQLite store that other processes keep busy
NEVER_SEEN_SECONDS = 2.0  # the same, where the store has not answered even once


class JournalSender:
    """One journal on its way into one MLflow run.

    status: as the status file has it. is_done: nothing more will be sent. is_busy: another process is sending the journal.
    """

    def __init__(self, task: Task) -> None:
        learn_environment()
        learn(task.uri)
        self.status = SyncStatus(key="", uri=task.uri, task=task.name, run_id=task.run_id)
        self.is_done = self.is_busy = False
        self._task = task
        self._lock = JournalLock(task.journal)
        self._reader = JournalReader(task.journal)
        self._writer = RunWriter(task)
        self._pending: deque[dict[str, Any]] = deque()  # events that MLflow has not
        self._has_end = False  # an event of `_pending` ends the run
        self._n_resumes_seen = 0
        self._new_tags: dict[str, str] = {}  # of the process that has taken the run up
        self._last_time = now_ms()  # of the last event that was sent
        self._next_try = 0.0
        self._told_at = 0.0  # when the status file was written
        self._failures = 0
        self._failing_since: float | None = None
        self._was_away = False

    def wake(self) -> None:
        """The run has come to its end, or its process has: try at once."""
        self._next_try, self._failing_since = 0.0, None

    def pump(self, *, is_orphan: bool = False) -> None:
        """Read what is new and send it, if it is time to.

        is_orphan: nothing more will be written; without a finish event the run ends KILLED. Raises RunFailed where the
        run's end was sent and cannot be told.
        """
        if self.is_done:
            return
        is_orphan = is_orphan or self._task.is_over
        try:
            if not self._lock.is_taken(wait=self._task.n_resumes > 0 or self._task.is_over):
                self.is_busy = self.is_done = self._task.is_over
                return  # the process before is not gone yet
            self._take_in(self._reader.read())
            if not self.is_done and time.monotonic() >= self._next_try:
                self._send(is_orphan)
        except RunFailed:
            raise
        except Exception as error:
            if time.monotonic() >= self._next_try:
                self._failed(error, is_orphan)

    def _take_in(self, events: Sequence[dict[str, Any]]) -> None:
        """Keep new events for sending. Ends of processes before this one are forgotten."""
        self._pending.extend(events)
        kinds = [event["event"] for event in events]
        had_end = self._has_end
        self._has_end |= "finish" in kinds
        if "resume" in kinds:
            self._n_resumes_seen += kinds.count("resume")
            if (
                self._n_resumes_seen > self._task.n_resumes
            ):  # another process goes on with the run, and has its own sender
                self._stop()
                return
            self._forget_earlier_ends()
        if self._has_end and not had_end:
            self.wake()

    def _forget_earlier_ends(self) -> None:
        """Keep of the last event `resume` the tags; of the events before it all but how the run has ended."""
        pending = list(self._pending)
        at = max(i for i, event in enumerate(pending) if event["event"] == "resume")
        process = {PROCESS_TAG: pending[at]["process"]} if pending[at].get("process") else {}
        self._new_tags = {**(pending[at].get("tags") or {}), **process}
        before, after = pending[:at], pending[at + 1 :]
        self._pending = deque([*(event for event in before if event["event"] not in ("finish", "resume")), *after])
        self._has_end = any(event["event"] == "finish" for event in after)

    def _send(self, is_orphan: bool) -> None:
        """Send all that is there. Raises what MLflow raises."""
        while self._pending and not self.is_done:
            self._send_next()
        if is_orphan and not self.is_done:
            ended = self._last_time if self._task.is_over else now_ms()
            self._end("KILLED", "the training process ended without a word", ended)
        if self.is_done:
            return
        if self._writer.tables.is_due:
            self._writer.tables.send(self._writer.client, self._writer.known_id)
        self._failures, self._failing_since = 0, None
        self._next_try = time.monotonic() + SEND_SECONDS

    def _send_next(self) -> None:
        event = self._pending[0]
        self._last_time = event["time"]
        if event["event"] in ("metrics", "evaluation"):
            written = self._writer.write_metrics(self._pending)
            self._last_time = written[-1]["time"]
            for _ in written:
                self._pending.popleft()
            self._progress()
            return
        if event["event"] == "start":
            self.status = replace(self.status, key=event["tags"].get(KEY_TAG, ""))
            self._writer.open(event, self._new_tags, lambda what: self._tell(note=what))
            self._tell(run_id=self._writer.run_id, experiment_id=self._writer.experiment_id, note=None)
            self._writer.describe()
        elif event["event"] == "finish":
            self._writer.write_finish(event, self._progress)
            self._end(event["status"], event.get("error"), event["time"])
        self._pending.popleft()

    def _progress(self) -> None:
        """Note that something was sent, and tell so now and then while somebody waits for the end."""
        self.status = replace(self.status, progress=self.status.progress + 1, away=None)
        if self._has_end and time.monotonic() - self._told_at > SEND_SECONDS:
            self._tell()

    def _tell(self, **changes: Any) -> None:
        """Change the status and write the status file. Raises RunFailed where the last word cannot be written."""
        self.status = replace(self.status, **changes)
        if not self._reader.is_in_place():  # the folder is gone or another run's, and must not come back
            return
        try:
            self.status.write(self._task.journal)
        except RunFailed:
            if self.is_done and not self._task.is_over:
                raise
        self._told_at = time.monotonic()

    def _stop(self) -> None:
        self.is_done = True
        self._lock.release()
        self._writer.close()

    def _end(self, status: str, error: str | None, end_time: int) -> None:
        """Bring the run in MLflow to its end, which is told before the lock is let go."""
        if self._writer.run_id is not None:  # else nothing has begun
            self._writer.end(status, error, end_time)
            self.is_done = True
            with contextlib.suppress(OSError):
                self._task.journal.with_name(ERROR_LOG).unlink(missing_ok=True)
            ended = {"status": status, "n_bytes": self._reader.n_bytes, "registered": self._writer.registered}
            self._tell(run_id=self._writer.run_id, away=None, **ended)
        self._stop()

    def _failed(self, error: Exception, is_orphan: bool) -> None:
        """Try again later, unless the store is of no use at first contact, or the end has come."""
        now = time.monotonic()
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        is_at_end = is_orphan or self._has_end
        self._next_try = now + min(1.0 if is_at_end else 15.0, 0.25 * 2**self._failures)
        is_away = is_outage(error)
        self._was_away = self._was_away or (is_away and not self._task.must_answer)
        if self._writer.run_id is None and not self._was_away:  # nothing was promised yet: better now than after hours
            is_hopeless = self._failures >= 4 or not (is_away or is_locked(error))
        else:
            patience = GIVE_UP_SECONDS if self._writer.run_id is not None else NEVER_SEEN_SECONDS
            patience = BUSY_SECONDS if is_locked(error) else patience
            is_hopeless = is_at_end and now - self._failing_since > patience
        if is_hopeless:
            self._give_up(error, is_away)
        elif is_at_end:
            self._tell(away=explained(error, self._task.uri)[0])

    def _give_up(self, error: Exception, is_away: bool) -> None:
        with contextlib.suppress(OSError):
            text = masked("".join(traceback.format_exception(error)))
            self._task.journal.with_name(ERROR_LOG).write_text(text, encoding="utf8")
        if not is_away:
            finish = next((event for event in self._pending if event["event"] == "finish"), {})
            self._writer.give_up(first_line(error), finish.get("status", "KILLED"))
        fact, hint = explained(error, self._task.uri)
        self._stop()  # before anybody hears of the error: a `sync` that follows it must not see the lock
        self._tell(error=fact, hint=hint, is_away=is_away)
