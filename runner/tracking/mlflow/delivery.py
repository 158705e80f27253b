"""`Delivery`: one journal's way into MLflow, as the training process sees it: what the child said, and waiting for the end."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.errors import RunnerError
from runner.tracking.journal import JournalWriter
from runner.tracking.mlflow.child import mlflow_process, next_run_number

SILENCE_SECONDS = 60.0  # `wait` gives up when the child has not moved for so long
NOTE_AFTER_SECONDS = 1.0
MAX_LOST = 2  # processes that may be lost one after the other while their journal is sent
IF_UNREACHABLE = (
    "Start it, set tracking.uri=sqlite:///mlflow.db, or train and send later: tracking.if_unreachable=offline"
)
TRACKING_NONE = "Mend it, name another store (tracking.uri), or train without: tracking=none"


class Unsent(RunnerError):
    """The run is whole, and MLflow lacks some of it."""


class Delivery:
    """run_id: None until the child has made the run. experiment_id: the run's experiment, known from then on.

    journal: begun already. n_resumes: processes before this one that wrote to it. must_answer: a store that does not
    answer at first contact is an error.
    """

    def __init__(
        self, journal: JournalWriter, uri: str, *, run_id: str | None, n_resumes: int, must_answer: bool
    ) -> None:
        self.run_id = run_id
        self.experiment_id = "0"
        self._journal = journal
        self._uri = uri
        self._must_answer = must_answer
        self._is_lost = False
        self._away: str | None = None  # why the child's last attempt failed
        self.number = next_run_number()
        self._command = {
            "journal": str(journal.path),
            "run": self.number,
            "resumes": n_resumes,
            "must_answer": must_answer,
            "uri": uri,  # the journal has it without user and password
        }
        self.process = mlflow_process()
        self.process.send({**self._command, "run_id": run_id})

    def was_place_told(self) -> bool:
        """Whether this process has said before where its runs are to be seen: a multirun says it once."""
        was_told, self.process.is_place_told = self.process.is_place_told, True
        return was_told

    def hear(self, replies: Sequence[dict[str, Any]] | None = None) -> bool:
        """Take in what the child has said since the last time; whether it is done. Never waits.

        Raises RunnerError for what it says went wrong.
        """
        is_done = False
        for reply in self.process.replies(self.number) if replies is None else replies:
            if reply.get("experiment_id"):
                self.experiment_id = str(reply["experiment_id"])
            if self.run_id is None and reply.get("run_id"):
                self.run_id = str(reply["run_id"])
                if not self._journal.is_closed:
                    self._journal.event("run", run_id=self.run_id)
            if reply.get("waits"):
                print(reply["waits"], file=sys.stderr, flush=True)
            if "away" in reply or "sent" in reply:
                self._away = reply.get("away")
            if reply.get("error"):
                self._is_lost = True
                if self.run_id is None and (self._must_answer or not reply.get("is_away")):
                    raise RunnerError(
                        str(reply["error"]),
                        place="tracking.uri",
                        hint=str(reply.get("hint") or (IF_UNREACHABLE if reply.get("is_away") else TRACKING_NONE)),
                    )
                raise self._unsent(str(reply["error"]))
            is_done = is_done or bool(reply.get("done"))
        return is_done

    def wait(self, limit: float | None) -> None:
        """Until the child has sent everything. limit: seconds, None for as long as it gets on.

        Raises RunnerError for what went wrong, Unsent where the run itself is whole.
        """
        if not self.process.is_alive and not self._is_lost:
            self._send_again()
        else:
            self.process.send({"wake": self.number})
        n_lost = 0  # processes that ended while we waited
        began = moved = time.monotonic()
        with _Note() as note:
            while True:
                now = time.monotonic()
                replies = self.process.wait(self.number, 0.2)
                moved = now if replies else moved
                if self.hear(replies):
                    return
                if limit is not None and now - began > limit:
                    if self._away is not None:
                        raise self._unsent(self._away)
                    return
                if not self.process.is_alive and not replies and n_lost < MAX_LOST:
                    n_lost += 1
                    self._send_again()
                elif not self.process.is_alive and not replies:
                    problem = self._unsent(f"the process that talks to MLflow ended early: {self.process.last_words()}")
                    raise problem if self.run_id is not None else RunnerError(*problem.args, place=problem.place)
                if now - moved > SILENCE_SECONDS:
                    raise self._unsent(f"{self._uri} has taken nothing for {SILENCE_SECONDS:.0f} seconds")
                if now - began > NOTE_AFTER_SECONDS:
                    note.show()

    def _send_again(self) -> None:
        """The process was killed, not us: a new one sends the journal again; what MLflow has already, it keeps once."""
        self.process = mlflow_process()
        self.process.send({**self._command, "run_id": self.run_id})

    def _unsent(self, fact: str) -> Unsent:
        folder: Path = self._journal.path.parent
        return Unsent(
            f"not everything reached MLflow, but {folder} has it: {fact}",
            place="tracking.uri",
            hint=f"To send the rest: python -m runner sync {shlex.quote(str(folder))}",
        )


class _Note:
    """One line on the terminal while one waits; none where there is no terminal."""

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
