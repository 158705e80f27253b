"""The order of the rooms, read from their imports: each knows the ones to its left and none to its right.

    secrets, foreign, streams → errors → files, registry, blocks → config → corpus → model → components → training → tracking
        → launch → compare → commands

Imports under `if TYPE_CHECKING:` do not count, imports inside functions do. The registry names modules of other rooms in
strings and imports them at the first look-up; that is its purpose, and is not seen here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import runner

PACKAGE = Path(runner.__file__).parent
ORDER = (
    "secrets",
    "foreign",
    "streams",
    "errors",
    "spacy_names",
    "files",
    "registry",
    "bounded_yaml",
    "blocks",
    "language",
    "signals",
    "config",
    "corpus",
    "model",
    "components",
    "training",
    "tracking",
    "launch",
    "compare",
    "commands",
)
FREE = {"runner/__init__.py", "runner/__main__.py"}  # the API and the command line: they may name any room, late

# What is allowed against the order, and why.
EXCEPTIONS: set[tuple[str, str]] = set()

# Library → the rooms that alone may import it.
OWNED = {"mlflow": {"tracking"}, "hydra": {"config", "launch"}, "omegaconf": {"config", "launch"}}


class Import(NamedTuple):
    place: str  # "runner/corpus/doc.py:12"
    file: str
    room: str
    target: str  # "runner.errors"


def imports(path: Path, source: str) -> Iterator[Import]:
    """Every module that the file, of this text, imports while it runs."""
    file = path.relative_to(PACKAGE.parent).as_posix()
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    package = ["runner", *parts[:-1]]

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from visit(other)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    for line, target in visit(ast.parse(source)):
        yield Import(f"{file}:{line}", file, parts[0], target)


ALL = [found for path in sorted(PACKAGE.rglob("*.py")) for found in imports(path, path.read_text(encoding="utf8"))]


def room_of(target: str) -> str | None:
    """The room that a dotted name of ours lies in; None for the package itself (`from runner import __version__`)."""
    parts = target.split(".")
    if parts[0] != "runner" or len(parts) < 2:
        return None
    return parts[1] if parts[1] in ORDER else None


def test_every_room_has_its_place_in_the_order():
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}
    assert rooms - {"__init__", "__main__"} <= set(ORDER)


def test_imports_go_leftwards():
    wrong = [
        f"{found.place} imports {found.target}"
        for found in ALL
        if found.file not in FREE
        and (room := room_of(found.target)) is not None
        and ORDER.index(room) > ORDER.index(found.room)
        and (found.file, found.target) not in EXCEPTIONS
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("library", "rooms"), OWNED.items())
def test_a_library_is_imported_in_its_own_rooms_only(library, rooms):
    users = [found for found in ALL if found.target.split(".")[0] == library]
    assert users
    wrong = [f"{found.place} imports {found.target}" for found in users if found.room not in rooms]
    assert not wrong, "\n".join(wrong)


def test_components_know_nothing_of_the_config():
    known = {room_of(found.target) for found in ALL if found.room == "components"}
    assert "config" not in known


def test_the_early_rooms_know_registry_and_errors_only():
    """config, corpus and model could be used without each other."""
    for early in ("config", "corpus", "model"):
        known = {room_of(found.target) for found in ALL if found.room == early} - {None, early}
        allowed = {"secrets", "foreign", "streams", "errors", "spacy_names", "registry", "files"}
        allowed |= {"bounded_yaml", "blocks", "language"} if early == "config" else set()
        allowed |= {"corpus"} if early == "model" else set()
        assert known <= allowed, (early, known)


def test_an_import_to_the_right_would_be_seen():
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import mlflow
def f():
    from ..training import loop
"""
    found = list(imports(PACKAGE / "corpus" / "imaginary.py", source))
    assert [one.target for one in found] == ["typing.TYPE_CHECKING", "runner.training.loop"]
    assert found[1].place == "runner/corpus/imaginary.py:6"
