"""Raw texts as training data, for components that learn from words alone: a line of a .txt file is a text.

Other formats are read for their words (../raw.py); their annotation is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.raw import raw_docs
from runner.corpus.readers.reader import LeftOut, Reader
from runner.corpus.tokenizer import Tokenizer, syntok
from runner.registry import readers


@readers("texts")
def texts() -> Reader:
    """A reader of raw texts."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The texts of one file. tokenizer: None is the default one."""
        yield from raw_docs(path, tokenizer or syntok(), left_out if left_out is not None else LeftOut())

    return read
