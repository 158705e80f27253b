"""Text of the code (docstrings, comments, help) → Markdown that shows it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import dedent

_SPECIAL = re.compile(r"([\\*_<>\[\]{}$#|~^])")
FENCE = "```"


def plain(text: str) -> str:
    """The text with Markdown's signs escaped; what stands in `backticks` stays code."""
    parts = re.split(r"(`[^`]+`)", re.sub(r"(?<!`)(\$\{[^}`]+\})(?!`)", r"`\1`", text))
    return "".join(part if i % 2 else _SPECIAL.sub(r"\\\1", part) for i, part in enumerate(parts))


def code(text: object) -> str:
    """Inline code. The text must not be empty."""
    shown = str(text).replace("\n", " ")
    fence = "``" if "`" in shown else "`"
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown cells; "" if it has no rows."""
    lines = ["| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def block(text: str, language: str = "text", *, is_wrapped: bool = False) -> str:
    """A fenced block of code. is_wrapped: long lines are folded, and do not scroll."""
    head = f"{{code-block}} {language}\n:class: wrapped\n" if is_wrapped else language
    return f"{FENCE}{head}\n{text.rstrip()}\n{FENCE}"


def directive(name: str, argument: str, body: str) -> str:
    """A directive of Sphinx around Markdown, fenced longer than any block in it."""
    return f"````{{{name}}} {argument}\n{body}\n````"


def docstring(text: str) -> str:
    """A docstring as Markdown: paragraphs as they are, examples and indented parts as blocks."""
    shown = []
    for paragraph in re.split(r"\n\s*\n", dedent(text).strip("\n")):
        if paragraph.lstrip().startswith(">>>"):
            shown.append(block(dedent(paragraph), "python"))
        elif all(line.startswith("    ") for line in paragraph.splitlines()):
            shown.append(block(dedent(paragraph)))
        else:
            shown.append(plain(paragraph))
    return "\n\n".join(shown)
