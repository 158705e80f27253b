"""Pictures as SVG text, drawn in a millisecond and without a library: lines beside each other, and matrices of counts.

For pictures that every run leaves behind; importing matplotlib would cost more than they do. The same numbers give the same
bytes. The background is white, since MLflow shows pictures on a page that may be dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.foreign import as_html, shown_name

# Okabe and Ito (2008): told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
_GRID, _TEXT, _TITLE = "#e6e8eb", "#60646c", "#1c2024"
_WIDTH, _HEIGHT = 460, 280  # of a panel, in pixels
_LEFT, _TOP, _BOTTOM, _RIGHT = 58, 58, 40, 14
_CELL, _LABEL = 46, 130  # of a matrix: width of a column, of the names of rows
_LONGEST_LABEL = 18  # characters


@dataclass(frozen=True)
class Panel:
    """Lines over a common axis. lines: (name, points from left to right). unit: after each number of the y axis."""

    title: str
    x_label: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    unit: str = ""


@dataclass(frozen=True)
class Matrix:
    """Counts by row and column. rows: (name, [(count, shade from 0 to 1, whether it is right)], total)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[int, float, bool]], int]]


def line_picture(panels: Sequence[Panel]) -> str:
    """An SVG with the panels side by side; panels without a point are left out. Empty if none is left."""
    drawn = [panel for panel in panels if any(points for _, points in panel.lines)]
    parts = [part for i, panel in enumerate(drawn) for part in _panel(panel, i * _WIDTH)]
    return _svg(len(drawn) * _WIDTH, _HEIGHT, parts) if drawn else ""


def matrix_picture(matrices: Sequence[Matrix]) -> str:
    """An SVG with the matrices below each other. Empty if there is none."""
    parts: list[str] = []
    top = width = 0
    for matrix in matrices:
        parts += _matrix(matrix, top)
        top += _head(matrix) + 20 + 28 * len(matrix.rows)
        width = max(width, _LABEL + _CELL * (len(matrix.columns) + 1) + 90)
    return _svg(width, top, parts) if matrices else ""


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """At most n + 1 round numbers that span the values from low to high.

    >>> ticks(0.0, 83.0), ticks(2.0, 2.0), ticks(0.25, 0.9)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [2.0, 2.5], [0.2, 0.4, 0.6, 0.8, 1.0])
    """
    span = high - low or 1.0
    size = 10.0 ** math.floor(math.log10(span / n))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if span / (size * factor) <= n - 0.5 or factor == 20)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _panel(panel: Panel, left: int) -> Iterator[str]:
    points = [point for _, some in panel.lines for point in some]
    x_low, x_high = 0.0, max(x for x, _ in points) or 1.0
    rows = ticks(min(y for _, y in points), max(y for _, y in points))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + _LEFT + width * (x - x_low) / (x_high - x_low)
        return round(across, 1), round(_TOP + height * (rows[-1] - y) / (rows[-1] - rows[0]), 1)

    yield _text(left + 14, 22, panel.title, _TITLE, "font-weight='bold' font-size='14'")
    for y in rows:
        at = place(0, y)[1]
        yield f"<path d='M{left + _LEFT} {at}h{width}' stroke='{_GRID}'/>"
        yield _text(left + _LEFT - 6, at + 4, f"{y:,g}{panel.unit}", _TEXT, "text-anchor='end'")
    for x in (tick for tick in ticks(x_low, x_high) if tick <= x_high):
        yield _text(place(x, rows[0])[0], _HEIGHT - _BOTTOM + 18, f"{x:,g}", _TEXT, "text-anchor='middle'")
    yield _text(left + _LEFT + width / 2, _HEIGHT - 6, panel.x_label, _TEXT, "text-anchor='middle'")
    names_at = left + _LEFT
    for i, (name, some) in enumerate(panel.lines):
        colour = COLOURS[i % len(COLOURS)]
        yield _text(names_at, 44, shown_name(name), colour, "font-weight='bold'")
        names_at += 12 + 7 * len(name)
        dots = [place(x, y) for x, y in some]
        path = " ".join(f"{x},{y}" for x, y in dots)
        yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-linejoin='round'/>"
        if len(dots) <= 30:
            yield from (f"<circle cx='{x}' cy='{y}' r='2.5' fill='{colour}'/>" for x, y in dots)


def _matrix(matrix: Matrix, top: int) -> Iterator[str]:
    first, left = top + _head(matrix), 14 + _LABEL
    yield _text(14, top + 22, matrix.title, _TITLE, "font-weight='bold' font-size='14'")
    yield _text(14, first - 8, "gold ↓  predicted →", _TEXT, "")
    for j, name in enumerate(matrix.columns):
        x, y = left + _CELL * j + _CELL / 2 + 4, first - 8
        yield _text(x, y, _label(name), _TITLE, f"transform='rotate(-45 {x} {y})'")
    yield _text(left + _CELL * (len(matrix.columns) + 1) - 8, first - 8, "all", _TEXT, "text-anchor='end'")
    for i, (name, cells, total) in enumerate(matrix.rows):
        y = first + 28 * i
        yield _text(left - 8, y + 18, _label(name), _TITLE, "text-anchor='end'")
        for j, (count, shade, is_right) in enumerate(cells):
            if not count:
                continue
            colour = COLOURS[2] if is_right else COLOURS[1]
            x = left + _CELL * j
            opacity = round(0.12 + 0.55 * shade, 3)
            yield (
                f"<rect x='{x + 1}' y='{y + 1}' width='{_CELL - 2}' height='26' rx='3' fill='{colour}' "
                f"fill-opacity='{opacity}'/>"
            )
            yield _text(x + _CELL / 2, y + 18, f"{count:,}", _TITLE, "text-anchor='middle'")
        yield _text(left + _CELL * (len(matrix.columns) + 1) - 8, y + 18, f"{total:,}", _TEXT, "text-anchor='end'")


def _head(matrix: Matrix) -> int:
    """Height of the title and of the columns' names, which lean by half a right angle."""
    return 48 + 6 * max((len(_label(name)) for name in matrix.columns), default=0)


def _label(name: str) -> str:
    return shown_name(name, _LONGEST_LABEL)


def _text(x: float, y: float, text: str, colour: str, more: str) -> str:
    return f"<text x='{x:g}' y='{y:g}' fill='{colour}' {more}>{as_html(text)}</text>"


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' "
        "font-family='DejaVu Sans, Arial, sans-serif' font-size='12'>"
    )
    return "\n".join([head, f"<rect width='{width}' height='{height}' fill='white'/>", *parts, "</svg>", ""])
