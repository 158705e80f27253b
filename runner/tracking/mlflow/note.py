"""A run's description in Markdown: its score, where its parts are to be seen, how to get it again, and what came out.

The description is a tag of at most 5,000 characters. Parts that do not fit are left out, the least important first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from runner.foreign import as_block, as_code, as_markdown
from runner.tracking.metric_names import BEST_EPOCH, BEST_SCORE
from runner.tracking.mlflow.limits import MAX_TAG_VALUE, cut
from runner.tracking.past_run import ERRORS

EACH = f"{BEST_EPOCH}_"  # and a component's name
MOST_LABELS = 12  # rows of a component's table
_LONGEST_TABLE = 60  # lines of the console's table that are shown
_ABOUT_ROWS = ("model", "step", "component", "type", "support")  # columns that are no score


@dataclass(frozen=True)
class Links:
    """Where MLflow's pages show the parts of a run; what is not known is None or missing.

    start_model: the run that trained the model that this run started from, as (experiment's id, run's id). sweep: id of the
    sweep's run. models: name → id. files: artifacts that the run has.
    """

    experiment_id: str
    run_id: str
    start_model: tuple[str, str] | None = None
    sweep: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()

    def of_run(self, run_id: str, experiment_id: str | None = None) -> str:
        return f"#/experiments/{experiment_id or self.experiment_id}/runs/{run_id}"

    def lines(self, start: Mapping[str, Any]) -> list[str]:
        """A list of links, in Markdown. start: the journal's first event."""
        files = {
            ERRORS: "its errors on the dev set",
            "learning_curves.svg": "curves",
            "confusion.svg": "confusion matrix",
        }
        known = [
            (text, f"{self.of_run(self.run_id)}/artifacts/{name}") for name, text in files.items() if name in self.files
        ]
        models = [(name, f"#/experiments/{self.experiment_id}/models/{id}") for name, id in self.models.items()]
        lines = []
        for about, some in (("Models", models), ("To look at", known)):
            if some:
                lines.append(f"- {about}: " + ", ".join(f"[{text}]({url})" for text, url in some))
        if self.start_model is not None:
            experiment, run_id = self.start_model
            name = as_markdown(str(start["tags"].get("init.model") or run_id))
            lines.append(f"- Goes on from: [{name}]({self.of_run(run_id, experiment)})")
        elif start["tags"].get("init.model"):
            lines.append(f"- Goes on from: {as_code(str(start['tags']['init.model']))}")
        if self.sweep is not None:
            lines.append(f"- Part of: [its sweep]({self.of_run(self.sweep)})")
        return lines


def note(
    start: Mapping[str, Any],
    finish: Mapping[str, Any] | None = None,
    table: Sequence[str] = (),
    per_label: Sequence[Mapping[str, Any]] = (),
    links: Links | None = None,
) -> str:
    """The description. start, finish: events of the journal. table: the console's. per_label: rows of the best model's scores."""
    parts = [
        _outcome(finish) if finish is not None else [],
        [*(links.lines(start) if links is not None else []), *_data(start)],
        as_block([start["tags"]["command_line"]]) if start["tags"].get("command_line") else [],
        as_block(list(table)) if 0 < len(table) <= _LONGEST_TABLE else [],
        *_per_label(per_label),
    ]
    text = ""
    for part in parts:
        longer = "\n".join([text, "", *part]) if text and part else text or "\n".join(part)
        if len(longer) <= MAX_TAG_VALUE or not text:
            text = longer
    return cut(text, MAX_TAG_VALUE)


def _outcome(finish: Mapping[str, Any]) -> list[str]:
    lines = []
    if best := finish.get("best"):
        each = [f"{key.removeprefix(EACH)} {best[key]:.0f}" for key in best if key.startswith(EACH)]
        at = f"epochs {', '.join(each)}" if each else f"epoch {best[BEST_EPOCH]:.0f}"
        score = f"**{100 * best[BEST_SCORE]:.2f}**" if BEST_SCORE in best else "unknown (dev has no gold),"
        lines.append(f"Best score {score} at {at}.")
    if finish.get("error"):
        lines.append(f"{finish['status']}: {as_markdown(str(finish['error']))}")
    return lines


def _data(start: Mapping[str, Any]) -> list[str]:
    """A line for each split of the corpus."""
    lines = []
    for one in start.get("datasets", ()):
        source = str(one["source"])
        is_url = source.startswith(("http://", "https://")) and not set(source) & set(" ()<>")
        where = f"[{as_markdown(PurePath(source).name)}]({source})" if is_url else as_code(source)
        lines.append(f"- {str(one['split']).capitalize()}: {one['n_docs']:,} texts, {one['n_words']:,} words, {where}")
    return lines[:8]


def _per_label(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A table for each component with labels; scores in percent."""
    tables = []
    for component in dict.fromkeys(row["component"] for row in rows):
        own = [row for row in rows if row["component"] == component]
        scores = [key for key in own[0] if key not in _ABOUT_ROWS]
        lines = [
            f"| {as_markdown(str(component))} | " + " | ".join(key.upper() for key in scores) + " | support |",
            "| --- |" + " ---: |" * (len(scores) + 1),
        ]
        for row in own[:MOST_LABELS]:
            cells = ["–" if row.get(key) is None else f"{100 * row[key]:.2f}" for key in scores]
            support = "–" if row.get("support") is None else f"{row['support']:,.0f}"
            lines.append(f"| {as_markdown(str(row['type']))} | " + " | ".join([*cells, support]) + " |")
        more = len(own) - MOST_LABELS
        tables.append([*lines, *(["", f"and {more} more, see per_type_scores.json"] if more > 0 else [])])
    return tables
