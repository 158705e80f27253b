"""Every text of the package that tells a user of a config key, an option or a command; read from the source, not run.

    [Advice("config/check.py", "check_config", "Choose pipeline=ner."), …]

Docstrings, help texts, the schema's meanings and the places of errors do not count: they advise nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import runner
from runner.config.schema import RootConfig

PACKAGE = Path(runner.__file__).parent
ROOTS = "|".join([*(field.name for field in dataclasses.fields(RootConfig)), "hydra", "experiment", "variant"])
ADVICE = re.compile(
    r"(?<![\w-])--[a-z][\w-]+"  # --option
    r"|(?<![\w-])-[a-zA-Z](?![\w-])"  # -m
    rf"|(?<![\w.])(?:{ROOTS})(?:[./][\w{{}}]+)*="  # pipeline=ner, corpus.folds=5
    r"|\{\}(?:\.[\w{}]+)*=[A-Zn\[]"  # {}=NAME, {}.type=NAME, {}=null
    rf"|(?<![\w.])(?:{ROOTS})(?:[./](?!py\b|yaml\b|json)[a-z_{{]\w*}}?)+"  # optimizer.learn_rate
    r"|python -m runner|pip install|\bmlflow (?:db|experiments|ui)\b"
)
HOLE = "{}"  # what an f-string fills in
_NO_ADVICE = frozenset({"help", "description", "usage", "epilog", "prog", "place", "metavar"})
_NO_ADVICE_NAMES = frozenset({"HELP", "USAGE"})


class Advice(NamedTuple):
    file: str  # below runner/
    function: str
    text: str  # with HOLE for what is filled in

    @property
    def pieces(self) -> list[str]:
        """What stands in it whatever is filled in."""
        return [piece for piece in self.text.split(HOLE) if piece]


def inventory() -> list[Advice]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        for function, text in _texts(ast.parse(path.read_text(encoding="utf8")), ()):
            if " " in text.strip() and ADVICE.search(text):
                found.append(Advice(file, function, text))
    return found


def _texts(node: ast.AST, where: Sequence[str]) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        text = _text(child)
        if text is not None:
            yield ".".join(where), text
        elif not _is_no_advice(child):
            inner = isinstance(child, ast.FunctionDef | ast.ClassDef)
            yield from _texts(child, (*where, child.name) if inner else where)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return None


def _is_no_advice(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.keyword):
        return node.arg in _NO_ADVICE
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "key"  # of the schema
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id in _NO_ADVICE_NAMES
    return False
