"""Escapes strangers' text (labels, names, excerpts) for a terminal, a table or a page.

shown("PER\x1b[2J")         PER\\x1b[2J        nothing steers a terminal, breaks a line or turns the writing direction
shown_name(" PER")          ␣PER              for labels and names: blanks that matter are visible
as_markdown("a|b*c")        a\\|b\\*c           `shown`, and plain text in Markdown
as_html("a<b")              a&lt;b             `shown`, and plain text in HTML and SVG
"""

from __future__ import annotations

import re
from html import escape

_JOINERS = "\u200c\u200d"  # belong to the spelling of Hindi or Persian words, and to emoji
_BLANKS = re.compile(r"^ +| +$| {2,}")
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>|~#]|(?<![^\W_])_|_(?![^\W_]))")  # inside a word, `_` is plain
_LONGEST_NAME = 80


def shown(text: str, longest: int | None = None) -> str:
    """The text in one line of printable characters; others are written as in Python (`\\x1b`, `\\n`, `\\u202e`).

    longest: in characters; a longer text is cut and ends in `…`.

    >>> shown("Zoë\\x1b[31m\\nfine")
    'Zoë\\\\x1b[31m\\\\nfine'
    """
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or (char in _JOINERS and _is_inside(text, i)) else _escaped(char)
        for i, char in enumerate(text)
    )


def shown_name(text: str, longest: int = _LONGEST_NAME) -> str:
    """`shown`, with visible blanks where they stand at the ends or are doubled.

    >>> shown_name("PER ")
    'PER␣'
    """
    return _BLANKS.sub(lambda blanks: "␣" * len(blanks[0]), shown(text, longest))


def as_markdown(text: str) -> str:
    """`shown`, escaped to be plain text in Markdown, also in a cell of a table."""
    return _MARKDOWN.sub(r"\\\1", shown(text)).replace("&", "&amp;")


def as_html(text: str) -> str:
    """`shown`, escaped to be plain text in HTML and SVG, also in an attribute."""
    return escape(shown(text))


def as_code(text: str) -> str:
    """`shown`, as a piece of code in Markdown. Not for tables: a `|` ends their cells even in code."""
    plain = shown(text)
    runs = re.findall("`+", plain)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    gap = " " if plain[:1] == "`" or plain[-1:] == "`" else ""
    return f"{fence}{gap}{plain}{gap}{fence}"


def as_block(lines: list[str]) -> list[str]:
    """Lines as a block of code in Markdown that nothing in the lines can end."""
    plain = [shown(line) for line in lines]
    longest = max((len(run) for line in plain for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *plain, fence]


def _is_inside(text: str, i: int) -> bool:
    """Whether the character stands between two others that are not ASCII."""
    return 0 < i < len(text) - 1 and text[i - 1] > "\x7f" and text[i + 1] > "\x7f"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
