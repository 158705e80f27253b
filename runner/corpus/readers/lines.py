"""Read the numbered lines of a UTF-8 file; every fault of the file is a RunnerError at file:line.

Lines end at `\n` only (`str.splitlines` also cuts at U+2028 and others, which occur inside tokens). `.gz` files are
unpacked; a byte order mark is dropped. A `\r` before the `\n` is kept for the readers to judge.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from runner.corpus.readers.not_utf8 import SAMPLE, check_block, not_utf8
from runner.errors import RunnerError
from runner.files import open_file

MAX_LINE = 10_000_000  # bytes; a line becomes objects of twenty times its size
MAX_UNPACKED = 1 << 26  # bytes that any archive may unpack to
MAX_RATIO = 200  # how many times its own size a larger archive may unpack to (text: 5 to 15, a zlib bomb: up to 1,032)
MAX_BLANK = 1 << 20  # bytes of white space that any file may hold (four million blank lines take a reader a second)
MAX_BLANK_RATIO = 20  # further bytes of white space allowed for each byte of text

_BLOCK = 1 << 18  # bytes that are read and decoded at once


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its "\\n") of the file.

    Raises RunnerError if the file cannot be opened or unpacked, a line is not UTF-8 or too long, or nearly all is blank.
    """
    number = 0
    try:
        with open_file(path) as file, unpacked(file, path) as stream:
            limits = _Limits(unpacked_limit(path) if isinstance(stream, gzip.GzipFile) else None)
            rest, is_first = b"", True
            while True:
                content = stream.read(_BLOCK)
                limits.check(content, f"{path}:{number + 1}")
                block = rest + content
                end = block.rfind(b"\n") + 1 if content else len(block)
                block, rest = block[:end], block[end:]
                if is_first and (block or rest):
                    check_block(block or rest, path)
                    is_first = False
                if block:
                    try:
                        lines = block.decode("utf-8").split("\n")
                    except UnicodeDecodeError:  # yield the lines before the faulty one
                        for raw in block.split(b"\n"):
                            number += 1
                            yield number, raw.decode("utf-8").removeprefix("\ufeff" * (number == 1))
                        raise
                    if not lines[-1]:
                        lines.pop()
                    if not number:
                        lines[0] = lines[0].removeprefix("\ufeff")
                    yield from enumerate(lines, start=number + 1)
                    number += len(lines)
                if len(rest) > MAX_LINE:
                    raise RunnerError(
                        f"the line is longer than {MAX_LINE:,} bytes",
                        place=f"{path}:{number + 1}",
                        hint="Does the file have another format? Put a book's text on one line per chapter.",
                    )
                if not content:
                    return
    except UnicodeDecodeError as error:
        fact = f"byte 0x{error.object[error.start]:02x} at position {error.start} of the line is not UTF-8"
        raise not_utf8(path, read_bytes(path, SAMPLE), f"{path}:{number}", fact) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunnerError(
            f"the file cannot be unpacked ({error})",
            place=f"{path}:{number + 1}",
            hint="Make the archive again, or drop '.gz' from the name of a file that is not an archive.",
        ) from None
    except OSError as error:
        raise RunnerError(
            f"the file cannot be read ({error.strerror or error})", place=str(path), hint="Check the path."
        ) from None


class _Limits:
    """Stops the reading of a file that unpacks to far more than text would, or holds almost nothing but white space."""

    def __init__(self, n_left: int | None) -> None:
        self.n_left = n_left  # bytes that the file may still unpack to; None: any number
        self.n_blank = self.n_text = 0  # bytes read so far

    def check(self, content: bytes, place: str) -> None:
        """Count the next bytes of the file. Raises RunnerError at `place` if a limit is exceeded."""
        if self.n_left is not None:
            self.n_left -= len(content)
            if self.n_left < 0:
                raise bomb(place)
        n_blank = int(np.count_nonzero(np.frombuffer(content, dtype="uint8") <= ord(" ")))
        self.n_blank, self.n_text = self.n_blank + n_blank, self.n_text + len(content) - n_blank
        if self.n_blank > MAX_BLANK + MAX_BLANK_RATIO * self.n_text:
            raise _blanks(place, self.n_blank, self.n_text)


def unpacked(file: IO[bytes], path: Path) -> IO[bytes]:
    """The file's content as a stream, unpacked if `path` ends in `.gz`."""
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if path.name.endswith(".gz") else file


def unpacked_limit(path: Path) -> int:
    """The number of bytes that the archive `path` may unpack to."""
    return max(MAX_UNPACKED, MAX_RATIO * path.stat().st_size)


def bomb(place: str) -> RunnerError:
    """The error of an archive that unpacks to far more than text would."""
    return RunnerError(
        f"the archive unpacks to more than {MAX_UNPACKED >> 20} MB and {MAX_RATIO} times its size",
        place=place,
        hint="It may be built to fill the memory; unpack it by hand if you trust it.",
    )


def _blanks(place: str, n_blank: int, n_text: int) -> RunnerError:
    """The error of a file that holds almost nothing but white space."""
    fact = f"almost nothing but blanks: so far {n_blank:,} bytes of white space, {n_text:,} of text"
    return RunnerError(fact, place=place, hint="Name another file, or remove needless blank lines.")


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """The whole content of the file, or its first `limit` bytes, unpacked if `path` ends in `.gz`.

    Raises RunnerError if the file cannot be opened or unpacked.
    """
    try:
        with open_file(path) as file, unpacked(file, path) as stream:
            if limit >= 0 or not isinstance(stream, gzip.GzipFile):
                return stream.read(limit)
            content = stream.read(unpacked_limit(path) + 1)
            if len(content) > unpacked_limit(path):
                raise bomb(str(path))
            return content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunnerError(
            f"the file cannot be unpacked ({error})",
            place=str(path),
            hint="Make the archive again, or drop '.gz' from the name of a file that is not an archive.",
        ) from None
    except OSError as error:
        raise RunnerError(
            f"the file cannot be read ({error.strerror or error})", place=str(path), hint="Check the path."
        ) from None


def no_examples(path: Path) -> RunnerError:
    """The error of a file without examples."""
    return RunnerError("there are no examples in the file", place=str(path), hint="Check the path and the format.")
