"""Pictures: well-formed, true to their numbers, and quiet about what is not there."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from runner.compare.charts import Interval, Line, interval_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def named(svg, name):
    """What carries this name: the points of lines, then the places of dots."""
    groups = [group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.findtext(f"{SVG}title") == name]
    paths = [path.get("d") for group in groups for path in group.findall(f"{SVG}path")]
    lines = [[tuple(map(float, point)) for point in re.findall(r"[ML] (\S+) (\S+)", path)] for path in paths]
    dots = [(float(use.get("x")), float(use.get("y"))) for group in groups for use in group.iter(f"{SVG}use")]
    return lines, dots


def lines_of(svg, *names):
    return [line for name in names for line in named(svg, name)[0]]


def test_equal_steps_lie_at_equal_distances_and_more_lies_higher():
    ((a, b, c),) = lines_of(line_chart("t", [Line("A", [(1, 0), (2, 5), (3, 10)])], "epoch"), "A")
    assert b[0] - a[0] == pytest.approx(c[0] - b[0], abs=0.11)
    assert a[1] - b[1] == pytest.approx(b[1] - c[1], abs=0.11)
    assert a[1] > b[1] > c[1]  # downwards on a screen


def test_everything_lies_inside_the_picture():
    svg = line_chart("t", [Line("A", [(0, -3e-5), (80_000, 1e-4)]), Line("B", [(7, 2e-5)], 0)], "step")
    width, height = map(float, ET.fromstring(svg).get("viewBox").split()[2:])
    (line,) = lines_of(svg, "A")
    ((x, y),) = named(svg, "B: best, 0 at 7")[1]
    assert len(line) == 2
    assert all(0 <= x <= width and 0 <= y <= height for x, y in [*line, (x, y)])
    assert "NaN" not in svg


def test_no_points_no_picture():
    assert line_chart("t", [Line("A", []), Line("B", [(1, math.nan)])], "epoch") == ""
    assert interval_chart("t", []) == ""


def test_one_point_and_equal_values():
    assert len(named(line_chart("t", [Line("A", [(1, 0.5)])], "epoch"), "A")[1]) == 1
    assert len(lines_of(line_chart("t", [Line("A", [(1, 0.5), (2, 0.5)])], "epoch"), "A")[0]) == 2


def test_the_same_numbers_give_the_same_bytes():
    one, other = (line_chart("t", [Line("A", [(1, 0.5), (2, 0.7)], 1)], "epoch") for _ in range(2))
    assert one == other


def test_the_picture_names_itself_and_its_texts_are_texts():
    root = ET.fromstring(line_chart("Loss", [Line("A", [(1, 0.5), (2, 0.7)])], "epoch"))
    assert (root.get("role"), root.get("aria-label")) == ("img", "Loss")
    assert {text.text for text in root.iter(f"{SVG}text")} >= {"Loss", "epoch", "A", "1", "2"}


def test_names_are_escaped():
    svg = line_chart("<t>", [Line("A & <b>", [(1, 1), (2, 2)], 1)], "epoch")
    assert "A & <b>: best, 2 at 2" in "".join(ET.fromstring(svg).itertext())


def test_intervals_lie_around_zero():
    svg = interval_chart("t", [Interval("B − A", -1.0, 1.0, 3.0, True)])
    (((low, y), (high, _)),) = lines_of(svg, "B − A")
    ticks = {text.text: float(text.get("x")) for text in ET.fromstring(svg).iter(f"{SVG}text") if text.get("x")}
    dot = next(float(use.get("x")) for use in ET.fromstring(svg).iter(f"{SVG}use") if float(use.get("y")) == y)
    assert low < ticks["0"] < dot < high
    assert dot - ticks["0"] == pytest.approx(ticks["0"] - low, abs=0.11)


def test_numbers_on_the_axes_are_round():
    for points in ([(0, 0.2846), (9, 0.2931)], [(1, -5), (3, 12_345)], [(3, 1e-9), (80_000, 2e-9)], [(1, 3), (2, 3)]):
        root = ET.fromstring(line_chart("t", [Line("A", points)], "x"))
        numbers = [text.text for text in root.iter(f"{SVG}text") if re.fullmatch(r"[−\d,.e-]+", text.text)]
        assert 5 <= len(numbers) <= 18
        assert all(len(number) <= 8 for number in numbers)
