"""The keys of a YAML file with the comments that stand beside and above them.

# Plain descent.            → the file's description
type: sgd
rates:                      # factors
  # of the encoder          → the reason of rates.tok2vec
  tok2vec: 0.05             # a twentieth
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Line:
    """A key of a file: its dotted name, its value as it is written ("" if further keys stand below it), its comment."""

    key: str
    value: str
    reason: str


def description(path: Path) -> str:
    """The comment at the head of the file, with its line breaks; Hydra's '# @package' is left out."""
    lines = []
    for line in path.read_text(encoding="utf8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line[1:].removeprefix(" "))
    return "\n".join(lines)


def lines(path: Path) -> list[Line]:
    """The keys of the file in its order; its `defaults` list is left out."""
    text = path.read_text(encoding="utf8")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return []
    head = len(text.splitlines()) - len(text.splitlines()[_head_lines(text) :])
    return list(_walk(node, "", text.splitlines(), head))


@dataclass(frozen=True)
class Parent:
    """An entry of a `defaults` list. group: "" for the file's own. key: where its keys are put; "" for beside the file's."""

    group: str
    name: str
    key: str
    reason: str


def parents(path: Path) -> list[Parent]:
    """The entries of the file's `defaults` list that name a file, but for _self_: `NAME`, `NAME@KEY`, `/GROUP/NAME@KEY`."""
    found = []
    text = path.read_text(encoding="utf8")
    listed = re.search(r"^defaults:\n((?: +.*\n)*)", text, re.M)
    for entry, reason in re.findall(r"^ +- ([^#\n:]+?)(?: +# (.*))?$", listed[1] if listed else "", re.M):
        name, _, key = entry.partition("@")
        group, _, name = name.rpartition("/")
        if name != "_self_":
            found.append(Parent(group.strip("/"), name, key, reason))
    return found


def _head_lines(text: str) -> int:
    return next((i for i, line in enumerate(text.splitlines()) if not line.startswith("#")), len(text.splitlines()))


def _walk(node: yaml.Node, prefix: str, rows: list[str], head: int) -> Iterator[Line]:
    for key, value in node.value:
        if prefix == "" and key.value == "defaults":
            continue
        name = f"{prefix}{key.value}"
        is_open = _is_open(value)
        is_below = value.start_mark.line != key.start_mark.line or is_open
        row = key.end_mark.line if is_below else value.end_mark.line
        column = key.end_mark.column + 1 if is_below else value.end_mark.column
        is_folded = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
        beside = "" if is_folded else _beside(rows[row][column:])
        reason = " ".join(filter(None, (_above(rows, key.start_mark.line, head), beside)))
        yield Line(name, "" if is_open else _written(rows, value, is_below=is_below), reason)
        if is_open and isinstance(value, yaml.MappingNode):
            yield from _walk(value, f"{name}.", rows, head)
        elif is_open:
            for i, item in enumerate(value.value):
                yield from _walk(item, f"{name}[{i}].", rows, head)


def _is_open(value: yaml.Node) -> bool:
    """Whether keys stand below it, one a line: a mapping, or a list of mappings."""
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        return all(isinstance(item, yaml.MappingNode) for item in value.value)
    return isinstance(value, yaml.MappingNode) and not value.flow_style and bool(value.value)


def _written(rows: list[str], value: yaml.Node, *, is_below: bool) -> str:
    start, end = value.start_mark, value.end_mark
    if is_below or start.line != end.line:
        text = " ".join(row.strip() for row in rows[start.line : end.line + 1 if end.column else end.line])
        return re.sub(r"\s+#.*", "", text) if not isinstance(value, yaml.ScalarNode) else str(value.value)
    return rows[start.line][start.column : end.column].strip() or "null"


def _beside(rest: str) -> str:
    text = rest.strip()
    return text[1:].strip() if text.startswith("#") else ""


def _above(rows: list[str], line: int, head: int) -> str:
    found: list[str] = []
    while line - 1 >= head and rows[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, rows[line].strip().lstrip("#").strip())
    return " ".join(found)
