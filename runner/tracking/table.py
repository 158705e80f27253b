"""The table of evaluations as text: the columns of a run, and one aligned line for each evaluation.

Each component names its columns. With a teacher, its loss has two: Learn against what the data annotate, Teach against what
the teacher believes. Shares are shown as percentages with two decimals. If the columns do not fit a terminal,
columns are left out in this order: Token %, the speed, the losses, each component's scores except its last, the last scores.
console.py prints the lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.components.beliefs import taught_key
from runner.foreign import shown_name
from runner.tracking.base import RunInfo, ScoreColumns
from runner.training.step import Evaluation, Step

GAP = "  "


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of the table.

    cell: returns the text for an evaluation. kept: priority; columns with the smallest number are left out first.
    """

    heading: str
    width: int
    cell: Callable[[Step, Evaluation], str]
    kept: int = 9

    @classmethod
    def of_score(cls, key: str, heading: str, kept: int) -> TextColumn:
        heading = shown_name(heading)
        return cls(heading, max(6, _width(heading)), lambda _, evaluation: percent(evaluation.scores.get(key)), kept)

    @classmethod
    def of_loss(cls, component: str, heading: str, kind: str = "Loss") -> TextColumn:
        """component: the key of the loss. kind: the last word of the heading."""
        heading = f"{shown_name(heading)} {kind}"
        return cls(heading, max(9, _width(heading)), lambda _, evaluation: _number(evaluation.losses.get(component)), 2)


class EvaluationTable:
    """The table of one run.

    components: each component's columns, in order. has_old_dev: whether to show what was forgotten, in points. is_gpu: whether
    predictions are timed on a GPU. width: the terminal's width in characters; None: show all columns.
    """

    def __init__(
        self,
        components: Sequence[ScoreColumns],
        *,
        has_old_dev: bool = False,
        is_gpu: bool = False,
        width: int | None = None,
    ) -> None:
        columns = [
            TextColumn("Epoch", 5, lambda step, _: str(step.epoch)),
            TextColumn("Step", 7, lambda step, _: str(step.step)),
        ]
        for name, heading, scores, is_taught in components:
            columns.append(TextColumn.of_loss(name, heading, "Learn" if is_taught else "Loss"))
            if is_taught:
                columns.append(TextColumn.of_loss(taught_key(name), heading, "Teach"))
            last = list(scores)[-1:]
            columns += [TextColumn.of_score(key, scores[key], kept=4 if key in last else 3) for key in scores]
        if has_old_dev:
            columns.append(
                TextColumn("Forgot", 6, lambda _, evaluation: percent(evaluation.forgetting.get("score")), kept=5)
            )
        columns += [
            TextColumn.of_score("token_acc", "Token %", kept=0),
            TextColumn(
                "GPU WPS" if is_gpu else "CPU WPS", 8, lambda _, evaluation: f"{evaluation.words_per_second:,.0f}", 1
            ),
            TextColumn("Score", 6, lambda _, evaluation: percent(evaluation.score)),
            TextColumn("Best", 4, lambda step, _: "*" if step.is_best else ""),
        ]
        self._columns = columns if width is None else _fitting(columns, width)
        self.lines: list[str] = self.header()

    @classmethod
    def of(cls, run: RunInfo, width: int | None = None) -> EvaluationTable:
        """Build the table for a run. width: as in the constructor."""
        compute = run.config.get("compute") or {}
        device = str(compute.get("device", "cpu")) if isinstance(compute, Mapping) else "cpu"
        has_old_dev = any(one.split == "old_dev" for one in run.datasets)
        return cls(run.columns, has_old_dev=has_old_dev, is_gpu=device.startswith(("cuda", "gpu")), width=width)

    def header(self) -> list[str]:
        """The headings and the rule under them."""
        return [
            self._line([column.heading for column in self._columns]),
            GAP.join("-" * column.width for column in self._columns),
        ]

    def add(self, step: Step) -> str:
        """The line of a step that has an evaluation; the line is added to `lines`."""
        assert step.evaluation is not None
        self.lines.append(self._line([column.cell(step, step.evaluation) for column in self._columns]))
        return self.lines[-1]

    def _line(self, cells: Sequence[str]) -> str:
        padded = (" " * (c.width - _width(cell)) + cell for c, cell in zip(self._columns, cells, strict=True))
        return GAP.join(padded).rstrip()


def _fitting(columns: Sequence[TextColumn], width: int) -> list[TextColumn]:
    """Return the columns that fit the width. Epoch, Step, Score and Best always stay."""
    kept, from_the_right = list(columns), list(reversed(columns))
    for column in sorted(from_the_right, key=lambda column: column.kept):
        if sum(one.width + len(GAP) for one in kept) - len(GAP) <= width or column.kept == 9:
            break
        kept.remove(column)
    return kept


def _width(text: str) -> int:
    """How many places a text takes on a terminal: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def percent(share: float | None) -> str:
    """The share as a percentage with two decimals; "-" if there is no score."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:.2f}"


def _number(value: float | None) -> str:
    """A loss in at most nine characters."""
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 1e6 else f"{value:.2e}"
