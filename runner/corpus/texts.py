"""Raw texts to annotate: the files, folders and streams that hold them, and each text as an unannotated `Doc`.

    .txt and unknown suffixes    a text a line, or the whole file
    .jsonl .ndjson .json         one object a line with `text`, `words` or both; other keys are kept in Doc.meta
    .csv                         a header with a column `text`; other columns are kept in Doc.meta
    .conllu .iob                 a sentence; its words, comments and ids are kept, its annotation is not
    .spacy .zip …                whatever the readers read: its words and meta are kept, its annotation is not

`.gz` may follow any suffix but .zip. text_chunks.py reads the files, cheaply; `doc_of` does the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner import registry
from runner.corpus.annotations import CONFIDENCE, KEYS, UNALIGNED, read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers import conllu, iob
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.auto import JSON_SUFFIXES, SUFFIXES, format_of
from runner.corpus.readers.jsonl import loads
from runner.corpus.readers.lines import MAX_LINE
from runner.corpus.readers.reader import LeftOut, Remarks
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError, suggest
from runner.files import is_handed_over

STANDARD = "-"
TEXT_SUFFIXES = (".txt", ".text")
RAW_FORMATS = ("txt", "jsonl", "csv")  # formats whose faults concern one text
_ANNOTATION = frozenset((*KEYS, *CONFIDENCE, UNALIGNED))


class Unit(NamedTuple):
    """One text before it is read. place: "file:line". kind: line, json, row, doc, file, conllu, iob, or fault.

    value: what doc_of reads; of a fault, the fact.
    """

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
    if kind in ("conllu", "iob"):
        return _sentence(kind, *value)
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


def _sentence(kind: str, name: str, first: int, content: bytes, n_columns: int) -> Doc:
    """The words and the meta of a sentence. first: the number of its first line. n_columns: of an IOB file."""
    if len(content) > MAX_LINE:
        raise RunnerError(f"the sentence is longer than {MAX_LINE:,} bytes", place=f"{name}:{first}", hint=_SKIP)
    path = Path(name)
    numbered = _numbered(content, name, first)
    if kind == "conllu":
        read = conllu.DocMaker()(list(conllu.parse_sentences(numbered, path)))
    else:
        read = iob.make_doc(iob.parse_sentences(numbered, path, Remarks(path), n_columns), lambda _: [], path)
    return Doc(read.words, read.spaces, meta=read.meta, source=read.source)


def _numbered(content: bytes, name: str, first: int) -> Iterator[tuple[int, str]]:
    """(number, line) of each line. Raises RunnerError at the first line that is not UTF-8."""
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), first):
        yield number, _decoded(line, f"{name}:{number}")


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
    return unit.kind in ("doc", "conllu", "iob") or (unit.kind == "json" and b'"words"' in unit.value and len(doc) > 0)


# Inputs


class Input(NamedTuple):
    """A file or stream, and how it is read: txt, file, jsonl, csv, or the name of a reader."""

    path: Path
    format: str


def find_inputs(
    names: Sequence[str], source: str | None, left_out: LeftOut | None = None, *, whole_files: bool
) -> list[Input]:
    """The inputs in order; a folder stands for its files by name. left_out: counts files that are passed over.

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
            inside = [
                file
                for file in sorted(path.rglob("*"))
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            ]
            files = [
                file
                for file in inside
                if source is not None or file.name.lower().removesuffix(".gz").endswith(suffixes)
            ]
            if left_out is not None and len(files) < len(inside):
                strange = [file.name for file in inside if file not in files]
                some = ", ".join(strange[:3]) + (", …" if len(strange) > 3 else "")
                left_out[f"files without a known suffix ({some})"] += len(strange)
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


def input_of(path: Path) -> Input:
    """A file, or a path into an archive, as an input that is read by its name and content."""
    return Input(path, "zipped_texts" if archive_of(path) is not None else _format(path))


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
