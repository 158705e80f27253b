"""Every entry of every registry: its arguments with types and defaults, and its docstring."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from generator.keys import as_yaml
from generator.markdown import code, directive, docstring, table
from runner import blocks, registry

MEANING = {
    "components": "What a pipeline is made of: `pipeline.components.NAME={type: …}`.",
    "tok2vecs": "Token vectors: `tok2vec.type`, shared by components as `${tok2vec}`.",
    "vectors": "Word vectors in the embedding: `vectors.type`.",
    "classifiers": "Architectures of a text classifier: `pipeline.components.textcat.architecture`.",
    "optimizers": "What turns gradients into updates: `optimizer.type`.",
    "schedules": "Values that change with the step, wherever a number may be scheduled. [Drawn](../schedules.md).",
    "batchers": "How examples become batches: `batch.type`.",
    "readers": "Formats that corpora are read from: `corpus.reader.type`, and `--from` of commands.",
    "writers": "Formats that are written: `--to` of `convert`, `--format` of `predict`.",
    "tokenizers": "What splits raw text into words: `pipeline.tokenizer.type`.",
    "trackers": "Where a run's metrics go: `tracking.type`.",
    "augmenters": "Changes to the training examples, on the fly: `augmenters.NAME={type: …}`.",
    "commands": "Commands of one's own; the project's stand in [commands](../commands.md).",
}


def pages() -> dict[str, str]:
    """Kind of registry → its page."""
    return {"index": _index(), **{kind: _page(kind) for kind in registry.KINDS}}


def _index() -> str:
    return "\n\n".join(
        (
            "# Registry entries",
            "`type: NAME` in a block names an entry of a registry; its arguments are the further keys of the block. Entries of "
            "your own are added by a decorated function in a file named in `code` ([add your own](../../extending.md)).",
            "```{toctree}\n:maxdepth: 2\n:glob:\n\n*\n```\n",
        )
    )


def _page(kind: str) -> str:
    table_of_kind = registry.KINDS[kind]
    shown = [f"# {kind}", MEANING.get(kind, f"Entries of the kind {code(kind)}.")]
    names = [name for name in table_of_kind.names() if name not in table_of_kind.mains]
    if not names:
        shown.append("The project registers none: a file in `code` does ([add your own](../../extending.md)).")
    for name in names:
        factory = table_of_kind.get(name)
        body = docstring("\n\n".join(_texts(factory, kind)))
        rows = arguments(factory)
        shown.append(f"## {name}")
        given = table(("argument", "type", "default"), rows) or (
            "" if "no options" in body else "It takes no arguments."
        )
        shown.append(directive("entry", f"{kind}.{name}", f"{body}\n\n{given}"))
    return "\n\n".join(shown) + "\n"


def _texts(factory: Callable[..., Any], kind: str) -> list[str]:
    """The factory's docstring, and that of its module where the module makes nothing else of the kind."""
    module = inspect.getmodule(factory)
    others = [
        name for name in registry.KINDS[kind].names() if registry.KINDS[kind].get(name).__module__ == factory.__module__
    ]
    about = module.__doc__ if module is not None and len(others) == 1 else None
    return [text for text in (inspect.getdoc(factory), inspect.cleandoc(about or "")) if text]


def arguments(factory: Callable[..., Any]) -> list[tuple[str, str, str]]:
    """Name, type and default of each argument that a block may set, as Markdown."""
    hints = blocks._hints(factory)
    rows = []
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.name == "name":  # the code gives it: the component's key
            continue
        default = "required" if parameter.default is parameter.empty else code(_default(parameter.default))
        rows.append((code(parameter.name), _type_text(hints.get(parameter.name, Any)), default))
    return rows


def _default(value: Any) -> str:
    return as_yaml(dict(value) if hasattr(value, "keys") else value)


def _type_text(hint: Any) -> str:
    block = blocks._block_of(hint)
    optional = " or null" if type(None) in typing.get_args(hint) else ""
    if block is not None:
        bare = {"schedules": "number or block of ", "vectors": "path or block of "}.get(block.kind, "block of ")
        return f"{bare}[{block.kind}]({block.kind}.md){optional}"
    if hint is Any:
        return "any value"
    return blocks._described(hint).removeprefix("a ").replace(" or a ", " or ")
