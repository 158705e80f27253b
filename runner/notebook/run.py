"""A run's result, and the runs of a sweep, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.notebook.html import LINE, MONO, framed, note, plain

_MOST_ROWS = 200
_CELL = f"text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border-bottom:1px solid {LINE}"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums"


def run_html(
    title: str,
    facts: Sequence[tuple[str, str]],
    scores: Mapping[str, float | None],
    test: Mapping[str, float | None] | None,
) -> str:
    """A run: a title, scores on dev and test as percentages, and facts (name, text) below each other."""
    told = {key: value for key, value in scores.items() if value is not None}
    columns = {"dev": told, **({"test": test} if test is not None else {})}
    head = "".join(f'<th scope="col" style="{_NUMBER}">{plain(name)}</th>' for name in ("", *columns))
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL};font-weight:400">{plain(key)}</th>'
        + "".join(f'<td style="{_NUMBER}">{_percent(column.get(key))}</td>' for column in columns.values())
        + "</tr>"
        for key in dict.fromkeys(key for column in columns.values() for key in column)
    )
    table = f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    below = "".join(
        f'<div><span style="opacity:.75">{plain(name)}</span> '
        f'<span style="overflow-wrap:anywhere;{MONO};font-size:90%">{plain(text)}</span></div>'
        for name, text in facts
    )
    return framed([f"<div><b>Run</b> · {plain(title)}</div>", table if rows else "", below])


def sweep_html(title: str, rows: Sequence[Sequence[str]], best: int | None) -> str:
    """The runs of a sweep: headings, then a row each. best: the row (from 0) that is set in bold."""
    if not rows:
        return framed([f"<div><b>Sweep</b> · {plain(title)}</div>"])
    head = "".join(f'<th scope="col" style="{_CELL}">{plain(cell)}</th>' for cell in rows[0])
    body = []
    for number, row in enumerate(rows[1 : _MOST_ROWS + 1]):
        weight = ";font-weight:600" if number == best else ""
        body.append("<tr>" + "".join(f'<td style="{_CELL}{weight}">{plain(cell)}</td>' for cell in row) + "</tr>")
    table = (
        f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    )
    more = len(rows) - 1 - _MOST_ROWS
    rest = note(f"and {more:,} more; frame() has all") if more > 0 else ""
    return framed([f"<div><b>Sweep</b> · {plain(title)}</div>", table, rest])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"
