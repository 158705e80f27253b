"""Pictures: well-formed, true to their numbers, and quiet about what is not there."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from runner.compare.charts import Interval, Line, interval_chart, line_chart, ticks


def lines_of(svg):
    root = ET.fromstring(svg)
    return [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in root.iter("polyline")
    ]


def test_equal_steps_lie_at_equal_distances_and_more_lies_higher():
    ((a, b, c),) = lines_of(line_chart("t", [Line("A", [(1, 0), (2, 5), (3, 10)])], "epoch"))
    assert b[0] - a[0] == pytest.approx(c[0] - b[0], abs=0.11)
    assert a[1] - b[1] == pytest.approx(b[1] - c[1], abs=0.11)
    assert a[1] > b[1] > c[1]  # downwards on a screen


def test_everything_lies_inside_the_picture():
    svg = line_chart("t", [Line("A", [(0, -3e-5), (80_000, 1e-4)]), Line("B", [(7, 2e-5)], 0)], "step")
    width, height = map(float, ET.fromstring(svg).get("viewBox").split()[2:])
    assert all(0 <= x <= width and 0 <= y <= height for line in lines_of(svg) for x, y in line)
    assert "NaN" not in svg


def test_no_points_no_picture():
    assert line_chart("t", [Line("A", []), Line("B", [(1, math.nan)])], "epoch") == ""
    assert interval_chart("t", []) == ""


def test_one_point_and_equal_values():
    assert ET.fromstring(line_chart("t", [Line("A", [(1, 0.5)])], "epoch")).find("circle") is not None
    assert len(lines_of(line_chart("t", [Line("A", [(1, 0.5), (2, 0.5)])], "epoch"))[0]) == 2


def test_names_are_escaped():
    svg = line_chart("<t>", [Line("A & <b>", [(1, 1), (2, 2)], 1)], "epoch")
    assert "A & <b>: best, 2 at 2" in "".join(ET.fromstring(svg).itertext())


def test_intervals_lie_around_zero():
    root = ET.fromstring(interval_chart("t", [Interval("B − A", -1.0, 1.0, 3.0, True)]))
    zero = next(float(line.get("x1")) for line in root.iter("line") if line.get("class") == "axis")
    bar = next(line for line in root.iter("line") if line.get("class") == "line")
    low, high, dot = float(bar.get("x1")), float(bar.get("x2")), float(root.find("circle").get("cx"))
    assert low < zero < dot < high
    assert dot - zero == pytest.approx(zero - low, abs=0.11)


def test_ticks_cover_the_range():
    for low, high in [(0, 1), (0.2846, 0.2931), (-5, 12_345), (1, 3), (1e-9, 2e-9), (3, 3)]:
        marks = ticks(low, high)
        assert marks[0] <= low
        assert high <= marks[-1]
        assert 2 <= len(marks) <= 9
