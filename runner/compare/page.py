"""A comparison as one HTML file that needs nothing beside it: tables, and the curves as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner import __version__
from runner.compare.charts import Interval, Line, interval_chart, line_chart, style
from runner.compare.comparison import ABSENT, Comparison, Row
from runner.compare.text import TEST_HEAD, method, sentences, test_rows
from runner.foreign import as_html
from runner.tracking.past_run import PastRun

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1c2024;
  background: #fff; max-width: 1120px; margin: 2rem auto 4rem; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; } .small { color: #60646c; font-size: .85rem; max-width: 75ch; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .28rem .8rem; text-align: left; border-bottom: 1px solid #e6e8eb; vertical-align: top; }
thead th { border-bottom: 2px solid #c8ccd1; white-space: nowrap; } tbody th { font-weight: 400; color: #43484e; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.best { font-weight: 650; background: #e9f5ee; } td.value { font-family: ui-monospace, "DejaVu Sans Mono", monospace;
  font-size: .85rem; overflow-wrap: anywhere; min-width: 8rem; max-width: 26rem; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; }
ul.notes { background: #fff6e0; border-left: 4px solid #e0a100; margin: 1rem 0; padding: .6rem 1rem .6rem 2rem; }
ul.verdict { margin: .4rem 0 1rem; padding-left: 1.2rem; font-size: 1.02rem; }
.intervals { margin-top: 1.2rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #60646c; }
svg text.letter { font-weight: 600; } svg text.title { font-size: 13px; font-weight: 600; fill: #1c2024; }
svg .grid { stroke: #e6e8eb; } svg .axis { stroke: #8a8f98; } svg .line { fill: none; stroke-width: 2; }
svg.swatch { vertical-align: middle; margin-right: .4rem; max-width: none; } td:first-child { white-space: nowrap; }
"""


def page(found: Comparison) -> str:
    """The whole file."""
    title = "Comparison of " + ", ".join(found.letters)
    parts = [f"<h1>{as_html(title)}</h1>", _runs(found)]
    if found.notes:
        parts.append('<ul class="notes">' + "".join(f"<li>{as_html(note)}</li>" for note in found.notes) + "</ul>")
    parts.append("<h2>Results</h2>")
    if found.tested:
        parts.append('<ul class="verdict">' + "".join(f"<li>{as_html(one)}</li>" for one in sentences(found)) + "</ul>")
    parts.append(_rows(found, found.metrics, "number"))
    if found.tested:
        parts.append("<h2>Differences on the dev texts</h2>")
        parts.append(_table(TEST_HEAD, test_rows(found)))
        parts.append(f'<div class="intervals">{_intervals(found)}</div>')
        parts.append(f'<p class="small">{as_html(method(found))}</p>')
    charts = [chart for chart in (_scores(found), _losses(found)) if chart]
    if charts:
        parts.append("<h2>Curves</h2>")
        parts.append('<div class="charts">' + "".join(f"<div>{chart}</div>" for chart in charts) + "</div>")
        parts.append(
            '<p class="small">A dot marks the best evaluation. Loss: of the updates since the evaluation before.</p>'
        )
    parts.append("<h2>Settings that differ</h2>")
    parts.append(_rows(found, found.settings, "value") if found.settings else "<p>None: the same config.</p>")
    if found.origins:
        parts.append("<h2>Code and machine, where they differ</h2>")
        parts.append(_rows(found, found.origins, "value"))
    parts.append(f'<p class="small">Made by runner {as_html(__version__)}.</p>')
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{as_html(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _runs(found: Comparison) -> str:
    rows = []
    for i, (letter, run) in enumerate(zip(found.letters, found.runs, strict=True)):
        colour, dashes = style(i)
        line = f'<line x1="0" x2="28" y1="5" y2="5" stroke="{colour}" stroke-width="3" stroke-dasharray="{dashes}"/>'
        swatch = f'<svg class="swatch" width="28" height="10" aria-hidden="true">{line}</svg>'
        link = f"<code>{as_html(run.run_id or ABSENT)}</code>"
        cells = f"<td>{as_html(run.name)}</td><td>{link}</td><td>{as_html(run.status)}</td>"
        rows.append(f"<tr><td>{swatch}<b>{letter}</b></td>{cells}</tr>")
    head = "<tr><th></th><th>run</th><th>MLflow run</th><th>status</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _rows(found: Comparison, rows: Sequence[Row], kind: str) -> str:
    """A table with a column for each run."""
    number = ' class="number"' if kind == "number" else ""
    head = "<tr><th></th>" + "".join(f"<th{number}>{letter}</th>" for letter in found.letters) + "</tr>"
    body = ""
    for row in rows:
        cells = "".join(
            f'<td class="{kind}{" best" if i in row.best else ""}">{as_html(cell)}</td>'
            for i, cell in enumerate(row.cells)
        )
        body += f"<tr><th>{as_html(row.name)}</th>{cells}</tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column words, the others numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        first, *others = (as_html(cell) for cell in cells)
        return f"<tr><th>{first}</th>" + "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in others) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table></div>'


def _intervals(found: Comparison) -> str:
    intervals = []
    for one in found.tested:
        d = one.difference
        name = f"{found.letters[one.run]} − {found.letters[0]}, {d.key}"
        intervals.append(Interval(name, 100 * d.low, 100 * d.difference, 100 * d.high, one.is_significant))
    return interval_chart("Difference in points, with 95 % interval (blue: significant)", intervals)


def _scores(found: Comparison) -> str:
    x_label, place = _axis(found.runs)
    lines = []
    for letter, run in zip(found.letters, found.runs, strict=True):
        steps = [point.step for point in run.points if point.score is not None]
        best = run.best.get("step")
        xy = [(place(run, i), 100 * point.score) for i, point in enumerate(run.points) if point.score is not None]
        lines.append(Line(letter, xy, steps.index(int(best)) if best is not None and int(best) in steps else None))
    return line_chart("Score on the dev texts, %", lines, x_label)


def _losses(found: Comparison) -> str:
    x_label, place = _axis(found.runs)
    lines = [
        Line(letter, [(place(run, i), one.loss) for i, one in enumerate(run.points) if one.loss is not None])
        for letter, run in zip(found.letters, found.runs, strict=True)
    ]
    return line_chart("Loss per word in training", lines, x_label)


def _axis(runs: Sequence[PastRun]) -> tuple[str, Callable[[PastRun, int], float]]:
    """Epochs where each was evaluated once, else steps: the label, and where an evaluation lies."""
    epochs = [[point.epoch for point in run.points] for run in runs]
    if all(len(set(some)) == len(some) for some in epochs):
        return "epoch", lambda run, i: run.points[i].epoch
    return "step", lambda run, i: run.points[i].step
