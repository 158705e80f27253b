"""A pipeline as a table: each component with its labels, weights and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.notebook.html import LINE, MONO, framed, plain

_MOST_LABELS = 8


class Row(NamedTuple):
    """One component. n_weights: 0 for one without weights, or whose weights are not made yet. is_off: it takes no part now."""

    name: str
    type: str
    labels: Sequence[str]
    n_weights: int
    scores: Mapping[str, float]
    is_off: bool = False


def pipeline_html(head: Sequence[str], rows: Sequence[Row]) -> str:
    """head: facts of the whole pipeline."""
    titles = ("component", "type", "labels", "weights", "scores on dev")
    cell = f"text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border-bottom:1px solid {LINE}"
    header = "".join(f'<th scope="col" style="{cell}">{title}</th>' for title in titles)
    body = "".join(_row(row, cell) for row in rows)
    inside = f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
    table = f'<table style="border-collapse:collapse;margin-top:.3em">{inside}</table>'
    facts = " · ".join(map(plain, head))
    return framed([f"<div><b>Pipeline</b> · {facts}</div>", table if rows else "<div>no component yet</div>"])


def _row(row: Row, cell: str) -> str:
    some = ", ".join(map(plain, row.labels[:_MOST_LABELS]))
    more = len(row.labels) - _MOST_LABELS
    labels = f"{len(row.labels):,}: {some}{f' and {more:,} more' if more > 0 else ''}" if row.labels else "–"
    scores = "<br>".join(f"{plain(name)} {100 * value:.2f} %" for name, value in row.scores.items()) or "–"
    off = " (switched off)" if row.is_off else ""
    return (
        f'<tr><th scope="row" style="{cell};font-weight:600">{plain(row.name)}{off}</th>'
        f'<td style="{cell}">{plain(row.type)}</td>'
        f'<td style="{cell};max-width:28em;overflow-wrap:anywhere;font-size:90%;{MONO}">{labels}</td>'
        f'<td style="{cell};text-align:right">{row.n_weights:,}</td>'
        f'<td style="{cell}">{scores}</td></tr>'
    )
