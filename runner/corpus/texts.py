"""Raw texts to annotate: files, folders and streams as a stream of `Unit`s, and each unit as an unannotated `Doc`.

    .txt and unknown suffixes    a text a line, or the whole file
    .jsonl .ndjson .json         one object a line with `text`, `words` or both; other keys are kept in Doc.meta
    .csv                         a header with a column `text`; other columns are kept in Doc.meta
    .conllu .iob .spacy …        whatever the readers read: its words and meta are kept, its annotation is not

`.gz` may follow any suffix but .zip. A unit is cheap to make and to send to another process; `doc_of` does the work. Memory
does not grow with the input (except in formats that their readers hold whole). Blank lines are no texts.
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

from runner import registry
from runner.corpus.annotations import CONFIDENCE, KEYS, UNALIGNED, read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers.auto import JSON_SUFFIXES, SUFFIXES, format_of
from runner.corpus.readers.jsonl import loads
from runner.corpus.readers.lines import MAX_LINE, unpacked
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError, suggest
from runner.files import is_handed_over, open_file

STANDARD = "-"
TEXT_SUFFIXES = (".txt", ".text")
RAW_FORMATS = ("txt", "jsonl", "csv")  # formats whose faults concern one text
_MAX_CELL = 10_000_000  # characters
_ANNOTATION = frozenset((*KEYS, *CONFIDENCE, UNALIGNED))


class Unit(NamedTuple):
    """One text before it is read. place: "file:line". kind: line, json, row, doc, file or fault (value: the fact)."""

    place: str
    kind: str
    value: Any


def doc_of(unit: Unit, tokenize: Tokenizer) -> Doc:
    """The unit as an unannotated doc; its meta holds what the input tells beside the text. Raises RunnerError at its place."""
    place, kind, value = unit
    if kind == "fault":
        raise RunnerError(value, place=place, hint=_SKIP)
    if kind == "json":
        return _from_record(loads(_decoded(value, place), place), tokenize, place)
    if kind == "doc":
        words, spaces, raw, meta = value
        doc = Doc(words, spaces, meta=meta, source=place)
        doc.raw = raw
        return doc
    meta = {}
    if kind == "row":
        text, meta = value
        if any("\udc80" <= character <= "\udcff" for cell in (text, *meta.values()) for character in cell):
            raise RunnerError("the row is not UTF-8", place=place, hint=_SKIP)
    else:
        text = _decoded(value, place)
        meta = {"file": place} if kind == "file" else {}
    return Doc.tokenized(text, tokenize(text), meta=meta, source=place)


_SKIP = "Mend it, or leave such texts out: --skip-errors"


def _decoded(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf8")
    except UnicodeDecodeError as error:
        raise RunnerError(
            f"byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8", place=place, hint=_SKIP
        ) from None


def _from_record(record: Any, tokenize: Tokenizer, place: str) -> Doc:
    if isinstance(record, list) and record and isinstance(record[0], str):
        record = {"text": record[0]}  # [text, annotations], the style of spaCy 2's guide
    if not isinstance(record, dict) or (record.get("text") is None and record.get("words") is None):
        raise RunnerError("there is no text", place=place, hint='Write {"text": "…"}, one a line.')
    meta = {key: value for key, value in record.items() if key not in _ANNOTATION}
    text, words = record.get("text"), record.get("words")
    if words is not None:
        given = {key: record[key] for key in ("text", "words", "spaces") if record.get(key) is not None}
        doc = read_annotations(given, None, place)
        doc.meta = meta
        return doc
    if not isinstance(text, str):
        raise RunnerError("the text is no string", place=place, hint='Write {"text": "…"}, one a line.')
    return Doc.tokenized(text, tokenize(text), meta=meta, source=place)


def is_tokenized(unit: Unit, doc: Doc) -> bool:
    """Whether the words of the unit's doc are the input's own."""
    return unit.kind == "doc" or (unit.kind == "json" and b'"words"' in unit.value and len(doc) > 0)


# Inputs


class Input(NamedTuple):
    """A file or stream, and how it is read: txt, file, jsonl, csv, or the name of a reader."""

    path: Path
    format: str


def find_inputs(names: Sequence[str], source: str | None, *, whole_files: bool) -> list[Input]:
    """The inputs in order; a folder stands for its files by name.

    source: a format for all inputs; None: by name and content. whole_files: a text file is one text. Raises RunnerError for
    a missing file, a folder without texts, or a stream named twice.
    """
    known = [*RAW_FORMATS, *registry.readers.names()]
    if source is not None and source not in known:
        raise RunnerError(f"unknown format {source!r}; {suggest(source, known)}", place="--from")
    if names.count(STANDARD) > 1:
        raise RunnerError("standard input is named twice", place="INPUT", hint="Name it once.")
    inputs: list[Input] = []
    for name in names:
        path = Path(name)
        if name != STANDARD and path.is_dir():
            suffixes = (*SUFFIXES, *TEXT_SUFFIXES)
            files = [
                file
                for file in sorted(path.rglob("*"))
                if file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
                and (source is not None or file.name.lower().removesuffix(".gz").endswith(suffixes))
            ]
            if not files:
                raise RunnerError(
                    "there is no file with a known suffix in the folder",
                    place=name,
                    hint=f"Known: {', '.join(suffixes)}.",
                )
        elif name == STANDARD or path.is_file() or is_handed_over(path):
            files = [path]
        else:
            near = suggest(path.name, [file.name for file in path.parent.iterdir()]) if path.parent.is_dir() else ""
            hint = near.partition(" (")[0] if near.startswith("did you mean") else "Check the path."
            raise RunnerError("there is no such file or folder", place=name, hint=hint)
        inputs += [Input(file, source or _format(file)) for file in files]
    return [Input(path, "file" if whole_files and form == "txt" else form) for path, form in inputs]


def _format(path: Path) -> str:
    if str(path) == STANDARD or not path.is_file():
        return "stream"
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    if name.endswith(JSON_SUFFIXES):
        named = format_of(path)
        return "jsonl" if named in ("jsonl", "prodigy") else named
    return format_of(path) if name.endswith(SUFFIXES) else "txt"


def read_units(inputs: Sequence[Input], left_out: LeftOut, tokenize: Tokenizer) -> Iterator[Unit]:
    """All units of the inputs, in order. Raises RunnerError where the rest of an input cannot be read."""
    for path, form in inputs:
        name = "standard input" if str(path) == STANDARD else str(path)
        if form not in ("txt", "file", "jsonl", "csv", "stream"):
            for i, doc in enumerate(bind(registry.readers.get(form)(), tokenize, left_out)(path)):
                meta = {key: value for key, value in doc.meta.items() if key != UNALIGNED}
                yield Unit(doc.source or f"{name}: text {i + 1}", "doc", (doc.words, doc.spaces, doc.raw, meta))
            continue
        try:
            with ExitStack() as stack:
                yield from _raw_units(_opened(path, stack), name, form)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise RunnerError(
                f"the file cannot be unpacked ({error})", place=name, hint="Make the archive again."
            ) from None
        except OSError as error:
            fact = f"the file cannot be read ({error.strerror or error})"
            raise RunnerError(fact, place=name, hint="Check the path.") from None


def _opened(path: Path, stack: ExitStack) -> IO[bytes]:
    if str(path) == STANDARD:
        return sys.stdin.buffer
    if is_handed_over(path):
        return stack.enter_context(path.open("rb"))
    return unpacked(stack.enter_context(open_file(path)), path)


def _raw_units(stream: IO[bytes], name: str, form: str) -> Iterator[Unit]:
    if form == "file":
        content = stream.read(MAX_LINE + 1).removeprefix(b"\xef\xbb\xbf")
        is_long = len(content) > MAX_LINE
        yield (
            Unit(name, "fault", f"the text is longer than {MAX_LINE:,} bytes")
            if is_long
            else Unit(name, "file", content)
        )
        return
    if form == "csv":
        yield from _rows(stream, name)
        return
    kind = {"txt": "line", "jsonl": "json"}.get(form)
    for number, line in _lines(stream):
        place = f"{name}:{number}"
        if line is None:
            yield Unit(place, "fault", f"the line is longer than {MAX_LINE:,} bytes")
            continue
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        if kind is None:  # a stream: its first text tells
            kind = "json" if line.lstrip().startswith(b'{"') else "line"
        yield Unit(place, kind, line)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number, line) of each line; None in place of a line that is too long."""
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
            continue
        yield number, line


def header_of(path: Path) -> list[str]:
    """The columns of a CSV file. Raises RunnerError if none is called `text`, or the file cannot be read."""
    with ExitStack() as stack:
        try:
            return _header(next(_lines(_opened(path, stack)), (1, b""))[1] or b"", str(path))[0]
        except OSError as error:
            raise RunnerError(f"cannot read: {error.strerror or error}", place=str(path), hint="Check it.") from None


def _header(line: bytes, name: str) -> tuple[list[str], str]:
    """(columns, delimiter): the delimiter that gives a column `text`."""
    text = line.decode("utf8", "replace").rstrip("\r\n")
    for delimiter in ",\t;|":
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        if cells.count("text") == 1:
            return cells, delimiter
    cells = [cell.strip() for cell in next(csv.reader([text]), [])]
    fact = f"there is no column 'text' (columns: {', '.join(cells)[:200] or 'none'})"
    raise RunnerError(fact, place=f"{name}:1", hint="The first line names the columns; call the texts' column text.")


def _rows(stream: IO[bytes], name: str) -> Iterator[Unit]:
    csv.field_size_limit(_MAX_CELL)
    first = next(_lines(stream), (1, b""))[1] or b""
    columns, delimiter = _header(first, name)
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
