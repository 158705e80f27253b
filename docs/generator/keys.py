"""Every key of the schema, and every option of every config group with the reasons that its file gives."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.markdown import block, code, directive, docstring, plain, table
from generator.yaml_comments import Parent, description, lines, parents
from runner.config import nodes, schema
from runner.config.conf_folder import conf_dir

PRESETS = ("experiment", "variant")  # their options are shown as they are written: each is a difference to the defaults
_SWEEPERS = (
    ("basic", nodes.GridKeys, "A grid: a job for every combination of values."),
    (
        "optuna",
        nodes.SearchKeys,
        "A search for the best score, by Optuna (extra `search`): each trial chooses its values by those before it.",
    ),
)
_PLAIN_TYPES = {
    "int": "whole number", "float": "number", "bool": "true or false", "str": "text", "Any": "any value",
    "list[str]": "list of texts", "dict[str, float]": "mapping of names to numbers",
}  # fmt: skip


def schema_page() -> str:
    """All keys of a run, section by section."""
    shown = [
        "# Every key",
        "The keys of a run with type, default and meaning, written from `runner/config/schema.py`. `null` is no value. "
        "A *block* is a mapping `{type: NAME, …}`: NAME is an [entry](entries/index.md) of the registry that the type links to, "
        "and decides which further keys the block takes. Defaults are those of the schema; the "
        "[config groups](groups/index.md) fill in more, and say why.",
    ]
    for section in sections():
        shown += [f"## {section.name or 'Keys of every run'}", plain(section.meaning)]
        shown += [_confval(entry) for entry in section.keys]
    return "\n\n".join(shown) + "\n"


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the schema. name: its key, "" for the keys at the root. meaning: of the dataclass's docstring."""

    name: str
    meaning: str
    keys: list[KeyEntry]


@dataclasses.dataclass(frozen=True)
class KeyEntry:
    """A key of the schema with the field that declares it."""

    key: str
    field: dataclasses.Field[Any]


def sections() -> list[Section]:
    """The sections of the schema, those keys first that belong to none."""
    root = Section("", inspect.getdoc(schema.RootConfig) or "", [])
    others = []
    for field in dataclasses.fields(schema.RootConfig):
        kind: Any = field.default_factory
        if dataclasses.is_dataclass(kind):
            entries = [KeyEntry(f"{field.name}.{inner.name}", inner) for inner in dataclasses.fields(kind)]
            others.append(Section(field.name, inspect.getdoc(kind) or "", entries))
        else:
            root.keys.append(KeyEntry(field.name, field))
    return [root, *others]


def group_pages() -> dict[str, str]:
    """Group of conf/ → its page; `hydra` is that of the sweepers."""
    texts = {folder.name: _group_page(folder) for folder in sorted(conf_dir().iterdir()) if folder.is_dir()}
    return {"index": _index(), **texts, "hydra": _hydra_page()}


def _index() -> str:
    return "\n\n".join(
        (
            "# Config groups",
            "`GROUP=OPTION` on the command line takes the file `conf/GROUP/OPTION.yaml`. Each key of the file stands here "
            "with its value and the reason that the file gives.",
            "```{toctree}\n:maxdepth: 2\n:glob:\n\n*\n```\n",
        )
    )


def _confval(entry: KeyEntry) -> str:
    meta = entry.field.metadata
    bounds = [f"at least {meta['low']}"] if meta["low"] is not None else []
    bounds += [f"at most {meta['high']}"] if meta["high"] is not None else []
    given = "; ".join(filter(None, [_type_text(entry.field), ", ".join(bounds)]))
    fields = f":Type: {given}\n:Default: {code(_default(entry.field))}"
    return directive("confval", entry.key, f"{_sentence(meta['meaning'])}\n\n{fields}")


def _type_text(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    if meta["one_of"]:
        names = " or ".join(code(name) for name in meta["one_of"])
        return f"{names} or `null`" if field.default is None else names
    if meta["block"]:
        many = "" if "name → block" not in meta["meaning"] else "mapping of names to blocks: "
        one = {"schedules": "number or block of "}.get(meta["block"], "block of " if not many else "")
        return f"{many}{one}[{meta['block']}](entries/{meta['block']}.md)"
    text = str(field.type)
    optional = re.fullmatch(r"Optional\[(.+)\]", text)
    return f"{_PLAIN_TYPES[optional[1]]} or `null`" if optional else _PLAIN_TYPES[text]


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return as_yaml(value)


def as_yaml(value: Any) -> str:
    """A plain value as a config writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {as_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    return str(value)


def _sentence(text: str) -> str:
    """A meaning as a sentence; the keys and values that it names are marked."""
    known = {entry.key for section in sections() for entry in section.keys if "." in entry.key}
    shown = plain(text[:1].upper() + text[1:] if not re.match(r"[a-z]+_|null|[a-z]+:", text) else text)
    shown = re.sub(r"(?<![`\w.])(null|true|false)(?=[:;,)]| \()", r"`\1`", shown)
    shown = re.sub(
        r"(?<![`\w.])[a-z]+\.[a-z0-9\\_]+",
        lambda word: f"{{confval}}`{name}`" if (name := word[0].replace("\\", "")) in known else word[0],
        shown,
    )
    return shown if shown.endswith(".") else shown + "."


def _group_page(folder: Path) -> str:
    group = folder.name
    section = next((section for section in sections() if section.name == group), None)
    field = next((entry.field for entry in sections()[0].keys if entry.key == group), None)
    shown = [f"# {group}=…"]
    if section is not None:
        shown += [plain(section.meaning), f"Types and ranges of its keys: [{group}](../keys.md#{group})."]
    elif field is not None:
        kind = field.metadata["block"]
        shown += [
            _sentence(field.metadata["meaning"]),
            f"Its keys are those of an entry of [{kind}](../entries/{kind}.md): more keys than an option sets may be added.",
        ]
    else:
        shown.append(
            "Presets: each sets keys of several groups at once, and is shown as it is written. What else the command line says "
            "comes after it, and wins."
        )
    default = _chosen().get(group)
    if default:
        shown.append(f"Default: [`{group}={default}`](#{group}{default}).")
    for path in sorted(folder.glob("[!_]*.yaml"), key=lambda path: (path.stem != default, path.stem)):
        shown += list(_option(path, group))
    return "\n\n".join(shown) + "\n"


def _option(path: Path, group: str) -> Iterator[str]:
    yield f"({group}={path.stem})=\n## {group}={path.stem}"
    yield docstring(description(path))
    if group in PRESETS:
        yield block(path.read_text(encoding="utf8").split("\n", 1)[1], "yaml")
        return
    above = parents(path)
    beside = [_link(parent, group) for parent in above if not parent.key]
    if beside:
        yield f"Beside the keys of {', '.join(beside)}:"
    rows = [row for parent in above if parent.key for row in _rows_of(parent, group)]
    rows += [(code(line.key), _value(line.value), plain(line.reason)) for line in lines(path)]
    yield "{.keys}\n" + table((f"key of {code(group)}", "value", "why"), rows) if rows else "It sets no key."


def _rows_of(parent: Parent, group: str) -> Iterator[tuple[str, str, str]]:
    """The rows of a file whose keys are put below a key: a link to an option, the keys themselves of a part (`_NAME`)."""
    if not parent.name.startswith("_"):
        yield code(parent.key), f"as {_link(parent, group)}", plain(parent.reason)
        return
    yield code(parent.key), "", plain(parent.reason)
    for line in lines(conf_dir() / (parent.group or group) / f"{parent.name}.yaml"):
        yield code(f"{parent.key}.{line.key}"), _value(line.value), plain(line.reason)


def _link(parent: Parent, group: str) -> str:
    own = parent.group or group
    page = "" if own == group else f"{own}.md"
    return f"[`{own}={parent.name}`]({page}#{own}{parent.name})"


def _value(text: str) -> str:
    """A value of a file; the environment variable that may give another one is named beside it."""
    for pattern in (r"\$\{oc\.decode:\$\{oc\.env:(\w+),([^}]*)\}\}", r"\$\{oc\.env:(\w+),([^}]*)\}"):
        given = re.fullmatch(pattern, text)
        if given:
            return f"{code(given[2])}, or environment variable {code(given[1])}"
    return code(text) if text else ""


def _chosen() -> dict[str, str]:
    """Config group → the option that a run takes when nothing is said."""
    text = (conf_dir() / "config.yaml").read_text(encoding="utf8")
    return {group: name for group, name in re.findall(r"^  - (\w+): (\w+)", text, re.M) if name != "null"}


def _hydra_page() -> str:
    shown = [
        "# hydra/sweeper=…",
        "How a multirun (`-m`) chooses its jobs. `hydra/launcher=…` chooses where they run: `joblib` (as many at once as "
        "there are cores; the default), `basic` (one after the other), `submitit_slurm` and `ray` (extras). "
        "See [many runs](../../sweeps.md).",
    ]
    for name, kind, about in _SWEEPERS:
        shown += [f"## hydra/sweeper={name}", about]
        source = dict(re.findall(r"^    (\w+): .*?  # (.*)$", inspect.getsource(kind), re.M))
        rows = [
            (code(f"hydra.sweeper.{field.name}"), code(_default(field)), plain(source.get(field.name, "")))
            for field in dataclasses.fields(kind)
            if not field.name.startswith("_")
        ]
        shown.append(table(("key", "default", "meaning"), rows))
    return "\n\n".join(shown) + "\n"
