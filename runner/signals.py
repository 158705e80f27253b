"""Ctrl-C, SIGTERM and SIGHUP: raised as `Interrupted` in the program, or passed on to the workers of a sweep.

    with raised():             a command: every signal raises
    with WORKER.job():         a job in a sweep's worker: the first signal raises, later ones are ignored
    with passed_on(...):       the parent of workers: they end their jobs in order, and it waits for them

A terminal sends Ctrl-C to the whole process group, and the parent passes it on as well, so a worker gets it twice: the second
copy must not interrupt a worker that is saving its state. Only the parent ends a worker by force. A signal that is ignored
(nohup, background jobs of a script) stays ignored.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from runner.errors import Interrupted

CODES: dict[signal.Signals, int] = {  # exit codes, as shells have them
    getattr(signal, name): code for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)) if hasattr(signal, name)
}  # fmt: skip
_HANGUP = getattr(signal, "SIGHUP", None)

Receive = Callable[[int, Any], None]


@contextmanager
def received_by(receive: Receive, *, where_handled: bool = False) -> Iterator[None]:
    """While it lasts, call `receive(number, frame)` at each signal that is not ignored.

    where_handled: only at signals that Python code handles already. Outside the main thread nothing changes: whoever runs us
    there handles signals.
    """
    before = {}
    try:
        with suppress(ValueError):  # not the main thread
            for number in CODES:
                handler = signal.getsignal(number)
                if callable(handler) or (handler == signal.SIG_DFL and not where_handled):
                    before[number] = signal.signal(number, _let_go_first(receive))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def raised() -> Iterator[None]:
    """While it lasts, a signal raises `Interrupted`."""
    with received_by(_raise):
        yield


def _raise(number: int, frame: Any) -> NoReturn:
    raise Interrupted(CODES[signal.Signals(number)])


class Worker:
    """What a worker of a sweep does at signals. code: exit code for the first signal; None before it."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._is_ready = self._is_inside = False

    def is_first(self, number: int) -> bool:
        """Whether the signal that has just come counts: in a worker only the first one does, elsewhere each."""
        if not self._is_ready:
            return True
        if self.code is not None:
            return False
        self.code = CODES[signal.Signals(number)]
        return True

    @contextmanager
    def job(self) -> Iterator[None]:
        """While it lasts, the first signal raises Interrupted; a signal that came before the job raises it at once.

        Between jobs a signal is only remembered: raised there, it would end the worker and the whole pool.
        """
        self._is_inside = True
        try:
            self._get_ready()
            if self.code is not None:
                raise Interrupted(self.code)
            yield
        finally:
            self._is_inside = False

    def _get_ready(self) -> None:
        if self._is_ready:
            return
        self._is_ready = True
        with suppress(ValueError):  # not the main thread
            for number in CODES:
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, _let_go_first(self._receive))
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CODES)  # workers.py starts workers with these blocked

    def _receive(self, number: int, frame: Any) -> None:
        if self.is_first(number) and self._is_inside:
            raise Interrupted(CODES[signal.Signals(number)])


WORKER = Worker()


class Passed:
    """code: exit code for the first signal; None while there was no signal."""

    code: int | None = None


@contextmanager
def passed_on(workers: Callable[[], Sequence[int]], tell: Callable[[], None], seconds: float) -> Iterator[Passed]:
    """Pass the first signal on to the workers and go on. A second signal, or `seconds` without an end, kills the workers.

    workers: gives their process ids. tell: called at the first signal, before it is passed on, inside a signal handler.
    Raises Interrupted if the workers were killed; otherwise the signal is told by `code`.
    """
    passed = Passed()

    def receive(number: int, frame: Any) -> None:
        if passed.code is not None:
            _send(workers(), getattr(signal, "SIGKILL", signal.SIGTERM))
            raise Interrupted(passed.code)
        passed.code = CODES[signal.Signals(number)]
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)
        tell()
        _send(workers(), number)

    alarm: Any = getattr(signal, "SIGALRM", None)
    before: Any = None
    with received_by(receive):
        try:
            if alarm is not None:
                with suppress(ValueError):
                    before = signal.signal(alarm, receive)
            yield passed
        finally:
            if before is not None:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                signal.signal(alarm, before)


def _send(processes: Sequence[int], number: int) -> None:
    for process in processes:
        with suppress(OSError):
            os.kill(process, number)


def _let_go_first(receive: Receive) -> Receive:
    """At SIGHUP the terminal is gone: send output to nowhere before `receive`, or every line would raise an error."""

    def received(number: int, frame: Any) -> None:
        if number == _HANGUP:
            null = os.open(os.devnull, os.O_WRONLY)
            for output in (1, 2):
                with suppress(OSError):
                    if stat.S_ISCHR(os.fstat(output).st_mode):
                        os.dup2(null, output)
            os.close(null)
        receive(number, frame)

    return received
