"""Pick the reader by the file: by its name where that says enough, else by its first line that is not blank.

    .conllu                                    conllu
    .spacy                                     docbin
    .zip                                       zipped_texts
    .csv                                       table
    .tsv, .tab                                 table where the first line has the columns text and label, else as below
    .jsonl, .ndjson, .json                     spacy_json, prodigy or jsonl, as the first object's keys say
    .iob, .iob2, .bio, .biluo, .conll          conllu where the first line that is no comment is one of its, else iob

`.gz` may follow any of them. A file of another name is looked at: JSON, zlib's mark of a DocBin, ten columns that begin
with a word's number, and what remains is a token file. A path into an archive (a.zip/PATTERN) is zipped_texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.readers.archive import archive_of, zipped_texts
from runner.corpus.readers.conllu import COLUMNS, conllu, is_id
from runner.corpus.readers.docbin import docbin
from runner.corpus.readers.iob import iob
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.readers.lines import read_bytes, read_lines
from runner.corpus.readers.prodigy import is_task, prodigy
from runner.corpus.readers.reader import LeftOut, Reader, bind
from runner.corpus.readers.spacy_json import spacy_json
from runner.corpus.readers.table import table
from runner.corpus.tokenizer import Tokenizer
from runner.registry import readers

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TOKEN_SUFFIXES = (".iob", ".iob2", ".bio", ".biluo", ".conll", ".tsv", ".tab")
SUFFIXES = (*JSON_SUFFIXES, *TOKEN_SUFFIXES, ".conllu", ".spacy", ".csv", ".zip")
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@readers("auto")
def auto(n_sents: int = 1, merge_subtokens: bool = False) -> Reader:
    """A reader that chooses among the others. n_sents: sentences a doc, for `conllu` and `iob`. merge_subtokens: as there."""
    by_format = {
        "jsonl": jsonl(),
        "conllu": conllu(n_sents=n_sents, merge_subtokens=merge_subtokens),
        "iob": iob(n_sents=n_sents),
        "spacy_json": spacy_json(),
        "docbin": docbin(),
        "prodigy": prodigy(),
        "table": table(),
        "zipped_texts": zipped_texts(),
    }

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        reader = by_format[format_of(path)]
        return bind(reader, tokenizer, left_out if left_out is not None else LeftOut())(path)

    return read


def format_of(path: Path) -> str:
    """The name of the reader that fits the file. Raises RunnerError where it cannot be read."""
    if archive_of(path) is not None:
        return "zipped_texts"
    name = path.name.lower().removesuffix(".gz")
    for suffix, format_name in ((".conllu", "conllu"), (".spacy", "docbin"), (".csv", "table")):
        if name.endswith(suffix):
            return format_name
    is_json = name.endswith(JSON_SUFFIXES)
    has_name = is_json or name.endswith(TOKEN_SUFFIXES)
    if not has_name and read_bytes(path, 2) in _ZLIB:
        return "docbin"
    is_first = True
    for _, line in read_lines(path):
        if not line.strip():
            continue
        if is_json or (is_first and not has_name and line.lstrip().startswith(('{"', "{ ", "{}", '[{"', "[\r"))):
            return _json_format(line, may_be_whole=not name.endswith((".jsonl", ".ndjson")))
        if is_first and not has_name and line.strip() in ("{", "["):
            return "spacy_json"
        if is_first and name.endswith((".tsv", ".tab")) and {"text", "label"} <= set(line.rstrip("\r").split("\t")):
            return "table"
        is_first = False
        if not line.startswith("#"):  # a comment, or the hash sign as a token: the lines below tell
            columns = line.split("\t", len(COLUMNS))
            return "conllu" if len(columns) == len(COLUMNS) and is_id(columns[0]) else "iob"
    return "jsonl" if is_json else "iob"


def _json_format(line: str, *, may_be_whole: bool) -> str:
    """Of a JSON file, by its first line: `spacy_json` is one value that may go over many lines, the others are not."""
    start = line.lstrip()
    if start.startswith("["):
        return "spacy_json" if may_be_whole else "jsonl"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "spacy_json" if may_be_whole else "jsonl"
    if not isinstance(record, dict):
        return "jsonl"
    if isinstance(record.get("paragraphs"), list):
        return "spacy_json"
    return "prodigy" if is_task(record) else "jsonl"
