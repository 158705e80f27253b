"""A dependency tree as arcs above its words: an SVG that needs no script and no measuring.

Letters have one width, so that the picture can be laid out without a browser. Words of a text that is written from right to
left stand from right to left.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from runner.notebook.html import MONO, plain

_CHAR, _LABEL_CHAR, _TAG_CHAR = 8.0, 6.7, 6.0  # widths of a letter in pixels, at 13, 11 and 10 pixels
_GAP, _STEP, _TOP, _BELOW = 16, 22, 18, 34  # pixels: between words, between levels, above the arcs, for words and tags


class Arc(NamedTuple):
    """An arc between two words of the sentence; a root's head is the root itself."""

    head: int
    dependent: int
    label: str


def tree(words: Sequence[str], arcs: Sequence[Arc], tags: Sequence[str | None] | None = None) -> str:
    """The picture of one sentence."""
    x, width = _centres(words, arcs, tags)
    if _is_leftward(words):
        x = [width - one for one in x]
    levels = _levels(arcs)
    base = _TOP + _STEP * max(levels, default=1)
    height = base + _BELOW
    parts = [_arc(arc, level, x, base) for arc, level in zip(arcs, levels, strict=True)]
    for i, word in enumerate(words):
        parts.append(_text(x[i], base + 16, plain(" ".join(word.split()) or "␣"), 13))
        if tags is not None:
            parts.append(_text(x[i], base + 30, plain(tags[i] or "·"), 10, "opacity:.8"))
    label = plain("Dependency tree of: " + " ".join(" ".join(words).split()))
    size = f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"'
    style = f"display:block;max-width:none;{MONO}"
    picture = f'<svg {size} role="img" aria-label="{label}" style="{style}">{"".join(parts)}</svg>'
    return f'<div tabindex="0" role="group" aria-label="Dependency tree" style="overflow-x:auto">{picture}</div>'


def _centres(words: Sequence[str], arcs: Sequence[Arc], tags: Sequence[str | None] | None) -> tuple[list[float], float]:
    """The middle of each word, and the width of all, in pixels; labels of neighbours have room between the two."""
    need = [_width(word, _CHAR) + _GAP for word in words]
    for i, tag in enumerate(tags or ()):
        need[i] = max(need[i], _width(tag or "", _TAG_CHAR) + _GAP)
    for arc in arcs:
        room = _width(arc.label, _LABEL_CHAR) + _GAP
        for i in {arc.head, arc.dependent} if abs(arc.head - arc.dependent) <= 1 else ():
            need[i] = max(need[i], room)
    centres, right = [], 6.0
    for one in need:
        centres.append(right + one / 2)
        right += one
    return centres, right + 6


def _levels(arcs: Sequence[Arc]) -> list[int]:
    """The level of each arc, from 1: above all arcs that it spans; roots above all."""
    order = sorted(
        range(len(arcs)), key=lambda i: (arcs[i].head == arcs[i].dependent, abs(arcs[i].head - arcs[i].dependent), i)
    )
    levels = [0] * len(arcs)
    done: list[tuple[int, int, int]] = []
    for i in order:
        low, high = sorted(arcs[i][:2])
        if low == high:
            levels[i] = 1 + max((level for _, _, level in done), default=0)
            continue
        levels[i] = 1 + max((level for a, b, level in done if a < high and b > low), default=0)
        done.append((low, high, levels[i]))
    return levels


def _arc(arc: Arc, level: int, x: Sequence[float], base: int) -> str:
    end, top = x[arc.dependent], base - _STEP * level
    tip = f"M{end - 3.5:.1f},{base - 6}L{end:.1f},{base}L{end + 3.5:.1f},{base - 6}"
    if arc.head == arc.dependent:
        path, middle, above = f"M{end:.1f},{top + 4}L{end:.1f},{base - 1}", end, top
    else:
        side = 1 if x[arc.head] < end else -1
        start = x[arc.head] + 4 * side
        bend = min(9.0, abs(end - start) / 2) * side
        path = (
            f"M{start:.1f},{base - 1}L{start:.1f},{top + 8}Q{start:.1f},{top} {start + bend:.1f},{top}"
            f"L{end - bend:.1f},{top}Q{end:.1f},{top} {end:.1f},{top + 8}L{end:.1f},{base - 1}"
        )
        middle, above = (start + end) / 2, top - 3
    drawn = f'<path d="{path}{tip}" fill="none" stroke="currentColor" stroke-opacity=".6"/>'
    return drawn + _text(middle, above, plain(arc.label or "·"), 11)


def _text(x: float, y: float, text: str, size: int, style: str = "") -> str:
    more = f' style="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}" text-anchor="middle" fill="currentColor"{more}>{text}</text>'


def _width(text: str, of_char: float) -> float:
    """Pixels of a text; a wide letter (Chinese, Japanese, Korean) takes two places."""
    return of_char * sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _is_leftward(words: Sequence[str]) -> bool:
    """Whether the first letter with a direction is written from right to left."""
    for char in "".join(words):
        direction = unicodedata.bidirectional(char)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
