"""Colours: on a terminal that has them, without NO_COLOR; texts cannot bring their own."""

from __future__ import annotations

import io

import pytest

from runner.streams import CleanStream, Piece, has_colours, print_lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LINE = [Piece("Best:", "bold green"), Piece(" epoch 4")]
COLOURED = "\x1b[1;32mBest:\x1b[0m epoch 4\n"


@pytest.fixture(autouse=True)
def _xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("wrap", [lambda stream: stream, lambda stream: CleanStream(stream, is_plain=True)])
def test_a_terminal_shows_styles(wrap) -> None:
    stream = Terminal()
    print_lines(LINE, "plain", file=wrap(stream))
    assert stream.getvalue() == f"{COLOURED}plain\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")])
def test_no_color_and_dumb_terminals_get_plain_text(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    stream = Terminal()
    print_lines(LINE, file=stream)
    assert stream.getvalue() == "Best: epoch 4\n"


def test_an_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert has_colours(Terminal())


def test_a_file_gets_plain_text() -> None:
    stream = io.StringIO()
    print_lines(LINE, file=stream)
    assert stream.getvalue() == "Best: epoch 4\n"


def test_a_text_cannot_bring_a_style_of_its_own() -> None:
    stream = Terminal()
    print_lines([Piece("\x1b[8mhidden", "bold")], file=CleanStream(stream, is_plain=True))
    assert stream.getvalue() == "\x1b[1m\\x1b[8mhidden\x1b[0m\n"
