"""The process that follows journals into MLflow, as the training sees it: started without waiting, never talked with.

It is told which journals to follow, by a pipe that goes one way, and answers through the status file beside each journal.
A training process has one follower, for all its runs one after the other: importing MLflow costs seconds. The follower
outlives an interrupt; that the training process is gone it knows by the end of the pipe, and then it ends by itself. Its
own side is __main__.py.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import runner
from runner.tracking.mlflow.store import sending_environment
from runner.tracking.mlflow.task import Task

MODULE = "runner.tracking.mlflow"


class Follower:
    """A running follower."""

    def __init__(self) -> None:
        root = str(Path(runner.__file__).parent.parent)
        env = sending_environment()
        env["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [env.get("PYTHONPATH")])])
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE],  # -P: a mlflow.py in the current folder is not ours to import
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            env=env,
            start_new_session=True,
        )
        self.is_place_told = False  # has the user been told where the runs are to be seen

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def follow(self, task: Task) -> None:
        """Have a journal followed until its run has ended. A follower that is gone is noticed by `is_alive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(task.as_line())
            self._process.stdin.flush()

    def last_words(self) -> str:
        """The last line that the process wrote to stderr."""
        self._complaints.seek(0)
        lines = [line for line in self._complaints.read().decode("utf8", "replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else f"exit code {self._process.poll()}"

    def forget(self) -> None:
        """In a forked copy of the training process: let go of the pipe, which belongs to the original."""
        with contextlib.suppress(OSError, ValueError):
            os.close(self._process.stdin.fileno()) if self._process.stdin is not None else None

    def close(self) -> None:
        """Nothing more will come; the follower finishes what it has and ends."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close() if self._process.stdin is not None else None


_current: Follower | None = None


def current_follower() -> Follower:
    """The follower of this process; a new one where there is none, or it died."""
    global _current
    if _current is None or not _current.is_alive:
        _current = Follower()
    return _current


def _close_at_exit() -> None:
    if _current is not None:
        _current.close()


def _forget_after_fork() -> None:
    global _current
    if _current is not None:
        _current.forget()
        _current = None


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
