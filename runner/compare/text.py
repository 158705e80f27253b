"""A comparison in Markdown with aligned columns: for the console, for files, for a description in MLflow."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from runner.compare.comparison import ABSENT, LEVEL, Comparison, Row, Tested, percent
from runner.foreign import as_markdown

_LONGEST = 60  # characters of a setting's value


def markdown(comparison: Comparison) -> str:
    """The comparison without its curves."""
    parts = ["# Comparison of " + ", ".join(comparison.letters)]
    runs = [
        [letter, plain(run.name), plain(run.run_id or ABSENT), plain(run.status)]
        for letter, run in zip(comparison.letters, comparison.runs, strict=True)
    ]
    parts.append(table(["", "run", "MLflow run", "status"], runs))
    if comparison.notes:
        parts.append("\n".join(f"- **{plain(note, None)}**" for note in comparison.notes))
    parts.append("## Results")
    parts.append(
        "\n".join(f"- {plain(sentence, None)}" for sentence in sentences(comparison)) or "No significance test."
    )
    parts.append(_rows(comparison, comparison.metrics, "r"))
    if comparison.tested:
        parts.append("## Differences on the dev texts")
        parts.append(
            table(TEST_HEAD, [[plain(cell) for cell in row] for row in test_rows(comparison)], align="lrrrrrr")
        )
        parts.append(method(comparison))
    parts.append("## Settings that differ")
    parts.append(_rows(comparison, comparison.settings, "l") if comparison.settings else "None: the same config.")
    if comparison.origins:
        parts.append("## Code and machine, where they differ")
        parts.append(_rows(comparison, comparison.origins, "l"))
    return "\n\n".join(parts) + "\n"


TEST_HEAD = ("score", "first", "other", "difference", "95 % interval", "p", "texts")


def test_rows(comparison: Comparison) -> list[list[str]]:
    """A row for each test, with the columns of TEST_HEAD; differences are in points."""
    rows = []
    for one in comparison.tested:
        d = one.difference
        rows.append(
            [
                d.key,
                f"{comparison.letters[0]} {percent(d.a)}",
                f"{comparison.letters[one.run]} {percent(d.b)}",
                points(d.difference),
                f"{points(d.low)} to {points(d.high)}",
                p_value(one.p, comparison.rounds),
                f"{d.n_docs:,}",
            ]
        )
    return rows


def sentences(comparison: Comparison) -> list[str]:
    """Each test in words."""
    return [_sentence(comparison, one) for one in comparison.tested]


def _sentence(comparison: Comparison, one: Tested) -> str:
    d, first, other = one.difference, comparison.letters[0], comparison.letters[one.run]
    p = p_value(one.p, comparison.rounds)
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    if one.is_significant:
        word = "better" if d.difference > 0 else "worse"
        return f"{other} is {word} than {first} in {d.key}: {points(d.difference)} points, {p}."
    return f"{other} and {first} do not differ significantly in {d.key}: {points(d.difference)} points, {p}."


def method(comparison: Comparison) -> str:
    """How the tests were made, and what their numbers mean."""
    many = (
        " p-values are adjusted for the number of runs (Holm), intervals are not." if len(comparison.runs) > 2 else ""
    )
    return (
        f"p: approximate randomization over dev texts, two-sided, {comparison.rounds:,} rounds; below {LEVEL} it counts as"
        f" significant.{many} Interval: paired bootstrap, {comparison.rounds:,} samples. In points (hundredths). The tests speak"
        " of these trained models on these texts; other seeds give other models, and each model is of the epoch that was"
        " best on these texts."
    )


def points(value: float) -> str:
    """A difference of scores in points, with its sign."""
    text = f"{100 * value:+.2f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def p_value(p: float, rounds: int) -> str:
    """A p-value with as many digits as the number of rounds supports.

    >>> [p_value(p, 10_000) for p in (1 / 10_001, 0.0042, 0.31, 1.0)]
    ['< 0.001', '0.004', '0.310', '1.000']
    """
    digits = min(3, max(1, int(math.log10(rounds + 1))))
    least = 10.0**-digits
    return f"< {least:.{digits}f}" if p < least else f"{p:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str | None = None) -> str:
    """A table in Markdown whose source is aligned. rows: cells in Markdown, see `plain`.

    align: "l" or "r" for each column; None: all to the left.
    """
    align = align or "l" * len(head)
    cells = [list(row) for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = (f"{cell:<{w}}" if a == "l" else f"{cell:>{w}}" for cell, w, a in zip(row, widths, align, strict=True))
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if a == "r" else "-") for w, a in zip(widths, align, strict=True)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def _rows(comparison: Comparison, rows: Sequence[Row], align: str) -> str:
    marked = []
    for row in rows:
        cells = [plain(cell) for cell in row.cells]
        marked.append([plain(row.name), *(f"**{cell}**" if i in row.best else cell for i, cell in enumerate(cells))])
    return table(["", *comparison.letters], marked, "l" + align * len(comparison.letters))


def plain(text: str, longest: int | None = _LONGEST) -> str:
    """A text as plain Markdown in one line. longest: in characters; a longer text loses its middle. None: no limit."""
    text = re.sub(r"\s+", " ", text)
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 21]}…{text[-20:]}"  # ends tell siblings apart
    return as_markdown(text)
