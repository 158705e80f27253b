"""Ctrl-C, SIGTERM and SIGHUP wait for the end of the step, so that the state between two steps can be kept.

    interrupts = Interrupts()
    with interrupts.deferred():
        for step in training:
            interrupts.check()          # raises Interrupted here, and not within the step

A step that takes longer than GRACE_SECONDS is broken off. A second signal breaks off the step at once; in a worker of a
sweep only the parent does that (signals.py).
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
    """is_between: whether the state of the training is whole, because `check` raised the interrupt or training is over."""

    def __init__(self) -> None:
        self.is_between = False
        self._code: int | None = None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Take over the signals that somebody handles. Outside the main thread nothing is done.

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
        """Raise Interrupted if a signal has come."""
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
