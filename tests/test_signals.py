"""Signals as a command, a sweep's worker and the parent of workers take them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from runner.errors import Interrupted
from runner.signals import CODES, Worker, passed_on, raised

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_each_has_its_exit_code(name: str, code: int) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with raised(), pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.exit_code == code
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    with raised():
        signal.raise_signal(signal.SIGHUP)


def test_in_a_worker_only_the_first_counts() -> None:
    """A terminal and the parent send the same Ctrl-C: the second must not break off what the first has begun."""
    worker, kept = Worker(), []
    with pytest.raises(Interrupted), worker.job():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            kept.append("state")
    assert kept == ["state"]
    with pytest.raises(Interrupted) as caught, worker.job():
        raise AssertionError("no job begins in a worker that was interrupted")
    assert caught.value.exit_code == 130


def test_between_jobs_it_is_remembered() -> None:
    worker = Worker()
    with worker.job():
        pass
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught, worker.job():
        raise AssertionError("no job begins in a worker that was interrupted")
    assert caught.value.exit_code == 143


def test_before_the_first_job_it_waits() -> None:
    """Workers are born with the signals blocked: Python would end them while they import."""
    signal.pthread_sigmask(signal.SIG_BLOCK, CODES)
    signal.raise_signal(signal.SIGTERM)  # to this thread: others of the test process do not block it
    with pytest.raises(Interrupted) as caught, Worker().job():
        raise AssertionError("no job begins in a worker that was interrupted")
    assert caught.value.exit_code == 143
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(CODES)


def test_the_parent_passes_on_the_first_and_kills_at_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("runner.signals.os.kill", lambda process, number: sent.append((process, number)))
    told: list[str] = []
    with passed_on(lambda: [11, 12], lambda: told.append("waiting"), 60.0) as passed:
        signal.raise_signal(signal.SIGINT)
        assert passed.code == 130
        assert sent == [(11, signal.SIGINT), (12, signal.SIGINT)]
    assert told == ["waiting"]
    sent.clear()
    with pytest.raises(Interrupted) as caught, passed_on(lambda: [11], lambda: None, 60.0):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 143
    assert sent == [(11, signal.SIGTERM), (11, signal.SIGKILL)]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_parent_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("runner.signals.os.kill", lambda process, number: sent.append(number))
    with pytest.raises(Interrupted), passed_on(lambda: [11], lambda: None, 0.01):
        signal.raise_signal(signal.SIGINT)
        while True:
            signal.pause()
    assert sent == [signal.SIGINT, signal.SIGKILL]
