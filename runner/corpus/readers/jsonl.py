"""Read JSON lines in the simple training style: one object a line, `text` or `words` and annotations.

    {"text": "Ada met Lin in Oslo.", "entities": [[0, 3, "PER"], [15, 19, "LOC"]]}

The keys are listed in annotations.py. exports.py recognizes other tools' keys and remarks them. Blank lines are skipped;
files named `.gz` are unpacked. Any error stops the reading with file:line. Numbers are read as the
standard library reads JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers.exports import CATEGORIES, as_simple
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import LeftOut, Reader, Remarks
from runner.corpus.tokenizer import Tokenizer, syntok
from runner.errors import RunnerError
from runner.registry import readers

_surrogate = re.compile(r"\\u[dD][89a-fA-F]")


@readers("jsonl")
def jsonl(names: list[str] | None = None) -> Reader:
    """A reader of JSON lines. names: of tags or categories that are numbers, in their order."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: for lines without words; None is the default one."""

        def records() -> Iterator[tuple[str, Any]]:
            for number, line in read_lines(path):
                if line and not line.isspace():
                    place = f"{path}:{number}"
                    yield place, loads(line, place)

        tally = left_out if left_out is not None else LeftOut()
        remarks = tally.opened(path)
        yield from read_records(records, tokenizer, tally, remarks, names)
        if not remarks.n_records:
            raise no_examples(path)

    return read


def read_records(
    records: Callable[[], Iterator[tuple[str, Any]]],
    tokenizer: Tokenizer | None,
    left_out: LeftOut,
    remarks: Remarks,
    names: Sequence[str] | None = None,
) -> Iterator[Doc]:
    """The docs of (place, record) pairs, in the simple style or a style that exports.py knows.

    records: yields the pairs from the start; called twice if the first doc needs the categories of all records.
    """
    categories: set[str] | None = None
    for place, content in records():
        remarks.n_records += 1
        record = as_simple(content, left_out, remarks, place, names)
        if record is None:
            continue
        if CATEGORIES in record:
            if categories is None:
                categories = _doubtful_categories(records, names)
            held = record.pop(CATEGORIES)
            record["cats"] = dict.fromkeys(sorted(categories), 0.0) | dict.fromkeys(held, 1.0)
        if tokenizer is None and record.get("words") is None:
            tokenizer = syntok()
        yield read_annotations(record, tokenizer, source=place)


def _doubtful_categories(records: Callable[[], Iterator[tuple[str, Any]]], names: Sequence[str] | None) -> set[str]:
    """All categories if some text has no category or several, so that absent categories count as 0; else an empty set."""
    categories: set[str] = set()
    is_single = True
    nothing, remarks = LeftOut(), Remarks(Path())
    for place, content in records():
        record = as_simple(content, nothing, remarks, place, names)
        if record is not None and CATEGORIES in record:
            categories.update(record[CATEGORIES])
            is_single &= len(record[CATEGORIES]) == 1
    return set() if is_single else categories


def check_text(content: Any, text: str, place: str) -> None:
    """Raise RunnerError if the JSON text holds an unpaired surrogate, which cannot be written as UTF-8."""
    if not _surrogate.search(text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise RunnerError(
            r"there is half a character (an unpaired \uD8.. escape)",
            place=place,
            hint="Write the text's characters as UTF-8, or escape both halves.",
        ) from None


def parse(line: str, place: str) -> dict[str, Any]:
    """The JSON object on a line. Raises RunnerError if the line holds no object."""
    record = loads(line, place)
    if not isinstance(record, dict):
        raise RunnerError(
            "the line is JSON, but no object",
            place=place,
            hint='One object a line: {"text": "…", "entities": [[0, 3, "LOC"]]}.',
        )
    return record


def loads(line: str, place: str) -> Any:
    """The JSON value on a line. Raises RunnerError if the line is not JSON."""
    try:
        record = json.loads(line)
        check_text(record, line, place)
    except json.JSONDecodeError as error:
        raise RunnerError(
            f"the line is not JSON ({error.msg}, column {error.colno})",
            place=place,
            hint='One whole object a line: {"text": "…", "entities": [[0, 3, "LOC"]]}.',
        ) from None
    except (ValueError, RecursionError):
        raise RunnerError(
            "the line nests too deeply or holds an endless number", place=place, hint="Simplify it."
        ) from None
    return record
