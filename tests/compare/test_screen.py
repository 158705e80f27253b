"""The comparison on a terminal."""

from __future__ import annotations

import pytest

from runner.compare.screen import screen_lines
from runner.compare.text import plain, table
from runner.streams import Line

REPORT = "\n\n".join(
    [
        "# Comparison of A, B",
        table(["", "run"], [["A", plain("a|name_with*marks & more " + "x" * 80)], ["B", "b"]]),
        "## Results",
        "- B is worse than A in ents\\_f: −8.41 points, p \\< 0.001, which is told in a sentence that is longer than the line.",
        table(["", "A", "B"], [["best score", "**66.67**", "58.25"], ["steps", "225", "1,149"]], "lrr"),
    ]
)


def as_text(lines: list[Line]) -> list[str]:
    return [line if isinstance(line, str) else "".join(piece.text for piece in line) for line in lines]


def test_marks_become_text_and_the_best_a_star() -> None:
    lines = as_text(list(screen_lines(REPORT, 80)))
    assert lines[0] == "Comparison of A, B"
    assert lines[4].startswith("A  a|name_with*marks & more xxx")
    assert "…" in lines[4]
    assert lines[9:12] == [
        "- B is worse than A in ents_f: −8.41 points, p < 0.001, which is told in a",
        "  sentence that is longer than the line.",
        "",
    ]
    assert lines[12:] == [
        "                A       B",
        "--------------------------",
        "best score  66.67*  58.25",
        "steps         225   1,149",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_the_terminal(width: int) -> None:
    assert max(map(len, as_text(list(screen_lines(REPORT, width))))) <= width
