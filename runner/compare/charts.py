"""Two kinds of picture as SVG text: lines over epochs or steps, and intervals around zero. matplotlib draws them.

The same numbers give the same bytes. Texts stay texts, and a line or dot tells its name where the pointer rests on it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.foreign import as_html, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart by colour-blind readers; dashes tell the second round of them from the first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
DASHES = ("", "6 3", "2 3")
_GRID, _AXIS, _TEXT, _TITLE = "#e6e8eb", "#8a8f98", "#60646c", "#1c2024"
_WIDTH, _HEIGHT = 520, 300
_NAMED = 8  # lines of a picture whose names stand above it
_ROW = 26  # height of an interval
_TOLD = "told: "  # how the id of an element begins that tells its name
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # texts as text
    "svg.hashsalt": "runner",  # the same ids each time
    "text.parse_math": False,  # a name may hold dollar signs
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "axes.autolimit_mode": "round_numbers",
    "axes.xmargin": 0,
    "axes.ymargin": 0,
    "lines.scale_dashes": False,
}


@dataclass(frozen=True)
class Line:
    """xy: points from left to right. marked: the index of the point that gets a dot."""

    name: str
    xy: Sequence[tuple[float, float]]
    marked: int | None = None


@dataclass(frozen=True)
class Interval:
    name: str
    low: float
    value: float
    high: float
    is_strong: bool


def style(i: int) -> tuple[str, str]:
    """Colour and dashes of the i-th line."""
    return COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]


def line_chart(title: str, lines: Sequence[Line], x_label: str, y_unit: str = "") -> str:
    """An SVG of lines; empty if no line has a point. Points whose value is not finite are left out."""
    import matplotlib
    from matplotlib.ticker import MaxNLocator

    points = [[(x, y) for x, y in line.xy if math.isfinite(x) and math.isfinite(y)] for line in lines]
    if not any(points):
        return ""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _empty(title, _WIDTH, _HEIGHT)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(lambda x, _: _number(x))
        axes.yaxis.set_major_formatter(lambda y, _: f"{_number(y)}{y_unit}")
        axes.grid(axis="y", color=_GRID)
        axes.set_xlabel(x_label, color=_TEXT)
        for i, (line, xy) in enumerate(zip(lines, points, strict=True)):
            colour, dashes = style(i)
            if len(lines) <= _NAMED:
                place = 1 - 0.05 * (len(lines) - 1 - i)
                axes.text(place, 1.03, shown(line.name), color=colour, weight="bold", ha="right",
                          transform=axes.transAxes)  # fmt: skip
            pattern = (0, [float(n) for n in dashes.split()] or None)
            marker = "o" if len(xy) == 1 and line.marked is None else ""
            axes.plot(*zip(*xy, strict=True) if xy else ([], []), color=colour, lw=2, ls=pattern, marker=marker, ms=5,
                      clip_on=False, gid=_TOLD + shown(line.name))  # fmt: skip
            if line.marked is not None and (best := line.xy[line.marked]) in xy:
                told = f"{shown(line.name)}: best, {_number(round(best[1], 4))}{y_unit} at {_number(best[0])}"
                axes.plot(*best, "o", color=colour, ms=8, clip_on=False, gid=_TOLD + told)
        return _svg(figure, title)


def interval_chart(title: str, intervals: Sequence[Interval]) -> str:
    """An SVG of differences with their intervals and a line at zero; empty if there are none."""
    import matplotlib

    if not intervals:
        return ""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _empty(title, _WIDTH + 120, 70 + _ROW * len(intervals))
        axes.grid(axis="x", color=_GRID)
        axes.axvline(0, color=_AXIS, lw=1, clip_on=False)
        for y, one in enumerate(intervals):
            colour = COLOURS[0] if one.is_strong else COLOURS[-1]
            axes.plot([one.low, one.high], [y, y], color=colour, lw=2, clip_on=False, gid=_TOLD + shown(one.name))
            axes.plot(one.value, y, "o", color=colour, ms=8, clip_on=False)
        axes.set_yticks(range(len(intervals)), [shown(one.name, 40) for one in intervals])
        axes.set_ylim(len(intervals) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:+g}".replace("-", "−") if x else "0")
        axes.spines["bottom"].set_visible(False)
        return _svg(figure, title)


def _empty(title: str, width: int, height: int) -> tuple[Figure, Axes]:
    """A picture with its title and quiet axes. width, height: in pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.set_title(shown(title), loc="left", color=_TITLE, fontsize=13, weight="bold")
    axes.tick_params(color=_AXIS, labelcolor=_TEXT)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_AXIS)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    """The picture as one element, without ids but those that it refers to itself."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(rf'<g id="{_TOLD}([^"]*)">', r"<g><title>\1</title>", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{as_html(title)}"', 1).replace('pt"', '"')


def _number(value: float) -> str:
    return (f"{value:,.0f}" if float(value).is_integer() else f"{value:g}").replace("-", "−")
