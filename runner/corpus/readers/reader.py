"""The contract of readers: a path and a tokenizer in, docs out, in the file's order.

A factory registered with `@registry.readers("name")` takes the options of the config's `reader` block and returns such
a callable. The tokenizer is for formats that hold raw text; a reader that never needs one may take the path alone. A
reader of a format that holds what no Doc can takes a third argument, a tally: it counts there, by reason, what it leaves
out. `bind` calls each accordingly. Readers raise RunnerError with file:line and guess nothing.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer

LeftOut = Counter[str]  # what was left out, and why, in words → how often


class Reader(Protocol):
    """Docs of one file."""

    def __call__(self, path: Path, tokenizer: Tokenizer | None = None, /) -> Iterator[Doc]: ...


def bind(
    reader: Callable[..., Iterator[Doc]], tokenizer: Tokenizer | None, left_out: LeftOut
) -> Callable[[Path], Iterator[Doc]]:
    """The reader as a function of the path alone, whether it takes one, two or all three arguments."""
    given: tuple[Any, ...] = (tokenizer, left_out)
    for n in (2, 1):
        try:
            inspect.signature(reader).bind(Path(), *given[:n])
        except TypeError:
            continue
        return lambda path: reader(path, *given[:n])
    return reader
