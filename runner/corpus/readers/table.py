"""Read a table (CSV or TSV) of texts and their categories, with a header line.

    text,label                            text,labels            separator: ";"        text,SPORT,SCIENCE
    The keeper saved it.,SPORT            A ball on Mars.,SPORT;SCIENCE                A ball on Mars.,1,1

For one category a text, `label` names the column. For several, `label` names one column and `separator` parts the
categories in a cell; or `label` lists one column a category, whose cells hold 1, 0 (true, false, yes, no, or a number
between), or nothing if unknown. With a separator, categories that a row lacks are 0, and an empty cell is a text of no
category. Without a separator, an empty label cell is an error.

Quoted cells ("…") may hold line breaks, and "" in them stands for a quote (RFC 4180). Without options, the header line
shows the delimiter and the columns of text and label; guesses are remarked.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import LeftOut, Reader, Remark, Remarks
from runner.corpus.tokenizer import Tokenizer, syntok, whitespace
from runner.errors import RunnerError, suggest
from runner.registry import readers

OWN_OPTIONS = frozenset(("text", "label", "separator", "delimiter"))
TEXT_NAMES = (
    "sentence",
    "review",
    "content",
    "message",
    "tweet",
    "utterance",
    "document",
    "comment",
    "body",
    "headline",
)
LABEL_NAMES = ("labels", "category", "class", "sentiment", "intent", "target", "topic", "emotion", "polarity", "stars")

_DELIMITERS = (",", "\t", ";", "|")
_NAMED_DELIMITERS = {"tab": "\t", r"\t": "\t"}  # names for use on a command line
_TRUTH = {"1": 1.0, "true": 1.0, "yes": 1.0, "0": 0.0, "false": 0.0, "no": 0.0}
_MAX_CELL = 10_000_000  # characters; the csv module's default limit, 131,072, is too low for long texts

Row = tuple[int, list[str]]  # number of the row's first line, cells


@readers("table")
def table(
    text: str | None = None,
    label: str | list[str] | None = None,
    separator: str | None = None,
    delimiter: str | None = None,
    *,
    is_tokenized: bool = False,
) -> Reader:
    """A reader of tables.

    text: the column of the texts; null: `text`, or the one column with a usual name. label: the column of the category, or
    a list of columns; null: `label`, or likewise. separator: between categories of one cell; null: a cell is one category.
    delimiter: between cells ("tab" is one); null: as the header line shows. is_tokenized: white space separates words.
    """
    columns = [label] if isinstance(label, str) else list(label) if label is not None else None
    if columns is not None and (not columns or len({text or "text", *columns}) < len(columns) + 1):
        raise RunnerError("text and label must name different columns, and label at least one")
    if delimiter is not None:
        delimiter = _NAMED_DELIMITERS.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise RunnerError(f"{delimiter!r} is no delimiter", hint="Give one character, such as ';', or tab.")
    if separator is not None and (not separator or not isinstance(label, str | None)):
        raise RunnerError(
            f"the separator {separator!r} does not fit", hint="Give it some characters, and name one label column."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: None is the default one."""
        remarks = (left_out if left_out is not None else LeftOut()).opened(path)
        header = _header(path, delimiter, text, columns)
        at = header.positions(text, columns, remarks)
        body = list(_rows(path, header.delimiter))[1:]
        if not body:
            raise no_examples(path)
        labels = [name for name in at if name is not None]
        known = sorted({item for _, row in body for item in _split(row[at[labels[0]]], separator)}) if separator else []
        split = whitespace() if is_tokenized else tokenizer or syntok()
        for number, row in body:
            place = f"{path}:{number}"
            cats = (
                _from_columns(row, labels, at, place)
                if isinstance(label, list)
                else _one_hot(row[at[labels[0]]], known, separator, place)
            )
            content = row[at[_TEXT]]
            tokens = split(content)
            if not tokens[0]:
                name = header.cells[at[_TEXT]]
                raise RunnerError(f"the cell {name!r} is empty", place=place, hint="Remove the row, or give it a text.")
            yield Doc.tokenized(content, tokens, cats=cats, source=place)

    return read


_TEXT = None  # the key of the text's position, which no column has


@dataclass
class _Header:
    """The first line, cut at one delimiter."""

    path: Path
    number: int
    delimiter: str
    usual: str  # the delimiter that fits the file's name
    cells: list[str]

    def find(self, name: str | None, default: str, usual: Sequence[str]) -> int | None:
        """The position of the named, the default or the only usually named column; None if there is no such column."""
        if name is not None or self.cells.count(default) == 1:
            wanted = default if name is None else name
            return self.cells.index(wanted) if self.cells.count(wanted) == 1 else None
        matches = [i for i, cell in enumerate(self.cells) if cell.lower() in (default, *usual)]
        return matches[0] if len(matches) == 1 else None

    def has(self, text: str | None, columns: Sequence[str] | None) -> bool:
        """Whether the header has all wanted columns."""
        labels: Sequence[str | None] = columns or [None]
        return self.find(text, "text", TEXT_NAMES) is not None and all(
            self.find(name, "label", LABEL_NAMES) is not None for name in labels
        )

    def positions(self, text: str | None, columns: Sequence[str] | None, remarks: Remarks) -> dict[str | None, int]:
        """Column → position, the text's first, under `_TEXT`. Remarks guesses; RunnerError if a column is missing."""
        at: dict[str | None, int] = {_TEXT: self._position(text, "text", TEXT_NAMES)}
        names: Sequence[str | None] = columns or [None]
        for name in names:
            position = self._position(name, "label", LABEL_NAMES)
            at[self.cells[position]] = position
        if self.delimiter != self.usual:
            remarks.add(Remark(f"the cells are parted by {self.delimiter!r}"), f"{self.path}:{self.number}")
        for is_named, default, position in (
            (text is not None, "text", at[_TEXT]),
            (columns is not None, "label", list(at.values())[1]),
        ):
            if not is_named and self.cells[position] != default:
                fact = f"the column {self.cells[position]!r} is read as the {default}"
                remarks.add(Remark(fact), f"{self.path}:{self.number}")
        return at

    def _position(self, name: str | None, default: str, usual: Sequence[str]) -> int:
        position = self.find(name, default, usual)
        if position is not None:
            return position
        wanted = default if name is None else name
        place = f"{self.path}:{self.number}"
        if self.cells.count(wanted) > 1:
            fact = f"{self.cells.count(wanted)} columns are called {wanted!r}"
            raise RunnerError(fact, place=place, hint="Give each column a name of its own.")
        fact = f"there is no column {wanted!r}; {suggest(wanted, self.cells)}"
        if len(self.cells) < 2:
            hint = """Say what stands between the cells: "corpus.reader.delimiter='#'" for a #."""
            raise RunnerError(fact, place=place, hint=hint)
        near = difflib.get_close_matches(wanted, self.cells, n=1)
        likely = near[0] if near else self.cells[0 if default == "text" else -1]
        hint = f"The first line names the columns; say which one is the {default}: {option(default, likely)}"
        raise RunnerError(fact, place=place, hint=hint)


def _header(path: Path, delimiter: str | None, text: str | None, columns: Sequence[str] | None) -> _Header:
    """The first line, cut at the delimiter that gives the wanted columns, else at the delimiter that gives most cells."""
    name = path.name.lower().removesuffix(".gz")
    usual = "\t" if name.endswith((".tsv", ".tab")) else ","
    headers = []
    for character in [delimiter] if delimiter else sorted(_DELIMITERS, key=lambda c: c != usual):
        try:
            number, cells = next(_rows(path, character), (0, []))
        except RunnerError:
            if character == (delimiter or usual):
                raise
            continue
        if not cells:
            raise no_examples(path)
        header = _Header(path, number, character, delimiter or usual, [cell.strip() for cell in cells])
        if header.has(text, columns):
            return header
        headers.append(header)
    return max(headers, key=lambda header: len(header.cells))


def looks_like_table(line: str) -> bool:
    """Whether the first line of a file named .tsv names columns of text and label."""
    return _Header(Path(), 1, "\t", "\t", line.rstrip("\r").split("\t")).has(None, None)


def option(key: str, value: str) -> str:
    """The reader's option as a command-line argument, quoted if necessary."""
    if re.fullmatch(r"[A-Za-z_][\w.-]*", value):
        return f"corpus.reader.{key}={value}"
    return f"\"corpus.reader.{key}='{value}'\""


def _rows(path: Path, delimiter: str) -> Iterator[Row]:
    """(number of its first line, cells) of each row that is not blank. RunnerError if a row's length is not the header's."""
    csv.field_size_limit(_MAX_CELL)
    rows = csv.reader((line + "\n" for _, line in read_lines(path)), delimiter=delimiter, strict=True)
    width, last = 0, 0
    while True:
        number = last + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise RunnerError(
                f"the row cannot be read ({error})",
                place=f"{path}:{number}",
                hint='A cell that opens with " closes with ", and a quote inside is written twice.',
            ) from None
        last = rows.line_num
        if not any(cell.strip() for cell in row):
            continue
        width = width or len(row)
        if len(row) != width:
            raise RunnerError(
                f"{_cells(len(row))} in a table of {width} columns",
                place=f"{path}:{number}",
                hint=f"Put cells that hold {delimiter!r} in quotes, or say what stands between them with "
                "corpus.reader.delimiter.",
            )
        yield number, row


def _split(cell: str, separator: str) -> list[str]:
    return [item.strip() for item in cell.split(separator) if item.strip()]


def _one_hot(cell: str, known: Sequence[str], separator: str | None, place: str) -> dict[str, float]:
    if separator is not None:
        present = _split(cell, separator)
        return {label: float(label in present) for label in known}
    if not cell.strip():
        raise RunnerError(
            "the label is empty",
            place=place,
            hint="Give the row one, or set corpus.reader.separator where a text may have none.",
        )
    return {cell.strip(): 1.0}


def _from_columns(
    row: Sequence[str], columns: Sequence[str], at: dict[str | None, int], place: str
) -> dict[str, float] | None:
    """Category → value of the cells that are not empty; None if all cells are empty."""
    cats: dict[str, float] = {}
    for column in columns:
        cell = row[at[column]].strip().lower()
        if not cell:
            continue
        try:
            cats[column] = _TRUTH[cell] if cell in _TRUTH else float(cell)
        except ValueError:
            cats[column] = -1.0
        if not 0 <= cats[column] <= 1:
            raise RunnerError(
                f"{column!r} is {row[at[column]]!r}", place=place, hint="Give 1, 0, a number between, or nothing."
            )
    return cats or None


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
