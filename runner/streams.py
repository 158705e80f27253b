"""What a command prints, on its way out: without secrets, without what steers a terminal, and never a reason to fail.

A reader that has gone (`… | head`) ends the printing and nothing else: a training goes on, and no traceback is shown.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from runner.foreign import shown
from runner.secrets import masked

# Control characters but line breaks and tabs, half characters, and what turns the writing direction.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class CleanStream:
    """A text stream before another one; all but writing is left to that one. is_plain: no colours, no moving cursor."""

    def __init__(self, inner: Any, *, is_plain: bool) -> None:
        self._inner = inner
        self._is_plain = is_plain

    def write(self, text: str) -> int:
        clean = masked(text)
        if self._is_plain:
            clean = _STEERING.sub(lambda found: shown(found[0]), clean)
        try:
            try:
                self._inner.write(clean)
            except UnicodeEncodeError:
                encoding = getattr(self._inner, "encoding", None) or "ascii"
                self._inner.write(clean.encode(encoding, "backslashreplace").decode(encoding))
        except BrokenPipeError:
            self._let_go()
        return len(text)

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
    """While this lasts, stdout and stderr are clean ones. On stderr, progress bars may move the cursor."""
    before = sys.stdout, sys.stderr
    try:
        wrap_streams()
        yield
    finally:
        sys.stdout, sys.stderr = before


def wrap_streams() -> None:
    """The same for good, as in a worker of a sweep."""
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
