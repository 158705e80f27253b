"""The process that talks to MLflow, as the training sees it: started without waiting, heard without blocking.

One a training process, whatever the number of its runs one after the other: importing MLflow costs seconds. Commands
and replies are JSON lines; the other end is mlflow.py. The process outlives an interrupt, and ends by itself when the
training process is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import runner
from runner.tracking.mlflow.store import ENVIRONMENT

MODULE = "runner.tracking.mlflow"
# Of the surroundings: a run, an experiment or a store that our own settings must not be mixed with.
FOREIGN = (
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
)


class MlflowProcess:
    """A running child process."""

    def __init__(self) -> None:
        root = str(Path(runner.__file__).parent.parent)
        env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        env |= {key: value for key, value in ENVIRONMENT.items() if key not in env}
        env["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # the child tries again by itself
        env["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [env.get("PYTHONPATH")])])
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE],  # -P: a mlflow.py in the current folder is not ours to import
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=env,
            start_new_session=True,
        )
        self._heard = threading.Condition()
        self._replies: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._is_over = False
        self.is_place_told = False  # has the user been told where the runs are to be seen
        threading.Thread(target=self._listen, name="mlflow-replies", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return not self._is_over and self._process.poll() is None

    def send(self, command: dict[str, Any]) -> None:
        """Pass on a command; a child that is gone is noticed by `is_alive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(command).encode("utf8") + b"\n")
            self._process.stdin.flush()

    def replies(self, run: int) -> list[dict[str, Any]]:
        """What was said about a run since the last call. Never waits."""
        if run not in self._replies:
            return []
        with self._heard:
            return self._replies.pop(run)

    def wait(self, run: int, timeout: float) -> list[dict[str, Any]]:
        """The same; waits up to `timeout` seconds for something to be said."""
        with self._heard:
            self._heard.wait_for(lambda: run in self._replies or self._is_over, timeout)
            return self._replies.pop(run, [])

    def last_words(self) -> str:
        """The last line of what it wrote to stderr."""
        self._complaints.seek(0)
        lines = [line for line in self._complaints.read().decode("utf8", "replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else f"exit code {self._process.poll()}"

    def forget(self) -> None:
        """In a forked copy of the training process: let go of the pipes, which belong to the original."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                os.close(pipe.fileno()) if pipe is not None else None

    def close(self) -> None:
        """Nothing more will come; the child finishes what it has and ends."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close() if self._process.stdin is not None else None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                reply = json.loads(line)
                with self._heard:
                    self._replies[int(reply.get("run", -1))].append(reply)
                    self._heard.notify_all()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        with self._heard:
            self._is_over = True
            self._heard.notify_all()


_current: MlflowProcess | None = None
_n_runs = 0


def mlflow_process() -> MlflowProcess:
    """The child of this process; a new one where there is none, or it died."""
    global _current
    if _current is None or not _current.is_alive:
        _current = MlflowProcess()
    return _current


def next_run_number() -> int:
    """A number that tells the runs of this process apart."""
    global _n_runs
    _n_runs += 1
    return _n_runs


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
