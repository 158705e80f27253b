"""Choose a reader by the file's name. If the name does not decide, the file's first lines do.

    .conllu                                    conllu
    .spacy                                     docbin
    .zip                                       zipped_texts
    .csv                                       table
    .tsv, .tab                                 table if the first line names text and label columns, else conllu or iob
    .jsonl, .ndjson, .json                     spacy_json, prodigy or jsonl, by the first object's keys; json if the
                                               file is one value
    .iob, .iob2, .bio, .biluo, .conll          conllu if the first line without # is a CoNLL-U line, else iob

`.gz` may follow any suffix but .zip. Any other file is chosen by content: JSON; zlib's first bytes (docbin); ten columns
that begin with a word ID (conllu); else iob. A path into an archive (a.zip/PATTERN) is zipped_texts.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.conllu import COLUMNS, is_id
from runner.corpus.readers.iob import Scheme
from runner.corpus.readers.lines import read_bytes, read_lines
from runner.corpus.readers.prodigy import is_task
from runner.corpus.readers.reader import LeftOut, Reader, Remark, bind
from runner.corpus.readers.spacy_json import is_document
from runner.corpus.readers.table import OWN_OPTIONS, looks_like_table
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TOKEN_SUFFIXES = (".iob", ".iob2", ".bio", ".biluo", ".conll", ".tsv", ".tab")
SUFFIXES = (*JSON_SUFFIXES, *TOKEN_SUFFIXES, ".conllu", ".spacy", ".csv", ".zip")
_TOLD = {  # reader → suffixes that mean its format and no other
    "conllu": (".conllu",),
    "docbin": (".spacy",),
    "table": (".csv",),
    "iob": (".iob", ".iob2", ".bio", ".biluo"),
    "jsonl": (".jsonl", ".ndjson"),
    "json": (".json",),
}
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@readers("auto")
def auto(
    *,
    n_sents: int | None = None,
    merge_subtokens: bool | None = None,
    scheme: Scheme | None = None,
    text: str | None = None,
    label: str | list[str] | None = None,
    separator: str | None = None,
    delimiter: str | None = None,
    is_tokenized: bool | None = None,
    encoding: str | None = None,
    names: list[str] | None = None,
) -> Reader:
    """A reader that picks another reader for each file. Options go to the readers named here; null: the default.

    n_sents: sentences a doc, for `conllu` and `iob`. merge_subtokens: for `conllu`. scheme: for `iob`. text, label,
    separator, delimiter: for `table`. is_tokenized: for `table` and `zipped_texts`. encoding: for `zipped_texts`. names: for
    `jsonl` and `json`.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    made: dict[str, Callable[..., Iterator[Doc]]] = {}

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        tally = left_out if left_out is not None else LeftOut()
        name = format_of(path, given)
        taken = inspect.signature(readers.get(name)).parameters
        if name not in made:
            made[name] = readers.get(name)(**{key: value for key, value in given.items() if key in taken})
        unused = [key for key in given if key not in taken]
        try:
            for i, doc in enumerate(bind(made[name], tokenizer, tally)(path)):
                if not i and unused:
                    _remark_unused(unused, name, taken, tally, path)
                yield doc
        except RunnerError as error:
            raise _naming(name, path, error) from error.__cause__

    return read


def _naming(name: str, path: Path, error: RunnerError) -> RunnerError:
    """The error, naming the format `name` if it was guessed from the file's content and not told by the file's name."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in _TOLD.get(name, ()) or archive_of(path) is not None:
        return error
    guess = f"the file is read as {name}, by its first lines; corpus.reader.type=NAME names another format."
    return type(error)(
        error.fact, place=error.place, hint=f"{error.hint.rstrip('.')}; {guess}" if error.hint else guess
    )


def _remark_unused(unused: list[str], name: str, taken: Collection[str], left_out: LeftOut, path: Path) -> None:
    """Remark on each option that the file's reader does not take."""
    remarks = left_out.remarks.get(path) or left_out.opened(path)
    own = f"takes {', '.join(taken)}" if taken else "takes no option"
    for key in unused:
        remarks.add(Remark(f"corpus.reader.{key} is not used: the file is read by {name!r}, which {own}", "", True))


def format_of(path: Path, options: Collection[str] = ()) -> str:
    """The name of the reader for the file. OWN_OPTIONS in `options` make a .tsv or .tab file a table.

    Raises RunnerError if the file cannot be read.
    """
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
        if is_json or (is_first and not has_name and line.lstrip().startswith(('{"', "{ ", "{}", '[{"', '[["', "[\r"))):
            return _json_format(line, is_lines=name.endswith((".jsonl", ".ndjson")))
        if is_first and not has_name and line.strip() in ("{", "["):
            return "json"
        if is_first and name.endswith((".tsv", ".tab")) and (OWN_OPTIONS & set(options) or looks_like_table(line)):
            return "table"
        is_first = False
        if not line.startswith("#"):  # a line with # may be a comment or a token
            columns = line.split("\t", len(COLUMNS))
            return "conllu" if len(columns) == len(COLUMNS) and is_id(columns[0]) else "iob"
    return "jsonl" if is_json else "iob"


def _json_format(line: str, *, is_lines: bool) -> str:
    """The reader's name, from a JSON file's first line: `json` reads one value, other readers read JSON lines."""
    start = line.strip()
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "json" if start in ("[", "{") or start.startswith("[") else "jsonl"
    if isinstance(record, list):
        return "jsonl" if len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], dict) else "json"
    if not isinstance(record, dict):
        return "jsonl"
    if is_document(record):
        return "spacy_json"
    if is_task(record):
        return "prodigy"
    is_record = any(key in record for key in ("text", "words", "tokens")) or isinstance(record.get("data"), str | dict)
    return "jsonl" if is_lines or is_record else "json"
