"""Pick the reader by the file: by its name where that says enough, else by its first line that is not blank.

.jsonl, .ndjson and .json are JSON lines, .iob, .iob2, .bio, .biluo, .conll and .tsv are token files (`.gz` after any of
them); of others, a first line that opens an object is JSON lines, anything else a token file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.corpus.doc import Doc
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
    """A reader that chooses between `jsonl` and `iob`. n_sents: sentences a doc, for token files."""
    read_objects, read_tokens = jsonl(), iob(n_sents=n_sents)

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        return (read_objects if holds_objects(path) else read_tokens)(path, tokenizer)

    return read


def holds_objects(path: Path) -> bool:
    """Whether the file looks like JSON lines. Raises RunnerError where it cannot be read."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(JSON_SUFFIXES):
        return True
    if name.endswith(TOKEN_SUFFIXES):
        return False
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    return first.lstrip().startswith(('{"', "{ ", "{}"))
