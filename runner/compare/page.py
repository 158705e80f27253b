"""A comparison as one HTML file that needs nothing beside it: tables, and the curves as pictures. Its template is page.html."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from runner import __version__
from runner.compare.charts import Interval, Line, interval_chart, line_chart, style
from runner.compare.comparison import ABSENT, Comparison
from runner.compare.text import TEST_HEAD, method, sentences, test_rows
from runner.foreign import shown
from runner.tracking.past_run import PastRun


def page(comparison: Comparison) -> str:
    """The whole file."""
    environment = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf8"))
    return template.render(
        title="Comparison of " + ", ".join(comparison.letters),
        comparison=comparison,
        sentences=sentences(comparison),
        test_head=TEST_HEAD,
        test_rows=test_rows(comparison),
        method=method(comparison),
        intervals=_intervals(comparison),
        charts=[Markup(chart) for chart in (_scores(comparison), _losses(comparison)) if chart],
        style=style,
        absent=ABSENT,
        version=__version__,
        zip=zip,
    )


def _shown(value: Any) -> Any:
    """A value on its way into the page: strangers' texts as `shown` makes them; HTML of our own as it is."""
    return value if isinstance(value, Markup) else shown(str(value))


def _intervals(comparison: Comparison) -> Markup:
    intervals = []
    for one in comparison.tested:
        d = one.difference
        name = f"{comparison.letters[one.run]} − {comparison.letters[0]}, {d.key}"
        intervals.append(Interval(name, 100 * d.low, 100 * d.difference, 100 * d.high, one.is_significant))
    return Markup(interval_chart("Difference in points, with 95 % interval (blue: significant)", intervals))


def _scores(comparison: Comparison) -> str:
    x_label, place = _axis(comparison.runs)
    lines = []
    for letter, run in zip(comparison.letters, comparison.runs, strict=True):
        steps = [point.step for point in run.points if point.score is not None]
        best = run.best.get("step")
        xy = [(place(run, i), 100 * point.score) for i, point in enumerate(run.points) if point.score is not None]
        lines.append(Line(letter, xy, steps.index(int(best)) if best is not None and int(best) in steps else None))
    return line_chart("Score on the dev texts, %", lines, x_label)


def _losses(comparison: Comparison) -> str:
    x_label, place = _axis(comparison.runs)
    lines = [
        Line(letter, [(place(run, i), one.loss) for i, one in enumerate(run.points) if one.loss is not None])
        for letter, run in zip(comparison.letters, comparison.runs, strict=True)
    ]
    return line_chart("Loss per word in training", lines, x_label)


def _axis(runs: Sequence[PastRun]) -> tuple[str, Callable[[PastRun, int], float]]:
    """Epochs where each was evaluated once, else steps: the label, and where an evaluation lies."""
    epochs = [[point.epoch for point in run.points] for run in runs]
    if all(len(set(some)) == len(some) for some in epochs):
        return "epoch", lambda run, i: run.points[i].epoch
    return "step", lambda run, i: run.points[i].step
