"""The order of the rooms, read from their imports: each knows the ones to its left and none to its right.

    secrets, foreign, streams, progress → errors → files, registry, blocks → notebook → config → corpus → model → components
        → training → tracking → launch → compare → inspect → handover → assemble → commands → api

No modules import each other in a circle. Imports inside functions and under `if TYPE_CHECKING:` count in both tests. The
registry names modules of other rooms in strings and imports them at the first look-up; that is its purpose, and is not seen
here.
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
    "progress",
    "errors",
    "spacy_names",
    "synonyms",
    "files",
    "registry",
    "bounded_yaml",
    "user_code",
    "blocks",
    "languages",
    "notebook",
    "signals",
    "config",
    "corpus",
    "model",
    "components",
    "training",
    "tracking",
    "launch",
    "compare",
    "inspect",
    "handover",
    "assemble",
    "commands",
    "api",
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
    """Every module that `source`, the text of the file `path`, imports."""
    file = path.relative_to(PACKAGE.parent).as_posix()
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    package = ["runner", *parts[:-1]]

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
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


ALL = [each for path in sorted(PACKAGE.rglob("*.py")) for each in imports(path, path.read_text(encoding="utf8"))]


def room_of(target: str) -> str | None:
    """The room that a dotted name of ours lies in; None for the package itself (`from runner import __version__`)."""
    parts = target.split(".")
    if parts[0] != "runner" or len(parts) < 2:
        return None
    return parts[1] if parts[1] in ORDER else None


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The strongly connected components, of two nodes or more, of the graph in which each key points to the nodes in its set."""
    reach = {node: set(edges[node]) for node in edges}
    for middle in edges:
        for node in edges:
            if middle in reach[node]:
                reach[node] |= reach[middle]
    together = {frozenset(other for other in reach[node] if node in reach[other]) for node in edges}
    return {circle for circle in together if len(circle) > 1}


def module_edges() -> dict[str, set[str]]:
    """Each of our modules → the modules of ours that it imports; `runner` itself and `runner.__main__` left out."""
    names = {}
    for path in PACKAGE.rglob("*.py"):
        file = path.relative_to(PACKAGE.parent)
        if file.as_posix() not in FREE:
            names[file.as_posix()] = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    edges: dict[str, set[str]] = {name: set() for name in names.values()}
    for each in ALL:
        if each.file in names:
            target = each.target if each.target in edges else each.target.rpartition(".")[0]
            edges[names[each.file]] |= {target} & set(edges)
    return edges


def test_every_room_has_its_place_in_the_order():
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}
    assert rooms - {"__init__", "__main__"} <= set(ORDER)


def test_imports_go_leftwards():
    wrong = [
        f"{each.place} imports {each.target}"
        for each in ALL
        if each.file not in FREE
        and (room := room_of(each.target)) is not None
        and ORDER.index(room) > ORDER.index(each.room)
        and (each.file, each.target) not in EXCEPTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle():
    unknown = circles(module_edges())
    assert not unknown, "\n".join(" ↔ ".join(sorted(circle)) for circle in unknown)


def test_a_circle_would_be_seen():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a", "e"}}
    assert circles(edges) == {frozenset("abc"), frozenset("de")}


@pytest.mark.parametrize(("library", "rooms"), OWNED.items())
def test_a_library_is_imported_in_its_own_rooms_only(library, rooms):
    users = [each for each in ALL if each.target.split(".")[0] == library]
    assert users
    wrong = [f"{each.place} imports {each.target}" for each in users if each.room not in rooms]
    assert not wrong, "\n".join(wrong)


def test_components_know_nothing_of_the_config():
    known = {room_of(each.target) for each in ALL if each.room == "components"}
    assert "config" not in known


def test_the_early_rooms_know_registry_and_errors_only():
    """config, corpus and model could be used without each other."""
    for early in ("config", "corpus", "model"):
        known = {room_of(each.target) for each in ALL if each.room == early} - {None, early}
        allowed = {"secrets", "foreign", "streams", "progress", "errors", "spacy_names", "registry", "files"}
        allowed |= {"bounded_yaml", "user_code", "blocks", "languages", "synonyms"} if early == "config" else set()
        allowed |= {"corpus"} if early == "model" else set()
        allowed |= {"notebook"} if early == "corpus" else set()
        assert known <= allowed, (early, known)


def test_an_import_to_the_right_would_be_seen():
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import mlflow
def f():
    from ..training import loop
"""
    late = list(imports(PACKAGE / "corpus" / "imaginary.py", source))
    assert [each.target for each in late] == ["typing.TYPE_CHECKING", "mlflow", "runner.training.loop"]
    assert late[2].place == "runner/corpus/imaginary.py:6"
