"""Every public name of the package `runner`: functions with their signatures, classes with their methods."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import runner
from generator.markdown import block, code, directive, docstring

_LINE = 88


def page() -> str:
    """The page of `import runner`."""
    shown = [
        "# Every Python name",
        "What `import runner` gives, with signatures and docstrings; how it is used: [from Python](../python.md). Arrays are "
        "numpy's. A fault of the caller's raises {api}`runner.RunnerError`, whose text names place, fact and next move.",
    ]
    for name in runner.__all__:
        shown += [f"## {name}", *_told(getattr(runner, name), f"runner.{name}")]
        if inspect.isclass(getattr(runner, name)):
            shown += _members(getattr(runner, name), name)
    return "\n\n".join(shown) + "\n"


def members(kind: type) -> list[tuple[str, Any]]:
    """The public methods and properties of a class that have a docstring, those of its own base classes among them."""
    found = []
    for name in dict.fromkeys(name for base in kind.__mro__ for name in vars(base)):
        value = inspect.getattr_static(kind, name)
        home = inspect.unwrap(value.fget if isinstance(value, property) else getattr(value, "__func__", value))
        is_ours = str(getattr(home, "__module__", "")).startswith("runner")
        if is_ours and not name.startswith("_") and inspect.getdoc(value) and not isinstance(value, type):
            found.append((name, value))
    return found


def _members(kind: type, owner: str) -> Iterator[str]:
    for name, value in members(kind):
        yield from _told(value, f"runner.{owner}.{name}")


def _told(value: Any, name: str) -> Iterator[str]:
    text = docstring(inspect.getdoc(value) or "")
    yield directive("api", name, f"{_signature(value, name.rpartition('.')[2])}\n\n{text}")


def _signature(value: Any, name: str) -> str:
    """The call as Python writes it, folded if it is long; of a property its name."""
    if isinstance(value, property):
        return f"A property: {code(name)}."
    try:
        signature = inspect.signature(getattr(value, "__func__", value))
    except (TypeError, ValueError):
        return ""
    parts = [
        str(parameter).replace("'", "")
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    kinds = [parameter.kind for parameter in signature.parameters.values() if parameter.name not in ("self", "cls")]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parts.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    back = (
        ""
        if signature.return_annotation is signature.empty or inspect.isclass(value)
        else f" -> {signature.return_annotation}"
    )
    line = f"{name}({', '.join(parts)}){back}".replace("'", "")
    if len(line) > _LINE:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){back}"
    return block(line, "python")
