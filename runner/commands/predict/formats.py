"""What `predict` writes: annotated docs as bytes, a chunk at a time, so that chunks made in any process can be joined.

jsonl     a record a text in the training style: what every component says (Component.as_record), and the input's meta
csv       a row a text: text, the most probable category, a column a category, other layers as JSON, the input's columns
conllu    CoNLL-U          iob    IOB2          (through the writers)
spacy     spaCy's DocBin, of pieces that writers/docbin.py joins at the end
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from runner import registry
from runner.components.pipeline import Pipeline
from runner.components.records import record_of
from runner.corpus.doc import Doc
from runner.corpus.readers.iob import COLUMNS
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.docbin import Pieces
from runner.errors import RunnerError, suggest

FORMAT_OF = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".conllu": "conllu",
    ".iob": "iob", ".iob2": "iob", ".bio": "iob", ".conll": "iob", ".spacy": "spacy",
}  # fmt: skip
FORMATS = ("jsonl", "csv", "conllu", "iob", "spacy")
HOLD_CONFIDENCE = ("jsonl", "csv")

Encode = Callable[[Sequence[tuple[Doc, bool]], LeftOut], bytes]  # docs, and whether their words are the input's own


def format_for(output: str, given: str | None) -> str:
    """The format of OUT: the one given, else by its suffix; JSON lines on standard output. Raises RunnerError."""
    name = Path(output).name.lower()
    if given is not None and given not in FORMATS:
        raise RunnerError(f"unknown format {given!r}; {suggest(given, FORMATS)}", place="--format")
    named = FORMAT_OF.get(Path(name.removesuffix(".gz")).suffix) if output != "-" else "jsonl"
    chosen = given or named
    if chosen == "spacy" and (output == "-" or name.endswith(".gz")):
        fact = "a DocBin is one packed table, which is no stream" if output == "-" else "a DocBin is packed already"
        raise RunnerError(fact, place="OUT", hint="Give OUT a name that ends in .spacy.")
    if chosen is None:
        hint = f"End it with {', '.join(FORMAT_OF)} (and .gz), or give --format {'|'.join(FORMATS)}."
        raise RunnerError(f"the name {Path(output).name!r} does not say the format", place="OUT", hint=hint)
    if chosen == "spacy":
        Pieces()  # raises if spaCy is missing
    return chosen


def encoder(nlp: Pipeline, form: str, columns: Sequence[str], *, confidence: bool = False) -> Encode:
    """A function from annotated docs to bytes. columns: of a CSV input, beside text. confidence: whether the docs have it.

    Raises RunnerError if the format needs a library that is missing.
    """
    if form == "jsonl":
        return lambda docs, left_out: "".join([_line(nlp, doc, is_own=own) for doc, own in docs]).encode()
    if form == "csv":
        table = Table(nlp, columns, confidence=confidence)
        return lambda docs, left_out: table.rows([doc for doc, _ in docs]).encode()
    if form == "spacy":
        pieces = Pieces()
        return lambda docs, left_out: pieces([doc for doc, _ in docs], left_out)
    writer = registry.writers.get(form)()

    def write(docs: Sequence[tuple[Doc, bool]], left_out: LeftOut) -> bytes:
        for doc, _ in docs:
            if not len(doc):
                hint = "Leave such texts out with --skip-errors, or write JSON lines."
                raise RunnerError(f"a text without words cannot be written as {form}", place=doc.source, hint=hint)
            doc.meta.pop(COLUMNS, None)  # an input's columns; every chunk must have the same
        return "".join(writer((doc for doc, _ in docs), left_out)).encode()

    return write


def separator(form: str) -> bytes:
    """What stands between two chunks."""
    return b"\n" if form == "iob" else b""


def _line(nlp: Pipeline, doc: Doc, *, is_own: bool) -> str:
    record = record_of(nlp, doc)
    if is_own:
        record.setdefault("words", doc.words)
    for key, value in doc.meta.items():
        record.setdefault(key, value)
    return json.dumps(record, ensure_ascii=False, check_circular=False) + "\n"


class Table:
    """Docs as rows of CSV under one header, which depends on the model and the input's columns alone."""

    def __init__(self, nlp: Pipeline, columns: Sequence[str], *, confidence: bool = False) -> None:
        self._nlp = nlp
        sample = record_of(nlp, nlp(nlp.make_doc("a"), confidence=confidence))
        self._cats = list(sample.pop("cats", {}))
        self._layers = [key for key in sample if key != "text"]
        own = ["text", *(["label", *self._cats] if self._cats else []), *self._layers]
        self._columns = [column for column in columns if column not in own]
        self._head = [*own, *self._columns, "meta"]

    @property
    def header(self) -> str:
        return _csv([self._head])

    def rows(self, docs: Sequence[Doc]) -> str:
        rows = []
        for doc in docs:
            record = record_of(self._nlp, doc)
            cats = record.get("cats", {})
            scores = [max(cats, key=cats.__getitem__) if cats else "", *(cats.get(label) for label in self._cats)]
            rest = {key: value for key, value in doc.meta.items() if key not in self._columns and key not in self._head}
            rows.append(
                [
                    doc.text,
                    *(scores if self._cats else []),
                    *(_json(record[key]) if key in record else "" for key in self._layers),
                    *(doc.meta.get(column, "") for column in self._columns),
                    _json(rest) if rest else "",
                ]
            )
        return _csv(rows)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
