"""joblib's workers, the processes in which a sweep's jobs run side by side, from their birth to their end.

joblib sends SIGKILL to all workers as soon as its parent is interrupted or a worker is gone, and a signal at the wrong moment
causes either. So workers are born with our signals blocked until their first job (signals.py); the parent passes signals on
instead of raising; and jobs that have not begun find the sweep's stop file.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from runner.launch.runs import Runs
from runner.signals import CODES, Passed, passed_on

PATIENCE_SECONDS = 60.0  # of the parent, until its workers have kept their state
_TOLD = f"""
interrupted: jobs that are running keep their state, no other starts; waiting at most {PATIENCE_SECONDS:.0f} seconds
  Another Ctrl-C ends them at once.
"""


@contextmanager
def in_order(runs: Runs) -> Iterator[Passed]:
    """While it lasts, a signal is passed on to joblib's workers, and the parent waits until they have kept their state."""
    with _born_deaf(), passed_on(pids, lambda: _stop(runs), PATIENCE_SECONDS) as passed:
        yield passed


def _stop(runs: Runs) -> None:
    if runs.ticket is not None:
        with suppress(OSError):
            runs.ticket.stop_file.touch()
    with suppress(OSError):
        os.write(2, _TOLD.encode())  # print is not safe in a signal handler


@contextmanager
def _born_deaf() -> Iterator[None]:
    """While this lasts, joblib's workers start with our signals blocked: until signals.py has taken over, a signal would end
    the worker."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    home: Any = importlib.import_module("joblib.externals.loky.backend.fork_exec")
    original = home.fork_exec

    def fork_exec(*arguments: Any, **named: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, CODES)
        try:
            return original(*arguments, **named)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    home.fork_exec = fork_exec
    try:
        yield
    finally:
        home.fork_exec = original


def pids() -> list[int]:
    """The process ids of joblib's workers."""
    executor = _executor()
    return list(getattr(executor, "_processes", None) or ()) if executor is not None else []


def end() -> None:
    """End joblib's processes. joblib would keep them for its next call, which may come from another folder or environment."""
    executor = _executor()
    if executor is not None:
        executor.shutdown(wait=True)


def were_killed(error: Exception) -> bool:
    """Whether joblib reports a worker that was killed."""
    return type(error).__name__ in ("TerminatedWorkerError", "BrokenProcessPool")


def _executor() -> Any:
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    return loky._executor if loky is not None else None
