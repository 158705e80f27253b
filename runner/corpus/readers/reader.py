"""The contract of readers: a path and a tokenizer in, docs out, in the file's order.

A factory registered with `@registry.readers("name")` takes the options of the config's `reader` block and returns such
a callable. The tokenizer is for formats that hold raw text; a reader that never needs one may take the path alone
(datasets.py calls it accordingly). Readers raise RunnerError with file:line and guess nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer


class Reader(Protocol):
    """Docs of one file."""

    def __call__(self, path: Path, tokenizer: Tokenizer | None = None, /) -> Iterator[Doc]: ...
