"""Read a table (CSV or TSV) of texts and their categories, with a header line.

    text,label                            text,labels            separator: ";"        text,SPORT,SCIENCE
    The keeper saved it.,SPORT            A ball on Mars.,SPORT;SCIENCE                A ball on Mars.,1,1

One category a text: `label` names the column. Several: `label` names one column and `separator` what stands between
them, or `label` lists columns, one a category, that hold 1, 0 (true, false, yes, no, or a number between) or nothing
where it is not known. With a separator, a category that the file uses and a row does not have is 0 there; an empty cell is a
text of no category. Without one, an empty cell is an error.

Cells may be quoted with ", hold line breaks then, and "" stands for a quote (RFC 4180).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import Reader
from runner.corpus.tokenizer import Tokenizer, syntok, whitespace
from runner.errors import RunnerError, suggest
from runner.registry import readers

_TRUTH = {"1": 1.0, "true": 1.0, "yes": 1.0, "0": 0.0, "false": 0.0, "no": 0.0}
_MAX_CELL = 10_000_000  # characters; the csv module stops at 131,072 by itself, which a long text can pass

Row = tuple[int, list[str]]  # with the number of its first line


@readers("table")
def table(
    text: str = "text",
    label: str | list[str] = "label",
    separator: str | None = None,
    delimiter: str | None = None,
    is_tokenized: bool = False,
) -> Reader:
    """A reader of tables. text: the column of the texts. label: the column of the category, or a list of columns.

    separator: between categories of one cell; null: a cell is one category. delimiter: between cells; null: a tab in
    files named .tsv or .tab, else a comma. is_tokenized: white space separates the words of a text.
    """
    columns = [label] if isinstance(label, str) else list(label)
    if not columns or len({text, *columns}) < len(columns) + 1:
        raise RunnerError("text and label must name different columns, and label at least one")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise RunnerError(f"{delimiter!r} is no delimiter", hint="Give one character, such as ';'.")
    if separator is not None and (not separator or not isinstance(label, str)):
        raise RunnerError(
            f"the separator {separator!r} does not fit", hint="Give it some characters, and name one label column."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: None is the default one."""
        name = path.name.lower().removesuffix(".gz")
        rows = _rows(path, delimiter or ("\t" if name.endswith((".tsv", ".tab")) else ","))
        _, header = next(rows, (0, []))
        if not header:
            raise no_examples(path)
        header = [cell.strip() for cell in header]
        at = {column: _position(column, header, path) for column in (text, *columns)}
        body = list(rows)
        if not body:
            raise no_examples(path)
        known = (
            sorted({item for _, row in body for item in _split(row[at[columns[0]]], separator)}) if separator else []
        )
        split = whitespace() if is_tokenized else tokenizer or syntok()
        for number, row in body:
            place = f"{path}:{number}"
            cats = (
                _one_hot(row[at[columns[0]]], known, separator, place)
                if isinstance(label, str)
                else _from_columns(row, columns, at, place)
            )
            content = row[at[text]]
            tokens = split(content)
            if not tokens[0]:
                raise RunnerError(f"the cell {text!r} is empty", place=place, hint="Remove the row, or give it a text.")
            yield Doc.tokenized(content, tokens, cats=cats, source=place)

    return read


def _rows(path: Path, delimiter: str) -> Iterator[Row]:
    """The rows that are not blank, each as long as the header, with the number of the line that it starts on."""
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
                hint=f"Put cells that hold {delimiter!r} in quotes, or set corpus.reader.delimiter.",
            )
        yield number, row


def _position(column: str, header: Sequence[str], path: Path) -> int:
    if header.count(column) != 1:
        fact = f"there is no column {column!r}; {suggest(column, header)}"
        if column in header:
            fact = f"{header.count(column)} columns are called {column!r}"
        raise RunnerError(fact, place=f"{path}:1", hint="Set corpus.reader.text and corpus.reader.label.")
    return header.index(column)


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
    row: Sequence[str], columns: Sequence[str], at: dict[str, int], place: str
) -> dict[str, float] | None:
    """Category → value of the cells that are not empty; None where all are."""
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
