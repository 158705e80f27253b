"""Lines of a UTF-8 file, with their numbers; every fault of the file is a RunnerError at file:line.

Lines end at `\n` alone (`str.splitlines` also cuts at U+2028 and its like, which occur inside tokens). `.gz` files are
unpacked; a byte order mark is dropped. Lines keep a `\r` before the `\n`: readers decide.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from runner.errors import RunnerError

_BLOCK = 1 << 18  # bytes decoded at once, about


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its "\\n") of the file, one at a time.

    Raises RunnerError where the file cannot be opened or unpacked, or a line is not UTF-8.
    """
    number = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb") as stream:
            while block := stream.readlines(_BLOCK):
                try:
                    lines = b"".join(block).decode("utf-8").split("\n")
                except UnicodeDecodeError:  # the lines before it first
                    for raw in block:
                        number += 1
                        yield number, raw.decode("utf-8").removeprefix("\ufeff" * (number == 1)).removesuffix("\n")
                    raise
                if not lines[-1]:
                    lines.pop()
                if not number:
                    lines[0] = lines[0].removeprefix("\ufeff")
                yield from enumerate(lines, start=number + 1)
                number += len(lines)
    except UnicodeDecodeError as error:
        raise RunnerError(
            f"byte 0x{error.object[error.start]:02x} at position {error.start} of the line is not UTF-8",
            place=f"{path}:{number}",
            hint="Save the file as UTF-8; from Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW_FILE.",
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunnerError(
            f"the file cannot be unpacked ({error})",
            place=f"{path}:{number + 1}",
            hint="Make the archive again, or drop '.gz' from the name of a file that is none.",
        ) from None
    except OSError as error:
        raise RunnerError(
            f"the file cannot be read ({error.strerror or error})", place=str(path), hint="Check the path."
        ) from None


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """The whole file, or its first `limit` bytes, unpacked where it is named `.gz`.

    Raises RunnerError where it cannot be opened or unpacked."""
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb") as stream:
            return stream.read(limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunnerError(
            f"the file cannot be unpacked ({error})",
            place=str(path),
            hint="Make the archive again, or drop '.gz' from the name of a file that is none.",
        ) from None
    except OSError as error:
        raise RunnerError(
            f"the file cannot be read ({error.strerror or error})", place=str(path), hint="Check the path."
        ) from None


def no_examples(path: Path) -> RunnerError:
    """The error of a file without a single example."""
    return RunnerError("there are no examples in the file", place=str(path), hint="Check the path and the format.")
