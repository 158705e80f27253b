"""Pick the reader by the file: by its name where that says enough, else by its first line that is not blank.

.jsonl, .ndjson and .json are JSON lines, .conllu is CoNLL-U, .iob, .iob2, .bio, .biluo, .conll and .tsv are token files
(`.gz` after any of them); of others, a first line that opens an object is JSON lines. Whatever is called a token file, or
has no telling name, is CoNLL-U where its first line that is no comment has ten columns parted by tabs: token files have
four at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.readers.conllu import COLUMNS, conllu
from runner.corpus.readers.iob import iob
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.readers.lines import read_lines
from runner.corpus.readers.reader import Reader
from runner.corpus.tokenizer import Tokenizer
from runner.registry import readers

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TOKEN_SUFFIXES = (".iob", ".iob2", ".bio", ".biluo", ".conll", ".tsv")


@readers("auto")
def auto(n_sents: int = 1) -> Reader:
    """A reader that chooses between `jsonl`, `conllu` and `iob`. n_sents: sentences a doc, for the last two."""
    by_format = {"jsonl": jsonl(), "conllu": conllu(n_sents=n_sents), "iob": iob(n_sents=n_sents)}

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        return by_format[format_of(path)](path, tokenizer)

    return read


def format_of(path: Path) -> str:
    """The name of the reader that fits the file. Raises RunnerError where it cannot be read."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(JSON_SUFFIXES):
        return "jsonl"
    if name.endswith(".conllu"):
        return "conllu"
    is_first = True
    for _, line in read_lines(path):
        if not line.strip():
            continue
        if is_first and not name.endswith(TOKEN_SUFFIXES) and line.lstrip().startswith(('{"', "{ ", "{}")):
            return "jsonl"
        is_first = False
        if not line.startswith("#"):  # a comment, or the hash sign as a token: the lines below tell
            return "conllu" if line.count("\t") == len(COLUMNS) - 1 else "iob"
    return "iob"
