"""Ctrl-C and SIGTERM between two steps: what was begun is ended first, so that the state can be kept.

    with deferred() as interrupts:
        for step in training:
            interrupts.check()          # raises Interrupted here, and not within the step

A step that takes longer than GRACE_SECONDS is broken off, and so is everything by a second signal.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runner.errors import Interrupted

GRACE_SECONDS = 2.5
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupts:
    """is_between: whether the interrupt was raised by `check`, with a state that is whole."""

    def __init__(self) -> None:
        self.is_between = False
        self._code: int | None = None

    def check(self) -> None:
        """Raises Interrupted where a signal has come."""
        if self._code is not None:
            self._stop_clock()
            self.is_between = True
            raise Interrupted(self._code)

    def _receive(self, number: int, frame: Any) -> None:
        if number == getattr(signal, "SIGALRM", None):
            raise Interrupted(self._code or 130)
        if self._code is not None:
            self._stop_clock()
            raise Interrupted(_CODES[signal.Signals(number)])
        self._code = _CODES[signal.Signals(number)]
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _stop_clock(self) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextmanager
def deferred() -> Iterator[Interrupts]:
    """Take the signals over for a while, where somebody handles them at all; elsewhere nothing is done."""
    interrupts = Interrupts()
    before: dict[signal.Signals, Any] = {}
    try:
        if all(callable(signal.getsignal(number)) for number in _CODES):
            for number in (*_CODES, *([signal.SIGALRM] if hasattr(signal, "SIGALRM") else [])):
                before[number] = signal.signal(number, interrupts._receive)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        before = {}
    try:
        yield interrupts
    finally:
        interrupts._stop_clock() if before else None
        for number, handler in before.items():
            signal.signal(number, handler)
