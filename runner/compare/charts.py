"""Two kinds of picture as SVG text: lines over epochs or steps, and intervals around zero. No library, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.foreign import as_html

# Okabe and Ito (2008): told apart by colour-blind readers; dashes tell the second round of them from the first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
DASHES = ("", "6 3", "2 3")
_WIDTH, _HEIGHT = 520, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 30, 40
_NAMED = 8  # lines of a picture whose names stand above it
_ROW = 26  # of an interval
_LABELS = 170


@dataclass(frozen=True)
class Line:
    """xy: points from left to right. marked: the one that is pointed out, by its place."""

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


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that span a range.

    >>> ticks(0.0, 9.3)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> ticks(0.21, 0.284)
    [0.2, 0.22, 0.24, 0.26, 0.28, 0.3]
    """
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def line_chart(title: str, lines: Sequence[Line], x_label: str, y_unit: str = "") -> str:
    """An SVG of lines; empty where no line has a point. Points whose value is not finite are left out."""
    shown = [[(x, y) for x, y in line.xy if math.isfinite(x) and math.isfinite(y)] for line in lines]
    every = [point for xy in shown for point in xy]
    if not every:
        return ""
    x_ticks = _whole(ticks(min(x for x, _ in every), max(x for x, _ in every), 8))
    y_ticks = ticks(min(y for _, y in every), max(y for _, y in every))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[str, str]:
        across = _LEFT + inner_width * (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        down = _TOP + inner_height * (1 - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]))
        return f"{across:.1f}", f"{down:.1f}"

    parts = [_text(_LEFT, 16, title, "start", "title")]
    for y in y_ticks:
        left, down = at(x_ticks[0], y)
        parts.append(f'<line class="grid" x1="{left}" x2="{_WIDTH - _RIGHT}" y1="{down}" y2="{down}"/>')
        parts.append(_text(_LEFT - 8, float(down) + 4, f"{_number(y)}{y_unit}", "end"))
    for x in x_ticks:
        across, down = at(x, y_ticks[0])
        parts.append(f'<line class="axis" x1="{across}" x2="{across}" y1="{down}" y2="{float(down) + 4:.1f}"/>')
        parts.append(_text(float(across), float(down) + 17, _number(x), "middle"))
    bottom = at(x_ticks[0], y_ticks[0])[1]
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(_text(_LEFT + inner_width / 2, _HEIGHT - 6, x_label, "middle"))
    for i, (line, xy) in enumerate(zip(lines, shown, strict=True)):
        colour, dashes = style(i)
        if len(lines) <= _NAMED:
            x_name = _WIDTH - _RIGHT - 22 * (len(lines) - 1 - i)
            parts.append(
                f'<text class="letter" x="{x_name}" y="16" text-anchor="end" style="fill:{colour}">{as_html(line.name)}</text>'
            )
        path = " ".join(",".join(at(x, y)) for x, y in xy)
        name = f"<title>{as_html(line.name)}</title>"
        parts.append(
            f'<polyline class="line" points="{path}" stroke="{colour}" stroke-dasharray="{dashes}">{name}</polyline>'
        )
        if len(xy) == 1 and line.marked is None:
            parts.append(_dot(*at(*xy[0]), colour, 2.5))
        if line.marked is not None and line.xy[line.marked] in xy:
            x, y = line.xy[line.marked]
            parts.append(
                _dot(*at(x, y), colour, 4, f"{line.name}: best, {_number(round(y, 4))}{y_unit} at {_number(x)}")
            )
    return _svg(_WIDTH, _HEIGHT, title, parts)


def interval_chart(title: str, intervals: Sequence[Interval]) -> str:
    """An SVG of differences with their intervals, a line at zero; empty where there are none."""
    if not intervals:
        return ""
    height = 48 + _ROW * len(intervals) + 22
    marks = ticks(min(0.0, *(one.low for one in intervals)), max(0.0, *(one.high for one in intervals)), 7)
    width = _WIDTH + 120
    inner = width - _LABELS - 20

    def at(value: float) -> float:
        return _LABELS + inner * (value - marks[0]) / (marks[-1] - marks[0])

    bottom = 40 + _ROW * len(intervals)
    parts = [_text(0, 16, title, "start", "title")]
    for mark in marks:
        kind = "axis" if mark == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{at(mark):.1f}" x2="{at(mark):.1f}" y1="30" y2="{bottom}"/>')
        parts.append(_text(at(mark), bottom + 16, f"{mark:+g}".replace("-", "−") if mark else "0", "middle"))
    for i, one in enumerate(intervals):
        y = 40 + _ROW * (i + 0.5)
        colour = COLOURS[0] if one.is_strong else COLOURS[-1]
        parts.append(_text(_LABELS - 12, y + 4, one.name, "end"))
        parts.append(
            f'<line class="line" stroke="{colour}" x1="{at(one.low):.1f}" x2="{at(one.high):.1f}" y1="{y}" y2="{y}"/>'
        )
        parts.append(_dot(f"{at(one.value):.1f}", f"{y}", colour, 4))
    return _svg(width, height, title, parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{as_html(title)}">'
    return "\n".join([head, *parts, "</svg>"])


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{as_html(text)}</text>'


def _dot(x: str, y: str, colour: str, radius: float, title: str = "") -> str:
    inner = f"<title>{as_html(title)}</title>" if title else ""
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}">{inner}</circle>'


def _whole(marks: list[float]) -> list[float]:
    """Without the marks between two whole numbers, where there are whole ones: nothing happens at epoch 1.5."""
    whole = [mark for mark in marks if mark == int(mark)]
    return whole if len(whole) > 1 and whole[0] == marks[0] and whole[-1] == marks[-1] else marks


def _number(value: float) -> str:
    return (f"{value:,.0f}" if float(value).is_integer() else f"{value:g}").replace("-", "−")
