"""Pictures: points stand where the numbers say, and a name is text and no markup."""

from __future__ import annotations

import doctest
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.tracking import drawing
from runner.tracking.drawing import Matrix, Panel, line_picture, matrix_picture, ticks

SVG = "{http://www.w3.org/2000/svg}"


def points(picture: str) -> list[list[tuple[float, float]]]:
    lines = ElementTree.fromstring(picture).iter(f"{SVG}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points", "").split()] for line in lines]


def texts(picture: str) -> list[str]:
    return [str(text.text) for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_points_lie_in_proportion() -> None:
    ((a, b, c),) = points(line_picture([Panel("Scores", "updates", [("ents_f", [(0, 0), (50, 50), (100, 100)])])]))
    assert b == ((a[0] + c[0]) / 2, (a[1] + c[1]) / 2)
    assert a[0] < c[0]
    assert a[1] > c[1]  # higher scores stand higher


def test_a_panel_without_points_is_left_out() -> None:
    full, empty = Panel("Scores", "updates", [("f", [(1, 2.0)])]), Panel("Loss", "updates", [("loss", [])])
    assert "Loss" not in texts(line_picture([full, empty]))
    assert line_picture([empty]) == matrix_picture([]) == ""


def test_counts_stand_in_their_cells_and_zeros_are_blank() -> None:
    picture = matrix_picture([Matrix("ner", ["LOC", "∅"], [("LOC", [(1234, 0.9, True), (0, 0.0, False)], 1234)])])
    assert texts(picture)[-2:] == ["1,234", "1,234"]  # the cell, and the row's total
    assert len(re.findall("<rect", picture)) == 2  # the background, and one cell


def test_a_name_is_no_markup() -> None:
    name = "<script>&'\""
    for picture in (
        line_picture([Panel(name, name, [(name, [(1, 1.0)])])]),
        matrix_picture([Matrix(name, [name], [(name, [(1, 1.0, True)], 1)])]),
    ):
        assert name in texts(picture)
        assert not list(ElementTree.fromstring(picture).iter(f"{SVG}script"))


NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(NUMBERS, NUMBERS)
def test_ticks_span_all_values_and_are_few(a: float, b: float) -> None:
    low, high = sorted((a, b))
    some = ticks(low, high)
    assert some[0] <= low + 1e-6 * abs(low) + 1e-9
    assert some[-1] >= high - 1e-6 * abs(high) - 1e-9
    assert 2 <= len(some) <= 8


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-3.0, -3.0), (0.0, 1e-9)])
def test_ticks_of_equal_values(low: float, high: float) -> None:
    assert len(ticks(low, high)) >= 2


def test_docstrings() -> None:
    assert doctest.testmod(drawing).failed == 0
