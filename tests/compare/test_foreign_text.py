"""Names, labels and values of strangers in tables, pages and pictures: shown as they stand, and never obeyed."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from runner.compare.charts import Interval, interval_chart
from runner.compare.comparison import compare_runs
from runner.compare.page import page
from runner.compare.text import markdown
from runner.launch.gains import Gain
from runner.launch.pictures import draw
from runner.launch.report import as_markdown, as_text, rows_of_jobs
from runner.launch.results import Outcome, Planned, Spread
from runner.tracking.base import ScoreColumns
from runner.tracking.console import ConsoleTracker
from runner.tracking.table import EvaluationTable

FOREIGN = [
    "\x1b[2J",
    "\x1b]0;t\x07",
    "a\nb",
    "a|b",
    "`rm`",
    "<script>x",
    "$x^",
    "$x^$",
    "\u202egnp",
    "**a**",
    "[a](http://b)",
]


def is_harmless(text: str) -> bool:
    """Whether all characters but line breaks are seen."""
    return not [char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def is_plain_markdown(text: str) -> bool:
    """Whether no mark of Markdown or HTML in the samples works."""
    return not re.search(r"(?<!\\)`|(?<!\\)<script|(?<!\\)\*\*a|(?<!\\)\]\(", text)


def n_cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


def outcomes(value: str) -> list[Outcome]:
    return [
        Outcome(Planned(i, [f"+note={word}", f"{value}=0.{i}"], ""), "FINISHED", Path("x"), score=0.5 + i / 10)
        for i, word in enumerate((value, "plain", value * 20))
    ]


@pytest.mark.parametrize("value", FOREIGN)
def test_a_sweeps_tables(value):
    rows = rows_of_jobs(outcomes(value))
    text, table = as_text(rows), as_markdown(rows)
    assert (len(text), len(table)) == (5, 5)
    assert is_harmless("\n".join(text + table))
    assert is_plain_markdown("\n".join(table))
    assert {n_cells(line) for line in table} == {n_cells(table[0])}
    assert not any("\n" in line for line in text + table)


@pytest.mark.parametrize("value", FOREIGN)
def test_a_comparison(past_run, value):
    runs = [replace(past_run("a", None), name=value, params={"note": value, value: "1"}), past_run("b", None)]
    found = compare_runs(runs, rounds=100)
    text, html = markdown(found), page(found)
    assert is_harmless(text)
    assert is_plain_markdown(text)
    table = text.split("\n\n")[1].split("\n")
    assert len(table) == 4
    assert {n_cells(line) for line in table} == {5}
    assert is_harmless(html)
    assert "<script" not in html
    assert is_harmless(interval_chart("t", [Interval(value, -1, 0, 1, True)]))


@pytest.mark.parametrize("value", FOREIGN)
def test_pictures_draw_it_as_it_stands(tmp_path, monkeypatch, value):
    drawn: list[str] = []
    save = Figure.savefig

    def savefig(figure, *args, **more):
        import matplotlib.text

        drawn.extend(text.get_text() for text in figure.findobj(matplotlib.text.Text))
        save(figure, *args, **more)

    monkeypatch.setattr(Figure, "savefig", savefig)
    spread = Spread(n=2, mean=0.1, sd=0.01, low=0.0, high=0.2)
    assert len(draw(outcomes(value), tmp_path, [Gain(value, spread)])) == 3
    assert is_harmless("".join(drawn))
    assert not [text for text in drawn if re.search(r"(?<!\\)\$", text)]


@pytest.mark.parametrize("value", FOREIGN)
def test_the_console_of_a_run(value):
    assert is_harmless("".join(EvaluationTable([ScoreColumns("mine", value, {"mine": value})]).header()))
    stream = io.StringIO()
    ConsoleTracker(stdout=stream)._print(value)
    assert is_harmless(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
