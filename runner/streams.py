"""Streams for what a command prints: they mask secrets, escape what steers a terminal, and never fail.

If the reader has gone (`… | head`), printing ends and nothing else: a training goes on, and no traceback is shown.

Colours are rich's, on a terminal alone, and not where NO_COLOR is set (https://no-color.org): `print_lines`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from runner.foreign import shown
from runner.secrets import masked

# Control characters other than line breaks and tabs, half characters, and marks that turn the writing direction.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Piece(NamedTuple):
    """A part of a line, in a style of rich's ("bold", "green"); without a style it is plain."""

    text: str
    style: str = ""


Line = str | Sequence[Piece]


class CleanStream:
    """A text stream that cleans what it passes on to another stream. is_plain: no colours, no moving cursor."""

    def __init__(self, inner: Any, *, is_plain: bool) -> None:
        self._inner = inner
        self._is_plain = is_plain

    def write(self, text: str) -> int:
        self._pass_on(_clean(text) if self._is_plain else masked(text))
        return len(text)

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """Write pieces with their styles: the text of each is cleaned, the styles are let through."""
        self._pass_on("".join(_rendered(piece, _clean(piece.text)) for piece in pieces))

    def _pass_on(self, clean: str) -> None:
        try:
            try:
                self._inner.write(clean)
            except UnicodeEncodeError:
                encoding = getattr(self._inner, "encoding", None) or "ascii"
                self._inner.write(clean.encode(encoding, "backslashreplace").decode(encoding))
        except BrokenPipeError:
            self._let_go()

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._inner.flush()
        except BrokenPipeError:
            self._let_go()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _let_go(self) -> None:
        """Print nowhere from now on."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._inner.fileno())
            os.close(nowhere)


@contextmanager
def clean_streams() -> Iterator[None]:
    """Put CleanStreams before stdout and stderr while the block runs. On stderr, progress bars may move the cursor."""
    before = sys.stdout, sys.stderr
    try:
        wrap_streams()
        yield
    finally:
        sys.stdout, sys.stderr = before


def wrap_streams() -> None:
    """Put CleanStreams before stdout and stderr for good, as in a worker of a sweep."""
    if not isinstance(sys.stdout, CleanStream):
        sys.stdout = CleanStream(sys.stdout, is_plain=True)
    if not isinstance(sys.stderr, CleanStream):
        sys.stderr = CleanStream(sys.stderr, is_plain=False)


def terminal_width(stream: Any) -> int | None:
    """Characters in a line of the terminal that a stream writes to; None if it is no terminal."""
    try:
        return shutil.get_terminal_size().columns if stream.isatty() else None
    except (AttributeError, ValueError):  # replaced by something simpler, or closed
        return None


def has_colours(stream: Any) -> bool:
    """Whether a stream shows colours: a terminal that knows them, and whose user has not set NO_COLOR."""
    if terminal_width(stream) is None or os.environ.get("NO_COLOR"):
        return False
    if sys.platform == "win32":
        return "WT_SESSION" in os.environ
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def print_lines(*lines: Line, file: Any = None) -> None:
    """Print each line, with its styles where the stream shows colours. file: default sys.stdout."""
    stream = sys.stdout if file is None else file
    is_coloured = has_colours(stream)
    for line in lines:
        pieces = [Piece(line)] if isinstance(line, str) else line
        if not is_coloured:
            stream.write("".join(piece.text for piece in pieces) + "\n")
        elif isinstance(stream, CleanStream):
            stream.write_pieces([*pieces, Piece("\n")])
        else:
            stream.write("".join(_rendered(piece, _clean(piece.text)) for piece in pieces) + "\n")
    stream.flush()


def _clean(text: str) -> str:
    return _STEERING.sub(lambda match: shown(match[0]), masked(text))


def _rendered(piece: Piece, text: str) -> str:
    if not piece.style:
        return text
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(piece.style).render(text, color_system=ColorSystem.STANDARD)
