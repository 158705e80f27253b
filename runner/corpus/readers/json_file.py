"""Read a JSON file that is one value: a list of records, or an object that holds such a list.

    [{"text": "Ann sleeps", "entities": [[0, 3, "PER"]]}, …]            records of any style that `jsonl` reads
    [["Ann sleeps", {"entities": [[0, 3, "PER"]]}], …]                  the training style of spaCy's guide
    {"classes": ["PER"], "annotations": [["Ann sleeps", {…}], null]}    annotation pages; null is a skipped text
    {"data": [{"text": …}, …]}                                          a list under any one key
    [{"paragraphs": […]}, …]                                            spaCy 2's format (spacy_json.py)

exports.py, prodigy.py and spacy_json.py interpret the records. The file is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.readers.jsonl import read_records
from runner.corpus.readers.lines import no_examples
from runner.corpus.readers.prodigy import is_task, read_tasks
from runner.corpus.readers.reader import LeftOut, Reader, Remark
from runner.corpus.readers.spacy_json import Lines, is_document, read_content, read_documents
from runner.corpus.tokenizer import Tokenizer
from runner.registry import readers

_OF_A_RECORD = ("text", "words", "tokens", "data", "paragraphs")


@readers("json")
def json_file(names: list[str] | None = None) -> Reader:
    """A reader of whole JSON files. names: see `jsonl`."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: for records without words; None is the default one."""
        tally = left_out if left_out is not None else LeftOut()
        content = read_content(path)
        key = None if isinstance(content, Lines) else _list_key(content)
        placed = (
            content if isinstance(content, Lines) else _placed(content if key is None else content[key], path, tally)
        )
        if not placed:
            raise no_examples(path)
        first = placed[0][1]
        if is_document(first):
            yield from read_documents(placed, path, tally)
            return
        remarks = tally.opened(path)
        if key is not None:
            remarks.add(Remark(f"the records are read from the list under {key!r}"))
        if isinstance(first, dict) and is_task(first):
            yield from read_tasks(placed, tokenizer, tally, remarks)
        else:
            yield from read_records(lambda: iter(placed), tokenizer, tally, remarks, names)

    return read


def _placed(content: Any, path: Path, left_out: LeftOut) -> list[tuple[str, Any]]:
    """(place, record) of each record; nulls (skipped texts) are counted and left out."""
    records = content if isinstance(content, list) else [content]
    if n_skipped := sum(record is None for record in records):
        left_out["records that are null"] += n_skipped
    return [(f"{path}: document {i}", record) for i, record in enumerate(records) if record is not None]


def _list_key(content: Any) -> str | None:
    """The key of the object's only list (`classes` is ignored); None if the object is a record or has more lists."""
    if not isinstance(content, dict) or any(
        key in content for key in _OF_A_RECORD if not isinstance(content.get(key), list)
    ):
        return None
    lists = [
        key
        for key, value in content.items()
        if isinstance(value, list) and key not in ("classes", "paragraphs", "words")
    ]
    return lists[0] if len(lists) == 1 else None
