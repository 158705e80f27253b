"""Read word vectors from files, in the order of the file (mostly that of frequency):

    word2vec, fastText, floret     "WORDS DIM", then a line a word: the word and DIM numbers (.txt, .vec)
    GloVe                          the same without the first line
    word2vec, binary               "WORDS DIM", then each word, a blank and DIM float32, little-endian (.bin)

Each may be gzipped. Words may hold blanks, as some of GloVe's do.
"""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from runner.errors import RunnerError
from runner.files import open_file

Entry = tuple[str, NDArray[np.float32]]
Format = Literal["auto", "text", "binary"]
_MOST_DIM = 8192
_MOST_LINE = 1 << 20  # bytes
_MOST_WORD = 1 << 12  # bytes, in a binary file
_FASTTEXT = 793712314  # the magic number of fastText's models
_COUNTS = re.compile(rb"\s*(\d{1,10})\s+(\d{1,5})\s*\r?\n?")


def read_vectors(path: Path, kind: Format = "auto", limit: int | None = None) -> Iterator[Entry]:
    """Yield words and vectors, all of one length. kind: auto: binary if the name ends in .bin (or .bin.gz). limit: words to read.

    Raises RunnerError with the place if the file cannot be read, or a vector has another length or is not finite.
    """
    name = path.name.lower().removesuffix(".gz")
    is_binary = name.endswith(".bin") if kind == "auto" else kind == "binary"
    parse = _binary if is_binary else _lines
    try:
        with open_file(path) as raw, closing(_opened(raw)) as stream:
            yield from islice(_checked(parse(stream, path), path), limit)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunnerError(f"the file cannot be read ({reason})", place=str(path), hint="Check the file.") from None


def _opened(raw: Any) -> Any:
    return gzip.open(raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw


def _checked(entries: Iterator[tuple[str, NDArray[np.float32], str]], path: Path) -> Iterator[Entry]:
    is_empty = True
    for word, vector, where in entries:
        if not np.isfinite(vector).all():
            raise RunnerError(f"the vector of {word!r:.40} is not finite", place=where, hint="Leave the word out.")
        is_empty = False
        yield word, vector
    if is_empty:
        raise RunnerError("there is no vector in the file", place=str(path), hint="Name a file of word vectors.")


def _lines(stream: IO[bytes], path: Path) -> Iterator[tuple[str, NDArray[np.float32], str]]:
    dim = 0
    for number, line in enumerate(iter(_line_of(stream), b""), 1):
        where = f"{path}:{number}"
        if number == 1 and (counts := _COUNTS.fullmatch(line)):
            dim = _dim(int(counts[2]), where)
            continue
        line = line.strip(b" \t\r\n") if not line.startswith((b" ", b"\t")) else line.rstrip()
        if not line:
            continue
        if not dim:
            dim = _dim(len(line.split()) - 1, where)
        word, vector = _parsed(line, dim)
        if vector is None:
            fact = f"the line is no word with {dim} numbers"
            raise RunnerError(fact, place=where, hint="Binary vectors: vectors.format=binary.")
        try:
            yield word.decode("utf8"), vector, where
        except UnicodeDecodeError:
            hint = "Binary vectors: vectors.format=binary; else convert the file (iconv -t utf-8)."
            raise RunnerError("the word is not UTF-8", place=where, hint=hint) from None


def _line_of(stream: IO[bytes]) -> Callable[[], bytes]:
    return lambda: stream.readline(_MOST_LINE)


def _parsed(line: bytes, dim: int) -> tuple[bytes, NDArray[np.float32] | None]:
    word, _, rest = line.replace(b"\t", b" ").partition(b" ")
    vector = _numbers(rest)
    if len(vector) != dim:  # a word with blanks, perhaps
        parts = line.replace(b"\t", b" ").rsplit(b" ", dim)
        if len(parts) <= dim:
            return line, None
        word, vector = parts[0], _numbers(b" ".join(parts[1:]))
    return word, vector if len(vector) == dim else None


def _numbers(text: bytes) -> NDArray[np.float32]:
    """All numbers of a text; those before the first that is none, and none more."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype="float32", sep=" ")
        except (DeprecationWarning, ValueError):
            return np.zeros(0, dtype="float32")


def _binary(stream: IO[bytes], path: Path) -> Iterator[tuple[str, NDArray[np.float32], str]]:
    first = stream.readline(64)
    counts = _COUNTS.fullmatch(first)
    if counts is None:
        if int.from_bytes(first[:4], "little") == _FASTTEXT:
            fact, hint = "this is a model of fastText, not a file of vectors", "Take its .vec file."
        else:
            fact, hint = (
                "the file does not begin with the numbers of words and dimensions",
                "Text: vectors.format=text.",
            )
        raise RunnerError(fact, place=str(path), hint=hint)
    dim = _dim(int(counts[2]), str(path))
    for number in range(1, int(counts[1]) + 1):
        where = f"{path}, vector {number:,}"
        word = _word(stream).lstrip(b"\n")
        content = stream.read(4 * dim)
        if not word or len(content) < 4 * dim:
            raise RunnerError(f"the file ends before vector {number:,} of {counts[1].decode()}", place=str(path),
                              hint="Fetch it again.")  # fmt: skip
        yield word.decode("utf8", "replace"), np.frombuffer(content, "<f4"), where


def _word(stream: IO[bytes]) -> bytes:
    """The bytes up to the next blank."""
    word = bytearray()
    while (byte := stream.read(1)) not in (b" ", b"") and len(word) < _MOST_WORD:
        word += byte
    return bytes(word)


def _dim(dim: int, where: str) -> int:
    if not 0 < dim <= _MOST_DIM:
        hint = "Name a file of word vectors: a word and its numbers a line."
        raise RunnerError(f"a vector has {dim:,} numbers; it must be from 1 to {_MOST_DIM:,}", place=where, hint=hint)
    return dim
