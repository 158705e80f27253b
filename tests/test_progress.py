"""Progress of long work: drawn on a terminal, told once a minute in a log."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Callable

import pytest

from runner import progress
from runner.progress import Minutes, clock, counting, moving, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Log(io.StringIO):
    """A stream that is no terminal; `wait` returns once a line with the text has been written."""

    def __init__(self) -> None:
        super().__init__()
        self._is_written = threading.Event()

    def write(self, text: str) -> int:
        self._is_written.set()
        return super().write(text)

    def wait(self) -> str:
        assert self._is_written.wait(10)
        return self.getvalue().splitlines()[0]


def as_stderr(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stream in place of stderr; in a log, minutes are a hundredth of a second long."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)


def drawn(terminal: Terminal) -> str:
    """The last line that was drawn."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n")
    return [line for line in plain.split("\n") if line.strip()][-1]


@pytest.mark.parametrize("total", [None, 1000])
def test_the_bar_fits_a_terminal_and_cuts_no_number(total: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(terminal := Terminal(), monkeypatch)
    with moving(total) as advance:
        advance("10,126,026 texts", 123_456_789, 500)
    last = drawn(terminal)
    assert len(last) == 80
    assert last.startswith("10,126,026 texts ")
    assert " 123,456,789 words 0:00:0" in last
    assert last.endswith(" left") == (total is not None)


def test_a_counter_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(terminal := Terminal(), monkeypatch)
    with counting("packing [a]") as count:
        count(1000)
        count(234)
    assert "packing [a] 1,234 words 0:00:0" in drawn(terminal)


def test_what_is_waited_for_is_shown_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(terminal := Terminal(), monkeypatch)
    with waiting("scoring 3 texts"):
        pass
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    shown = threading.Event()
    monkeypatch.setattr(terminal, "flush", shown.set)
    with waiting("scoring 3 texts"):
        assert shown.wait(10)
    assert "scoring 3 texts" in terminal.getvalue()


def test_a_log_is_told_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(log := Log(), monkeypatch)
    with moving(1000) as advance:
        advance("a.conllu", 5000, 250)
        line = log.wait()
    assert re.fullmatch(r"a\.conllu: 5,000 words, [\d,]+ words/s, 25 %, about 0:00 left", line)


def test_a_log_is_told_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(log := Log(), monkeypatch)
    with counting("packing") as count:
        count(1234)
        assert log.wait() == "packing: 1,234 words so far"


def test_a_log_is_told_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    as_stderr(log := Log(), monkeypatch)
    with waiting("scoring 3 texts"):
        assert log.wait() == "scoring 3 texts: 0:00 so far"


@pytest.mark.parametrize("work", [lambda: waiting("a"), lambda: counting("a"), lambda: moving(3)])
def test_short_work_is_silent_in_a_log(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with work():  # type: ignore[attr-defined]
        pass
    assert stream.getvalue() == ""


def test_what_was_said_otherwise_counts() -> None:
    stream, asked = Log(), threading.Event()

    def text() -> str:
        asked.set()
        return "a minute"

    with Minutes(text, stream, every=0.2) as minutes:
        for _ in range(50):
            minutes.said()
            assert not asked.wait(0.01), "asked although something has been said"
        assert stream.wait() == "a minute"
    lines = stream.getvalue()
    minutes.stop()  # a second time
    assert stream.getvalue() == lines


def test_nothing_to_say() -> None:
    stream, asked = io.StringIO(), threading.Event()
    with Minutes(lambda: asked.set(), stream, every=0.01):
        assert asked.wait(10)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36_000, "10:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
