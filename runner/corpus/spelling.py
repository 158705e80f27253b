"""Find a treebank's words in their raw text, where quotes, dashes, ellipses and brackets may be spelt otherwise.

text    In an "odd" (short) review      words   In  an  ``  odd  ''  -LRB-  short  -RRB-  review
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_CLASSES = (
    ("``", "''", '"', "“", "”", "„", "«", "»", "‟"),
    ("'", "`", "´", "‘", "’", "‚"),
    ("--", "---", "-", "—", "–", "−", "‐", "‑"),
    ("...", "…", ". . ."),
    ("-LRB-", "("),
    ("-RRB-", ")"),
    ("-LSB-", "["),
    ("-RSB-", "]"),
    ("-LCB-", "{"),
    ("-RCB-", "}"),
)
_PIECE = re.compile(
    "|".join(re.escape(mark) for mark in sorted({m for c in _CLASSES for m in c}, key=len, reverse=True))
)


def respelt_edges(text: str, words: Sequence[str]) -> tuple[list[int], list[int]] | None:
    """Character offsets (starts, ends) of the words in the text; None if more than marks' spelling differs.

    >>> respelt_edges('an "odd" one', ["an", "``", "odd", "''", "one"])
    ([0, 3, 4, 7, 9], [2, 4, 7, 8, 12])
    """
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for word in words:
        position = _after_blanks(text, position)
        match = _pattern(word).match(text, position)
        if match is None:
            return None
        starts.append(position)
        position = match.end()
        ends.append(position)
    return (starts, ends) if _after_blanks(text, position) == len(text) else None


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


@lru_cache(maxsize=65536)
def _pattern(word: str) -> re.Pattern[str]:
    """A regex of the word, each mark in any spelling."""
    parts = []
    end = 0
    for mark in _PIECE.finditer(word):
        spellings = next(c for c in _CLASSES if mark.group() in c)
        parts.append(re.escape(word[end : mark.start()]))
        parts.append("(?:" + "|".join(map(re.escape, sorted(spellings, key=len, reverse=True))) + ")")
        end = mark.end()
    return re.compile("".join([*parts, re.escape(word[end:])]))
