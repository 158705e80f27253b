"""Ctrl-C, SIGTERM and SIGHUP between two steps: what was begun is ended first, so that the state can be kept.

    interrupts = Interrupts()
    with interrupts.deferred():
        for step in training:
            interrupts.check()          # raises Interrupted here, and not within the step

A step that takes longer than GRACE_SECONDS is broken off, and so is everything by a second signal; in a worker of a sweep
that is the parent's to do (signals.py).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from runner.errors import Interrupted
from runner.signals import CODES, WORKER, received_by

GRACE_SECONDS = 2.5


class Interrupts:
    """is_between: whether the interrupt was raised by `check`, with a state that is whole."""

    def __init__(self) -> None:
        self.is_between = False
        self._code: int | None = None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Take the signals over for a while, those that somebody handles. Outside the main thread nothing is done.

        A signal that came after the last `check` is raised at the end.
        """
        alarm: Any = getattr(signal, "SIGALRM", None)
        before = None
        with received_by(self._receive, where_handled=True):
            if alarm is not None:
                with suppress(ValueError):  # not the main thread
                    before = signal.signal(alarm, self._receive)
            try:
                yield
            finally:
                if before is not None:
                    self._stop_clock()
                    signal.signal(alarm, before)
        self.check()

    def check(self) -> None:
        """Raises Interrupted where a signal has come."""
        if self._code is not None:
            self._stop_clock()
            self.is_between = True
            raise Interrupted(self._code)

    def _receive(self, number: int, frame: Any) -> None:
        if number == getattr(signal, "SIGALRM", None):
            raise Interrupted(self._code or 130)
        if not WORKER.is_first(number):
            return
        if self._code is not None:
            self._stop_clock()
            raise Interrupted(CODES[signal.Signals(number)])
        self._code = CODES[signal.Signals(number)]
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _stop_clock(self) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
