"""`Delivery`: one journal's way into MLflow, as the training process sees it: reading the status, waiting for the end."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from runner.errors import RunnerError
from runner.tracking.journal import JournalWriter
from runner.tracking.mlflow.follower import current_follower
from runner.tracking.mlflow.status import read_status, status_path
from runner.tracking.mlflow.task import Task

LOOK_SECONDS = 0.5  # between two looks at the status while the run trains
WAIT_SECONDS = 0.02  # the same while somebody waits
SILENCE_SECONDS = 60.0  # `wait` gives up when the follower has not moved for so long
NOTE_AFTER_SECONDS = 1.0
MAX_LOST = 2  # followers that may be killed one after the other while the run's end waits for them
IF_UNREACHABLE = (
    "Start it, set tracking.uri=sqlite:///mlflow.db, or train and send later: tracking.if_unreachable=offline"
)
TRACKING_NONE = "Mend it, name another store (tracking.uri), or train without: tracking=none"


class Unsent(RunnerError):
    """The run is whole, and MLflow lacks some of it."""


class Delivery:
    """run_id: None until the follower has made the run. experiment_id: the run's experiment, known from then on."""

    def __init__(self, journal: JournalWriter, task: Task) -> None:
        """journal: begun already. task: says how it is to be sent."""
        self.run_id = task.run_id
        self.experiment_id = "0"
        self.registered: str | None = None  # what became of the model in the registry
        self.follower = current_follower()
        self._journal = journal
        self._task = task
        self._is_lost = False
        self._away: str | None = None  # why the follower's last attempt failed
        self._note: str | None = None  # what the user was told that the follower waits for
        self._next_look = 0.0
        self._seen: tuple[int, ...] = ()  # inode, time and size of the status that was read last
        self.follower.follow(task)

    def was_place_told(self) -> bool:
        """Whether this process has said before where its runs are to be seen: a multirun says it once."""
        was_told, self.follower.is_place_told = self.follower.is_place_told, True
        return was_told

    def look_now_and_then(self) -> None:
        """Call `look` when the last one is long enough ago."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self.look()

    def look(self) -> bool:
        """Take in the status file where it has changed; whether MLflow has all of the run. Never waits.

        Raises RunnerError for what the file says went wrong.
        """
        try:
            about = status_path(self._journal.path).stat()
        except OSError:
            return False
        seen = (about.st_ino, about.st_mtime_ns, about.st_size)
        status = read_status(self._journal.path) if seen != self._seen else None
        if status is None or status.task != self._task.name:  # the answer to an earlier task
            return False
        self._seen = seen
        self.experiment_id = status.experiment_id or self.experiment_id
        if self.run_id is None and status.run_id is not None:
            self.run_id = status.run_id
            if not self._journal.is_closed:
                self._journal.event("run", run_id=self.run_id)
        if status.note is not None and status.note != self._note:
            print(status.note, file=sys.stderr, flush=True)
        self._note, self._away, self.registered = status.note, status.away, status.registered
        if status.error is not None:
            self._is_lost = True
            if self.run_id is None and (self._task.must_answer or not status.is_away):
                hint = status.hint or (IF_UNREACHABLE if status.is_away else TRACKING_NONE)
                raise RunnerError(status.error, place="tracking.uri", hint=hint)
            raise self._unsent(status.error)
        return status.status is not None

    def wait(self, limit: float | None) -> None:
        """Return when MLflow has everything, or `limit` seconds have passed; None: as long as the follower gets on.

        Raises RunnerError for what went wrong, Unsent where the run itself is whole; an error that `look` has raised
        before is not raised again.
        """
        if not self.follower.is_alive and not self._is_lost:
            self._follow_again()
        n_lost = 0  # processes that ended while we waited
        began = moved = time.monotonic()
        with _Note() as note:
            while not self._is_lost:
                seen, was_alive = self._seen, self.follower.is_alive
                if self.look():
                    return
                now = time.monotonic()
                moved = now if self._seen != seen else moved
                if limit is not None and now - began > limit:
                    if self._away is not None:
                        raise self._unsent(self._away)
                    return
                if not was_alive and n_lost < MAX_LOST:
                    n_lost += 1
                    self._follow_again()
                elif not was_alive:
                    problem = self._unsent(
                        f"the process that talks to MLflow ended early: {self.follower.last_words()}"
                    )
                    raise problem if self.run_id is not None else RunnerError(*problem.args, place=problem.place)
                if now - moved > SILENCE_SECONDS:
                    raise self._unsent(f"{self._task.uri} has taken nothing for {SILENCE_SECONDS:.0f} seconds")
                if now - began > NOTE_AFTER_SECONDS:
                    note.show()
                time.sleep(WAIT_SECONDS)

    def _follow_again(self) -> None:
        """Have a new follower send the journal again, as the old one was killed. MLflow keeps once what it has already."""
        self.follower = current_follower()
        self._task = replace(self._task, run_id=self.run_id, name=uuid4().hex)
        self.follower.follow(self._task)

    def _unsent(self, fact: str) -> Unsent:
        folder: Path = self._journal.path.parent
        return Unsent(
            f"not everything reached MLflow, but {folder} has it: {fact}",
            place="tracking.uri",
            hint=f"To send the rest: python -m runner sync {shlex.quote(str(folder))}",
        )


class _Note:
    """One line on the terminal while the user waits; nothing where there is no terminal."""

    text = "sending to MLflow…"

    def __init__(self) -> None:
        self._is_shown = False

    def show(self) -> None:
        if not self._is_shown and sys.stderr.isatty():
            self._is_shown = True
            print(self.text, end="", file=sys.stderr, flush=True)

    def __enter__(self) -> _Note:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            print("\r" + " " * len(self.text) + "\r", end="", file=sys.stderr, flush=True)
