"""The table that a person reads."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.tracking.base import RunEnd, ScoreColumns
from runner.tracking.console import ConsoleTracker
from runner.tracking.table import EvaluationTable

from .conftest import NER, make_evaluation, make_run, make_step, three_steps

TABLE = """\
               ------------- NER -------------  --- words/s ----
Epoch    Step     Loss       P       R       F    train  predict   Score  Best
-----  ------  -------  ------  ------  ------  -------  -------  ------  ----
    1       2  1234.50   50.00   30.00   40.00    8,001   25,123   40.00     *
    2       3  1234.50   40.00   20.00   30.00    8,001   25,123   30.00
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def without_head(text: str) -> str:
    """The output after the empty line that ends the head."""
    return text.partition("\n\n")[2]


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracker = ConsoleTracker()
    tracker.start(make_run(tmp_path))
    for step in three_steps():
        tracker.record(step)
    assert tracker.finish(RunEnd("FINISHED", models={"model-best": Path.cwd() / "out" / "model-best"})) is None
    said = capsys.readouterr()
    assert without_head(said.out) == TABLE + (
        f"\nBest: epoch 1, score 40.00, {os.path.join('out', 'model-best')}\n"
        "Tokens: 99.87 % of the dev set's are those that are annotated\n"
        "3 dev entities do not fit the tokens: no prediction can be right there\n"
    )
    assert said.err == ""  # no terminal, no bar


def test_a_terminal_gets_a_bar_and_the_table_stays_plain(tmp_path: Path) -> None:
    out, err = io.StringIO(), Terminal()
    tracker = ConsoleTracker(out, err)
    tracker.start(make_run(tmp_path))
    for step in three_steps():
        tracker.record(step)
    tracker.finish(RunEnd("KILLED", "interrupted"))
    assert without_head(out.getvalue()).startswith(TABLE)
    assert "\x1b" not in out.getvalue()
    assert "Epoch 1/2" in err.getvalue()
    assert "training 10,000 words/s, 0:00 left" in err.getvalue()


def test_a_log_is_told_once_a_minute_where_the_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str | None] = []

    class Now:
        """Minutes that pass when the test says so."""

        def __init__(self, text: Callable[[], str | None], stream: object) -> None:
            self.text = text

        def start(self) -> None:
            said.append(self.text())

        def said(self) -> None:
            pass

        def stop(self) -> None:
            said.append(None)

    monkeypatch.setattr("runner.tracking.console.Minutes", Now)
    tracker = ConsoleTracker(io.StringIO(), io.StringIO())
    tracker.start(make_run(tmp_path))
    first, second, _ = three_steps()
    tracker.record(first)
    minute = tracker._minutes
    assert minute is not None
    said += [minute.text(), minute.text()]
    tracker.record(second)
    said += [minute.text(), minute.text()]
    tracker.finish(RunEnd("FINISHED"))
    assert said == [
        "the first update is under way",
        "Epoch 1/2, step 1: 10 %, training 10,000 words/s, 0:00 left",
        "after step 1: scoring, or one long update",
        "Epoch 1/2, step 2: 20 %, training 10,000 words/s, 0:00 left",
        None,  # scored: what follows tells of itself
        None,
    ]


PIPELINE = [
    ScoreColumns("tagger", "Tag", {"tag_acc": "Tag %"}),
    ScoreColumns("parser", "Dep", {"dep_uas": "UAS", "dep_las": "LAS", "sents_f": "Sents F"}),
    NER,
]


@pytest.mark.parametrize(
    ("components", "width", "left"),
    [
        ([NER], 80, "Epoch Step Loss P R F train predict Score Best"),
        (PIPELINE, 140, "Epoch Step Loss % Loss UAS LAS Sents F Loss P R F train predict Score Best"),
        (PIPELINE, 120, "Epoch Step Loss % Loss UAS LAS Sents F Loss P R F Score Best"),
        (PIPELINE, 80, "Epoch Step % UAS LAS Sents F P F Score Best"),
        (PIPELINE, 30, "Epoch Step Score Best"),
    ],
)
def test_columns_that_do_not_fit_the_terminal_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, components: list[ScoreColumns], width: int, left: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    tracker = ConsoleTracker(out, io.StringIO())
    tracker.start(dataclasses.replace(make_run(tmp_path), columns=components))
    for step in three_steps():
        tracker.record(step)
    groups, head, rule, *rows = without_head(out.getvalue()).splitlines()
    assert head.split() == left.split()
    assert len(rows) == 2
    assert all(len(line) <= width for line in (groups, head, rule, *rows))
    has_all = "train" in left
    assert ("no room for" in out.getvalue()) is not has_all


def test_what_does_not_fit_is_named() -> None:
    assert EvaluationTable(PIPELINE, width=80).left_out == ["losses", "NER R", "words/s"]
    assert EvaluationTable(PIPELINE, width=120).left_out == ["words/s"]


def test_a_long_heading_stands_over_one_column() -> None:
    groups, headings, rule = EvaluationTable([ScoreColumns("mine", "my own component", {})]).lines
    assert groups.split() == ["my", "own", "component", "---", "words/s", "----"]
    assert len(groups) <= len(rule)
    assert groups.index("my own component") + len("my own component") == headings.index("Loss") + len("Loss")


def test_a_component_with_a_teacher_has_two_losses() -> None:
    table = EvaluationTable([NER._replace(is_taught=True)])
    assert table.lines[1].split()[2:4] == ["Learn", "Teach"]
    evaluation = dataclasses.replace(make_evaluation(0.4), losses={"ner": 12.5, "teach/ner": 3.25})
    assert table.add(make_step(2, evaluation=evaluation)).split()[2:4] == ["12.50", "3.25"]


def test_wide_letters_take_two_places() -> None:
    groups, head, _ = EvaluationTable([ScoreColumns("人名", "人名の認識器", {})]).lines
    assert groups.split()[0] == "人名の認識器"
    assert len(groups[: groups.index("器") + 1]) + 6 == head.index("Loss") + 4


def test_a_run_without_evaluation_says_nothing_of_a_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracker = ConsoleTracker()
    tracker.start(make_run(tmp_path))
    tracker.finish(RunEnd("FAILED", "no data"))
    assert capsys.readouterr().out == ""


def test_columns_follow_the_components() -> None:
    columns = [
        ScoreColumns("tagger", "Tag", {"tag_acc": "Tag %"}),
        ScoreColumns("trees", "Dep", {"dep_uas": "UAS", "dep_las": "LAS"}),
        ScoreColumns("mine", "mine", {}),
    ]
    table = EvaluationTable(columns)
    assert [word for word in table.lines[0].split() if word.strip("-")] == ["Tag", "Dep", "mine", "words/s"]
    assert table.lines[1].split()[2:8] == ["Loss", "%", "Loss", "UAS", "LAS", "Loss"]
    line = table.add(make_step(1, evaluation=dataclasses.replace(make_evaluation(float("nan")), losses={"trees": 1e9})))
    assert "1.0e+09" in line
    assert line.split()[2:4] == ["-", "-"]  # the tagger was not scored
    assert all(len(row) <= len(table.lines[2]) for row in table.lines)


def test_name_of_a_component_is_not_its_type(tmp_path: Path) -> None:
    table = EvaluationTable.of(dataclasses.replace(make_run(tmp_path), columns=[NER._replace(component="people")]))
    assert "- NER -" in table.lines[0]


def test_a_score_without_gold_is_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = dataclasses.replace(
        make_evaluation(0.4), score=None, scores={"ents_p": None, "ents_r": None, "ents_f": None, "token_acc": 1.0}
    )
    tracker = ConsoleTracker()
    tracker.start(make_run(tmp_path))
    tracker.record(make_step(2, evaluation=absent, is_best=True))
    tracker.finish(RunEnd("FINISHED"))
    assert without_head(capsys.readouterr().out).splitlines()[3:] == [
        "    1       2  1234.50       -       -       -    8,001   25,123       -     *",
        "",
        "Best: epoch 1, score -",
        "3 dev entities do not fit the tokens: no prediction can be right there",
    ]
