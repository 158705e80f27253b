"""Raw texts as training data, for components that learn from words alone: a line of a .txt file is a text.

Other formats are read for their words (../raw.py); their annotation is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.raw import raw_docs
from runner.corpus.readers.reader import LeftOut
from runner.corpus.tokenizer import Tokenizer
from runner.registry import readers


@readers("texts")
def texts() -> Callable[[Path, Tokenizer, LeftOut], Iterator[Doc]]:
    """A reader of raw texts."""
    return raw_docs
