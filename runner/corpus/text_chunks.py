"""Raw texts as chunks of bounded size: cheap to make and to send to another process, which parts them into units.

Files of lines are cut at the ends of lines, CoNLL-U and IOB at the blank lines between sentences; nobody looks at the lines
until `units` does. Rows of CSV, whole files and the docs of other readers are read here, and gathered. Memory does not grow
with the input (except in formats that their readers hold whole).
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from runner import registry
from runner.corpus.annotations import UNALIGNED
from runner.corpus.readers.iob import column_count
from runner.corpus.readers.lines import MAX_LINE, unpacked
from runner.corpus.readers.not_utf8 import check_block
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.texts import STANDARD, Input, Unit
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.files import is_handed_over, open_file

CHUNK_BYTES = 1 << 16  # 12,000 words: the work of a batch; with more, workers would end at different times
CHUNK_TEXTS = 256  # texts of a chunk that are gathered one by one
_MAX_CELL = 10_000_000  # characters
_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"\n(?:[ \t\r]*\n)+")  # between sentences
SENTENCES = ("conllu", "iob")  # formats with a blank line after each sentence


class Lines(NamedTuple):
    """Whole lines of a file, or whole sentences. first: number of the first line. kind: line, json, conllu or iob."""

    name: str
    first: int
    kind: str
    content: bytes
    n_columns: int = 0  # of the IOB file


Chunk = Lines | list[Unit]


def units(chunk: Chunk) -> Iterator[Unit]:
    """The texts of a chunk, in order. Blank lines are no texts."""
    if isinstance(chunk, list):
        yield from chunk
    elif chunk.kind in SENTENCES:
        yield from _sentences(chunk)
    else:
        name, first, kind, content, _ = chunk
        for number, line in enumerate(content.split(b"\n"), first):
            if len(line) >= MAX_LINE:
                yield Unit(f"{name}:{number}", "fault", f"the line is longer than {MAX_LINE:,} bytes")
            elif line and not line.isspace():
                yield Unit(f"{name}:{number}", kind, line.rstrip(b"\r"))


def _sentences(chunk: Lines) -> Iterator[Unit]:
    """A unit a sentence, with the comments and the document's start above it."""
    name, number, kind, content, n_columns = chunk
    held: list[bytes] = []
    first = number
    for paragraph, gap in _paragraphs(content):
        n_lines = paragraph.count(b"\n") + gap.count(b"\n")
        held.append(paragraph + gap)
        if (has_words := _has_words(paragraph)) or not gap:
            whole = b"".join(held)
            if has_words or (kind == "conllu" and not whole.isspace()):  # a comment alone is a fault there
                yield Unit(f"{name}:{first}", kind, (name, first, whole, n_columns))
            held, first = [], number + n_lines
        number += n_lines


def _paragraphs(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(lines, the blank lines after them); the last without blank lines."""
    at = 0
    for match in _BLANK.finditer(content):
        yield content[at : match.start()], match[0]
        at = match.end()
    if content[at:]:
        yield content[at:], b""


def _has_words(paragraph: bytes) -> bool:
    """Whether a line is neither blank nor a comment nor -DOCSTART-: only such a paragraph is a sentence."""
    return any(
        line and not line.isspace() and not line.startswith((b"#", b"-DOCSTART-")) for line in paragraph.split(b"\n")
    )


def read_chunks(inputs: Sequence[Input], left_out: LeftOut, tokenize: Tokenizer) -> Iterator[Chunk]:
    """All texts of the inputs, in order. Raises RunnerError where the rest of an input cannot be read."""
    for path, form in inputs:
        name = "standard input" if str(path) == STANDARD else str(path)
        if form not in ("txt", "file", "jsonl", "csv", "stream", *SENTENCES):
            yield from _gathered(_docs(path, form, name, left_out, tokenize))
            continue
        try:
            with ExitStack() as stack:
                stream = _opened(path, stack)
                if form in ("file", "csv"):
                    yield from _gathered(_whole_file(stream, name) if form == "file" else _rows(stream, name))
                    continue
                is_slow = str(path) == STANDARD or is_handed_over(path)
                blocks = _whole_lines(stream, is_slow=is_slow)
                blocks = blocks if is_slow else _checked(blocks, name)
                if form in SENTENCES:
                    yield from _blocks_of_sentences(blocks, name, form)
                else:
                    yield from _blocks_of_lines(blocks, name, {"txt": "line", "jsonl": "json"}.get(form))
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(error, name) from None


def _unreadable(error: Exception, name: str) -> RunnerError:
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        hint = "Make the archive again, or drop '.gz' from the name of a file that is not an archive."
        return RunnerError(f"the file cannot be unpacked ({error})", place=name, hint=hint)
    fact = f"the file cannot be read ({getattr(error, 'strerror', None) or error})"
    return RunnerError(fact, place=name, hint="Check the path.")


def after(chunks: Iterator[Chunk], n_units: int) -> Iterator[Chunk]:
    """The chunks without their first `n_units` texts."""
    for chunk in chunks:
        if n_units:
            here = list(units(chunk))
            chunk = here[n_units:]
            n_units -= min(n_units, len(here))
            if not chunk:
                continue
        yield chunk


def total_size(inputs: Sequence[Input]) -> int | None:
    """The bytes that `measured` will count; None if that is not known before the end."""
    total = 0
    for path, form in inputs:
        if form not in ("txt", "jsonl", *SENTENCES) or path.name.endswith(".gz") or not path.is_file():
            return None
        total += path.stat().st_size
    return total


def measured(chunks: Iterator[Chunk], sizes: deque[int]) -> Iterator[Chunk]:
    """The chunks. Appends the bytes of each to `sizes`: 0 if it is no piece of a file."""
    for chunk in chunks:
        sizes.append(len(chunk.content) if isinstance(chunk, Lines) else 0)
        yield chunk


def _gathered(stream: Iterator[Unit]) -> Iterator[list[Unit]]:
    chunk: list[Unit] = []
    size = 0
    for unit in stream:
        chunk.append(unit)
        value = unit.value
        size += 6 * len(value[0]) if unit.kind == "doc" else len(value[0] if unit.kind == "row" else value)
        if len(chunk) >= CHUNK_TEXTS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _docs(path: Path, form: str, name: str, left_out: LeftOut, tokenize: Tokenizer) -> Iterator[Unit]:
    """What a reader reads, without its annotation."""
    for i, doc in enumerate(bind(registry.readers.get(form)(), tokenize, left_out)(path)):
        meta = {key: value for key, value in doc.meta.items() if key != UNALIGNED}
        yield Unit(doc.source or f"{name}: text {i + 1}", "doc", (doc.words, doc.spaces, doc.raw, meta))


def _opened(path: Path, stack: ExitStack) -> IO[bytes]:
    if str(path) == STANDARD:
        return sys.stdin.buffer
    if is_handed_over(path):
        return stack.enter_context(path.open("rb"))
    return unpacked(stack.enter_context(open_file(path)), path)


def _whole_file(stream: IO[bytes], name: str) -> Iterator[Unit]:
    content = stream.read(MAX_LINE + 1).removeprefix(_BOM)
    if len(content) > MAX_LINE:
        yield Unit(name, "fault", f"the text is longer than {MAX_LINE:,} bytes")
    else:
        yield Unit(name, "file", content)


def _whole_lines(stream: IO[bytes], *, is_slow: bool) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, lines) in blocks of about CHUNK_BYTES. The end of an endless line is left out.

    is_slow: take what there is, for a pipe's writer may need time for the next line.
    """
    number = 1
    read = stream.read1 if is_slow else stream.read  # type: ignore[attr-defined]
    while block := read(CHUNK_BYTES):
        if not block.endswith(b"\n"):
            block += (line := stream.readline(MAX_LINE))
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := stream.readline(CHUNK_BYTES)) and not rest.endswith(b"\n"):
                    pass
                block += b"\n"
        n = block.count(b"\n")
        yield number, block.removeprefix(_BOM) if number == 1 else block
        number += n


def _checked(blocks: Iterator[tuple[int, bytes]], name: str) -> Iterator[tuple[int, bytes]]:
    """The blocks. Raises RunnerError if the first tells that the file is not UTF-8 at all, or has no line ends."""
    for number, block in blocks:
        if number == 1:
            check_block(block, Path(name))
        yield number, block


def _blocks_of_lines(blocks: Iterator[tuple[int, bytes]], name: str, kind: str | None) -> Iterator[Lines]:
    """kind: line or json; None: the first text tells."""
    for number, block in blocks:
        if kind is None and not block.isspace():
            kind = "json" if block.lstrip().startswith(b'{"') else "line"
        if kind is not None:
            yield Lines(name, number, kind, block)


def _blocks_of_sentences(blocks: Iterator[tuple[int, bytes]], name: str, kind: str) -> Iterator[Lines]:
    """Raises RunnerError if a sentence does not end."""
    first, held, n_columns = 1, b"", 0
    for number, block in blocks:
        first = first if held else number
        held += block
        n_columns = n_columns or column_count(held.decode("utf8", "replace").split("\n"))
        at = end = 0
        for paragraph, gap in _paragraphs(held):
            at += len(paragraph) + len(gap)
            end = at if gap and _has_words(paragraph) else end
        if end:
            yield Lines(name, first, kind, held[:end], n_columns)
            first, held = first + held.count(b"\n", 0, end), held[end:]
        elif len(held) > MAX_LINE:
            hint = "A blank line ends a sentence. Does the file have another format?"
            fact = f"the sentence is longer than {MAX_LINE:,} bytes"
            raise RunnerError(fact, place=f"{name}:{first}", hint=hint)
    if held and not held.isspace():
        yield Lines(name, first, kind, held, n_columns)


def header_of(path: Path) -> list[str]:
    """The columns of a CSV file. Raises RunnerError if none is called `text`, or the file cannot be read."""
    with ExitStack() as stack:
        try:
            return _header(_opened(path, stack).readline(MAX_LINE), str(path))[0]
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(error, str(path)) from None


def _header(line: bytes, name: str) -> tuple[list[str], str]:
    """(columns, delimiter): the delimiter that gives a column `text`."""
    text = line.removeprefix(_BOM).decode("utf8", "replace").rstrip("\r\n")
    for delimiter in ",\t;|":
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        if cells.count("text") == 1:
            return cells, delimiter
    cells = [cell.strip() for cell in next(csv.reader([text]), [])]
    fact = f"there is no column 'text' (columns: {', '.join(cells)[:200] or 'none'})"
    raise RunnerError(fact, place=f"{name}:1", hint="The first line names the columns; call the texts' column text.")


def _rows(stream: IO[bytes], name: str) -> Iterator[Unit]:
    csv.field_size_limit(_MAX_CELL)
    columns, delimiter = _header(stream.readline(MAX_LINE), name)
    at = columns.index("text")
    lines = (line.decode("utf8", "surrogateescape") for line in stream)
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        place = f"{name}:{rows.line_num + 2}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            hint = 'A cell that opens with " closes with ", and a quote inside is written twice.'
            raise RunnerError(f"the row cannot be read ({error})", place=place, hint=hint) from None
        if not row:
            continue
        if len(row) != len(columns):
            yield Unit(place, "fault", f"{len(row)} cells in a table of {len(columns)} columns")
            continue
        yield Unit(place, "row", (row[at], {column: row[i] for i, column in enumerate(columns) if i != at}))
