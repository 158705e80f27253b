"""The comparison's Markdown (text.py) as lines for a terminal: tables that fit its width, wrapped paragraphs, no marks.

The best value of a row has a star. A cell that has no room loses its middle; the report in compare.md has all of it.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Sequence

from runner.streams import Line, Piece

_GAP = "  "
_LEAST = 6  # characters to which a column may shrink


def screen_lines(markdown: str, width: int) -> Iterator[Line]:
    """The lines of a report. markdown: of text.markdown. width: of the terminal, in characters."""
    for number, block in enumerate(markdown.strip().split("\n\n")):
        if number:
            yield ""
        if block.startswith("|"):
            yield from _table(block.splitlines(), width)
        elif block.startswith("#"):
            yield [Piece(_plain(block.lstrip("# ")), "bold")]
        else:
            for line in block.splitlines():
                yield from textwrap.wrap(_plain(line), width, subsequent_indent="  " * line.startswith("- "))


def _table(lines: Sequence[str], width: int) -> Iterator[Line]:
    head, rule, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    is_right = [cell.endswith(":") for cell in rule]
    cells = [[_cell(cell, right=right) for cell, right in zip(row, is_right, strict=True)] for row in (head, *rows)]
    widths = _fitting([max(map(len, column)) for column in zip(*cells, strict=True)], width)

    def line(row: Sequence[str]) -> str:
        cut = [_cut(cell, w) for cell, w in zip(row, widths, strict=True)]
        placed = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(cut, widths, is_right, strict=True))
        return _GAP.join(placed).rstrip()

    yield line(cells[0])
    yield "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    yield from map(line, cells[1:])


def _cell(markdown: str, *, right: bool) -> str:
    """The text of a cell; where numbers stand under each other, a star or a blank follows each."""
    is_best = markdown.startswith("**")
    return _plain(markdown) + ("*" if is_best else " " * right)


def _plain(markdown: str) -> str:
    return html.unescape(re.sub(r"\\(.)", r"\1", markdown.replace("**", "")))


def _fitting(widths: Sequence[int], width: int) -> list[int]:
    """Shrink the widest columns until the table fits, none below _LEAST."""
    fitting = list(widths)
    while sum(fitting) + len(_GAP) * (len(fitting) - 1) > width and max(fitting) > _LEAST:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
