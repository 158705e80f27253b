"""Read JSON lines in the simple training style: one object a line, `text` or `words` and annotations.

    {"text": "Ada met Lin in Oslo.", "entities": [[0, 3, "PER"], [15, 19, "LOC"]]}

The keys are those of annotations.py. Blank lines are skipped; files named `.gz` are unpacked. Anything that is not
right stops the reading with file:line; nothing is guessed. Numbers are read as the standard library reads JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import Reader
from runner.corpus.tokenizer import Tokenizer, syntok
from runner.errors import RunnerError
from runner.registry import readers

_surrogate = re.compile(r"\\u[dD][89a-fA-F]")


@readers("jsonl")
def jsonl() -> Reader:
    """A reader of JSON lines. It takes no options."""

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: for lines without words; None is the default one."""
        is_empty = True
        for number, line in read_lines(path):
            if not line or line.isspace():
                continue
            is_empty = False
            place = f"{path}:{number}"
            record = parse(line, place)
            if tokenizer is None and record.get("words") is None:
                tokenizer = syntok()
            yield read_annotations(record, tokenizer, source=place)
        if is_empty:
            raise no_examples(path)

    return read


def check_text(content: Any, text: str, place: str) -> None:
    """Raises RunnerError where JSON text holds half a character, which no file could be written of."""
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
    """The object that a line holds. Raises RunnerError where it is none."""
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
    if not isinstance(record, dict):
        raise RunnerError(
            "the line is JSON, but no object",
            place=place,
            hint='One object a line: {"text": "…", "entities": [[0, 3, "LOC"]]}.',
        )
    return record
