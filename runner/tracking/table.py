"""The table of evaluations as text: the columns of a run under two lines of headings, and a line for each evaluation.

    ------------ NER ------------  --- words/s ---
    Epoch    Step     Loss       P       R       F    train  predict   Score  Best

Each component names its columns. With a teacher, its loss has two: Learn against what the data annotate, Teach against what
the teacher believes. Shares are shown as percentages with two decimals. Speeds are those of training since the last
evaluation, and of prediction on the dev set. If the columns do not fit a terminal, these are left out, in this order: speeds,
losses, scores that are no part of the final score, the others. console.py prints the lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from runner.components.beliefs import taught_key
from runner.foreign import shown_name
from runner.tracking.base import RunInfo, ScoreColumns
from runner.training.step import Evaluation, Step

GAP = "  "
SPEEDS = "words/s"
_SPEED, _LOSS, _SIDE_SCORE, _MAIN_SCORE, _FORGETTING, _ALWAYS = range(6)  # the smallest are left out first


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of the table.

    heading: its own. group: what it shares with its neighbours, in the line above; "" if nothing. cell: returns the text for an
    evaluation. kept: priority; columns with the smallest number are left out first.
    """

    heading: str
    width: int
    cell: Callable[[Step, Evaluation], str]
    group: str = ""
    kept: int = _ALWAYS

    @classmethod
    def of_score(cls, key: str, heading: str, group: str = "", kept: int = _ALWAYS) -> TextColumn:
        width = max(6, _width(heading))
        return cls(heading, width, lambda _, evaluation: percent(evaluation.scores.get(key)), group, kept)

    @classmethod
    def of_loss(cls, component: str, heading: str, group: str) -> TextColumn:
        """component: the key of the loss."""
        return cls(heading, 7, lambda _, evaluation: _number(evaluation.losses.get(component)), group, _LOSS)


class EvaluationTable:
    """The table of one run.

    components: each component's columns, in order. has_old_dev: whether to show what was forgotten, in points. width: the
    terminal's width in characters; None: show all columns. left_out: names of the columns that did not fit.
    """

    def __init__(
        self, components: Sequence[ScoreColumns], *, has_old_dev: bool = False, width: int | None = None
    ) -> None:
        columns = [
            TextColumn("Epoch", 5, lambda step, _: str(step.epoch)),
            TextColumn("Step", 6, lambda step, _: str(step.step)),
            *(column for one in components for column in _of_component(one)),
        ]
        if has_old_dev:
            columns.append(TextColumn("Forgot", 6, lambda _, e: percent(e.forgetting.get("score")), kept=_FORGETTING))
        columns += [
            TextColumn("train", 7, lambda _, e: _speed(e.trained_words_per_second), SPEEDS, _SPEED),
            TextColumn("predict", 7, lambda _, e: _speed(e.words_per_second), SPEEDS, _SPEED),
            TextColumn("Score", 6, lambda _, e: percent(e.score)),
            TextColumn("Best", 4, lambda step, _: "*" if step.is_best else ""),
        ]
        self._columns = columns if width is None else _fitting(columns, width)
        self.left_out = _names([column for column in columns if column not in self._columns])
        self.lines: list[str] = self.header()

    @classmethod
    def of(cls, run: RunInfo, width: int | None = None) -> EvaluationTable:
        """Build the table for a run. width: as in the constructor."""
        return cls(run.columns, has_old_dev=any(one.split == "old_dev" for one in run.datasets), width=width)

    def header(self) -> list[str]:
        """The groups, the headings, and the rule under them."""
        return [
            self._groups(),
            self._line([column.heading for column in self._columns]),
            GAP.join("-" * column.width for column in self._columns),
        ]

    def add(self, step: Step) -> str:
        """The line of a step that has an evaluation; the line is added to `lines`."""
        assert step.evaluation is not None
        self.lines.append(self._line([column.cell(step, step.evaluation) for column in self._columns]))
        return self.lines[-1]

    def _groups(self) -> str:
        parts = []
        for group, columns in groupby(self._columns, key=lambda column: column.group):
            width = sum(column.width + len(GAP) for column in columns) - len(GAP)
            side = (width - _width(group) - 2) // 2 if group else 0
            text = f"{'-' * side} {group} " if side > 0 else group
            fill = "-" if side > 0 else " "
            parts.append(text + fill * (width - _width(text)) if side > 0 else fill * (width - _width(text)) + text)
        return GAP.join(parts).rstrip()

    def _line(self, cells: Sequence[str]) -> str:
        padded = (" " * (c.width - _width(cell)) + cell for c, cell in zip(self._columns, cells, strict=True))
        return GAP.join(padded).rstrip()


def _of_component(one: ScoreColumns) -> list[TextColumn]:
    """Loss and scores of a component; the last column is as wide as the component's heading needs."""
    group = shown_name(one.heading)
    columns = [TextColumn.of_loss(one.component, "Learn" if one.is_taught else "Loss", group)]
    if one.is_taught:
        columns.append(TextColumn.of_loss(taught_key(one.component), "Teach", group))
    main = one.main or list(one.scores)[-1:]
    for key, heading in one.scores.items():
        own = shown_name(heading).removeprefix(group).strip() or shown_name(heading)
        columns.append(TextColumn.of_score(key, own, group, _MAIN_SCORE if key in main else _SIDE_SCORE))
    return [
        TextColumn(c.heading, max(c.width, _width(group)), c.cell, c.group, c.kept) if _width(group) > 7 else c
        for c in columns
    ]


def _fitting(columns: Sequence[TextColumn], width: int) -> list[TextColumn]:
    """Return the columns that fit the width. Epoch, Step, Score and Best always stay.

    Speeds and losses are shown or left out together; scores are left out one by one, from the right.
    """
    kept = list(columns)
    from_the_right = list(columns)[::-1]
    for column in sorted(from_the_right, key=lambda column: column.kept):
        if sum(one.width + len(GAP) for one in kept) - len(GAP) <= width or column.kept == _ALWAYS:
            break
        if column in kept:
            is_of_kind = column.kept in (_SPEED, _LOSS)
            kept = [one for one in kept if one is not column and not (is_of_kind and one.kept == column.kept)]
    return kept


def _names(columns: Sequence[TextColumn]) -> list[str]:
    """How a user calls these columns: losses and speeds as one, a score by its component."""
    kinds = {_LOSS: "losses", _SPEED: SPEEDS}
    names = [kinds.get(column.kept, f"{column.group} {column.heading}".strip()) for column in columns]
    return list(dict.fromkeys(names))


def _width(text: str) -> int:
    """How many places a text takes on a terminal: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def percent(share: float | None) -> str:
    """The share as a percentage with two decimals; "-" if there is no score."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:.2f}"


def _speed(words_per_second: float | None) -> str:
    return "-" if words_per_second is None else f"{words_per_second:,.0f}"


def _number(value: float | None) -> str:
    """A loss in at most seven characters.

    >>> [_number(value) for value in (0.5, 9999.5, 123456.7, 1e9, None)]
    ['0.50', '9999.50', '123457', '1.0e+09', '-']
    """
    if value is None:
        return "-"
    if abs(value) < 9999.995:
        return f"{value:.2f}"
    return f"{value:.0f}" if abs(value) < 9_999_999.5 else f"{value:.1e}"
