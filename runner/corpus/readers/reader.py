"""The contract of readers: a path and a tokenizer in, docs out, in the file's order.

A factory registered with `@registry.readers("name")` takes the options of the config's `reader` block and returns such
a callable. The tokenizer is for formats that hold raw text; other readers may take the path alone. A reader of a
format that holds more than a Doc takes a third argument, a tally. The reader counts there, by reason, the data left out,
and remarks its guesses. `bind` handles all three signatures. Readers raise RunnerError with file:line.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer


class Remark(NamedTuple):
    """A fact about the reading of a file that the user should know."""

    one: str  # "entity opens with I-, read as B-"; follows the count if there is a plural
    many: str = ""  # "entities open with I-, read as B-"; "": the remark is about the file
    is_warning: bool = False  # a likely mistake, shown with its share of the records; else a note


class Remarks:
    """The remarks on one file: the count and the first place of each remark."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_records = 0
        self.counts: Counter[Remark] = Counter()
        self.places: dict[Remark, str] = {}  # first place, without the path: ":12"

    def add(self, remark: Remark, place: str = "", n: int = 1) -> None:
        """Count the remark. place: "path:line", or ""."""
        if remark not in self.places:
            self.places[remark] = place.removeprefix(str(self.path)) if place else ""
        self.counts[remark] += n

    def texts(self) -> Iterator[tuple[Remark, str, str]]:
        """(remark, place, text with its count) of each remark."""
        for remark, n in self.counts.items():
            if remark.many:
                text = f"{n:,} {remark.one if n == 1 else remark.many}"
            elif remark.is_warning and self.n_records:
                text = f"{remark.one} ({n:,} of {self.n_records:,} line{'s' if self.n_records > 1 else ''})"
            else:
                text = remark.one
            yield remark, f"{self.path}{self.places[remark]}", text


class LeftOut(Counter[str]):
    """What was left out and why, in words → count; `remarks`: file → its remarks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remarks: dict[Path, Remarks] = {}

    def opened(self, path: Path) -> Remarks:
        """Start the file's remarks afresh, so that a file read twice is remarked on once."""
        self.remarks[path] = Remarks(path)
        return self.remarks[path]

    def remark_texts(self) -> Iterator[tuple[Remark, str, str]]:
        """(remark, place, text) of all files."""
        for remarks in self.remarks.values():
            yield from remarks.texts()

    def lines(self) -> list[str]:
        """The remarks for a console: "note: a.iob:4: 1 entity opens with I-, read as B-"."""
        return [f"{'warning' if r.is_warning else 'note'}: {place}: {text}" for r, place, text in self.remark_texts()]

    def plain_remarks(self, paths: Sequence[Path]) -> list[list[Any]]:
        """The remarks on these files as JSON rows, for `restore_remarks`."""
        return [
            [i, self.remarks[path].n_records, *remark, self.remarks[path].places[remark], n]
            for i, path in enumerate(paths)
            if path in self.remarks
            for remark, n in self.remarks[path].counts.items()
        ]

    def restore_remarks(self, rows: Sequence[Sequence[Any]], paths: Sequence[Path]) -> None:
        """Add the rows of `plain_remarks` as remarks on files of the same content at these paths."""
        for path in paths:
            self.opened(path)
        for i, n_records, one, many, is_warning, place, n in rows:
            remarks = self.remarks[paths[i]]
            remarks.n_records = n_records
            remarks.add(Remark(one, many, is_warning), f"{remarks.path}{place}" if place else "", n)


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
