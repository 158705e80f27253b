"""The table of evaluations as text: which columns a run has, and one aligned line an evaluation.

A component adds a row to COMPONENT_COLUMNS and nothing else. Shares are printed as percentages with two decimals.
Printing is console.py's business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.foreign import shown_name
from runner.tracking.base import RunInfo
from runner.training.step import Step

# component type → (its heading, ((score key, heading), …))
COMPONENT_COLUMNS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "tagger": ("Tag", (("tag_acc", "Tag %"),)),
    "parser": ("Dep", (("dep_uas", "UAS"), ("dep_las", "LAS"), ("sents_f", "Sents F"))),
    "ner": ("NER", (("ents_p", "NER P"), ("ents_r", "NER R"), ("ents_f", "NER F"))),
    "textcat": (
        "Cats",
        (("cats_macro_p", "Cats P"), ("cats_macro_r", "Cats R"), ("cats_macro_f", "Cats F"), ("cats_macro_auc", "AUC")),
    ),
}
WITHOUT_WEIGHTS = frozenset({"merge"})  # steps that have neither loss nor scores
GAP = "  "


@dataclass(frozen=True)
class Column:
    heading: str
    width: int


class Table:
    """The table of one run.

    components: name → type, in order. is_gpu: whether predictions are timed on a GPU.
    """

    def __init__(self, components: Mapping[str, str], *, is_gpu: bool = False) -> None:
        self._components = components
        columns = [Column("Epoch", 5), Column("Step", 7)]
        for name, kind in components.items():
            short, scores = COMPONENT_COLUMNS.get(kind, (shown_name(name), ()))
            columns.append(Column(f"{short} Loss", max(9, len(short) + 5)))
            columns += [Column(heading, max(6, len(heading))) for _, heading in scores]
        columns += [Column("Token %", 7), Column("GPU WPS" if is_gpu else "CPU WPS", 8), Column("Score", 6)]
        self._columns = [*columns, Column("Best", 4)]
        self.lines: list[str] = self.header()

    @classmethod
    def of(cls, run: RunInfo) -> Table:
        """The table that fits a run's config."""
        pipeline = run.config.get("pipeline") or {}
        blocks = (pipeline.get("components") or {}) if isinstance(pipeline, Mapping) else {}
        compute = run.config.get("compute") or {}
        device = str(compute.get("device", "cpu")) if isinstance(compute, Mapping) else "cpu"
        kinds = {name: str((blocks.get(name) or {}).get("type", name)) for name in run.components}
        kinds = {name: kind for name, kind in kinds.items() if kind not in WITHOUT_WEIGHTS}
        return cls(kinds, is_gpu=device.startswith(("cuda", "gpu")))

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
        for name, kind in self._components.items():
            cells.append(_number(evaluation.losses.get(name)))
            cells += [percent(evaluation.scores.get(key)) for key, _ in COMPONENT_COLUMNS.get(kind, ("", ()))[1]]
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
