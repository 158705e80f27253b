"""The table of evaluations as text: which columns a run has, and one aligned line an evaluation.

Each component says which columns it has. Shares are printed as percentages with two decimals. Printing is console.py's
business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.foreign import shown_name
from runner.tracking.base import RunInfo, ScoreColumns
from runner.training.step import Step

GAP = "  "


@dataclass(frozen=True)
class Column:
    heading: str
    width: int


class Table:
    """The table of one run.

    components: the columns of each, in order. is_gpu: whether predictions are timed on a GPU.
    """

    def __init__(self, components: Sequence[ScoreColumns], *, is_gpu: bool = False) -> None:
        self._components = components
        columns = [Column("Epoch", 5), Column("Step", 7)]
        for _, heading, scores in components:
            headings = [f"{shown_name(heading)} Loss", *map(shown_name, scores.values())]
            columns += [Column(headings[0], max(9, len(headings[0])))]
            columns += [Column(heading, max(6, len(heading))) for heading in headings[1:]]
        columns += [Column("Token %", 7), Column("GPU WPS" if is_gpu else "CPU WPS", 8), Column("Score", 6)]
        self._columns = [*columns, Column("Best", 4)]
        self.lines: list[str] = self.header()

    @classmethod
    def of(cls, run: RunInfo) -> Table:
        """The table that fits a run."""
        compute = run.config.get("compute") or {}
        device = str(compute.get("device", "cpu")) if isinstance(compute, Mapping) else "cpu"
        return cls(run.columns, is_gpu=device.startswith(("cuda", "gpu")))

    def header(self) -> list[str]:
        """The headings and the rule under them."""
        return [
            _line(self._columns, [column.heading for column in self._columns]),
            GAP.join("-" * column.width for column in self._columns),
        ]

    def add(self, step: Step) -> str:
        """The line of a step with an evaluation; it is kept in `lines`."""
        assert step.evaluation is not None
        evaluation = step.evaluation
        cells = [str(step.epoch), str(step.step)]
        for name, _, scores in self._components:
            cells.append(_number(evaluation.losses.get(name)))
            cells += [percent(evaluation.scores.get(key)) for key in scores]
        cells += [
            percent(evaluation.scores.get("token_acc")),
            f"{evaluation.words_per_second:,.0f}",
            percent(evaluation.score),
            "*" if step.is_best else "",
        ]
        self.lines.append(_line(self._columns, cells))
        return self.lines[-1]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    return GAP.join(cell.rjust(column.width) for column, cell in zip(columns, cells, strict=True)).rstrip()


def percent(share: float | None) -> str:
    """Two decimals; "-" where there is no score."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:.2f}"


def _number(value: float | None) -> str:
    """A loss in at most nine characters."""
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 1e6 else f"{value:.2e}"
