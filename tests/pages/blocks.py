"""The fenced blocks of the pages, and the commands in them.

    python -m runner predict mine texts.txt \\
        -o out.jsonl                        what a reader is told about it

is one command: a line that ends in a backslash goes on, and what follows two blanks outside of quotes is prose, as is
what follows ` # `. `A && B` are two commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
]
SHELLS = ("", "shell", "bash", "console")
PROGRAM = re.compile(r"(python3?|pip|mlflow|curl|pytest|pre-commit|ray|runner|docker|git|cd|\.|source|export|make)\s")
_FENCE = re.compile(r"^```(\{?[\w-]*\}?)[^\n]*\n(.*?)^```", re.M | re.S)
_SPLIT = re.compile(r"""((?:"[^"]*"|'[^']*'|[^"'\s#&]|(?<=\S)[#&](?!&)|\ (?=\S)(?!&&|\#))+)|(&&)|(\s{2,}|\#).*""", re.X)


@dataclass(frozen=True)
class Block:
    """A fenced block. line: of its first line, from 1. language: "" if none is named."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a page, without what the page says about it."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf8")
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, text[: m.start(2)].count("\n") + 1, m[1], m[2]) for m in _FENCE.finditer(text)]


def commands(page: Path) -> list[Command]:
    """The commands of a page, in their order."""
    return [command for block in blocks(page) for command in commands_of(block)]


def commands_of(block: Block) -> list[Command]:
    """The commands of a block; none if it is of another language than the shell's."""
    if block.language not in SHELLS:
        return []
    given, line = [], block.line
    for row in re.sub(r"\s*\\\n\s*", "\0", block.text).split("\n"):
        given += [
            Command(block.page, line, text) for text in _split(row.replace("\0", " ")) if PROGRAM.match(text + " ")
        ]
        line += 1 + row.count("\0")
    return given


def _split(row: str) -> Iterator[str]:
    """The commands of a line, without prose."""
    for match in _SPLIT.finditer(row if row[:1].strip() else ""):
        if match[1]:
            yield match[1].strip()
        elif match[3]:
            return
