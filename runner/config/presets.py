"""Find the fault in the file of a preset (`experiment=NAME`) that Hydra could not compose, by reading the file.

A preset is a mapping, its first line is '# @package _global_', its keys are nested, and its defaults choose files of groups
as in `override /optimizer: radam`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from runner.bounded_yaml import MAX_BYTES, read
from runner.errors import RunnerError
from runner.files import read_file

HEADER = "# @package _global_"
_GROUP = "experiment"


def preset_fault(overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError | None:
    """The fault of the first faulty preset that these overrides name; None if all look right or do not exist."""
    for name in _names(overrides):
        if config_dir is not None:
            path = Path(config_dir) / _GROUP / f"{name}.yaml"
            fault = _fault(path) if path.is_file() else _misplaced(Path(config_dir), name)
            if fault is not None:
                return fault
    return None


def _names(overrides: Sequence[str]) -> Iterator[str]:
    for word in overrides:
        key, _, value = word.lstrip("+").partition("=")
        if key == _GROUP:
            yield from re.findall(r"[\w./-]+", value)


def _misplaced(folder: Path, name: str) -> RunnerError | None:
    """The error of a preset that lies in another folder or ends in .yml; None if there is no such file."""
    wanted = folder / _GROUP / f"{name}.yaml"
    for path in (folder / _GROUP / f"{name}.yml", folder / f"{name}.yaml", folder / f"{name}.yml"):
        if path.is_file():
            fact = (
                "a preset's name ends in .yaml" if path.parent.name == _GROUP else f"presets lie in a folder {_GROUP!r}"
            )
            return RunnerError(fact, place=str(path), hint=f"Move the file to {wanted}.")
    return None


def _fault(path: Path) -> RunnerError | None:
    try:
        raw = read_file(path)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # explain.py reports these errors themselves
    if len(raw) > MAX_BYTES:
        return None
    if text.startswith("\ufeff"):
        return RunnerError(
            "the preset begins with a byte order mark, which hides its first line",
            place=str(path),
            hint="Save the file as UTF-8 without it (BOM).",
        )
    if not re.sub(r"#.*", "", text).strip().strip("-").strip():
        return RunnerError(
            "the preset is empty", place=str(path), hint=f"Give it '{HEADER}' as its first line, then keys."
        )
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r" *\t", line) and line.strip():
            return RunnerError("a tab indents the line", place=f"{path}:{number}", hint="YAML is indented with spaces.")
    try:
        content = read(text)
    except (yaml.YAMLError, RunnerError, ValueError):
        return None
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a single value"
        return RunnerError(f"the preset is {kind}", place=str(path), hint="Write KEY: VALUE, such as 'seed: 5'.")
    first = text.split("\n", 1)[0].strip()
    if not re.fullmatch(r"#\s*@package\s+_global_", first):
        return RunnerError(
            "the file is not marked as a preset",
            place=str(path),
            hint=f"Make '{HEADER}' its first line, with nothing before it.",
        )
    return _keys_fault(content, path)


def _keys_fault(content: dict[object, object], path: Path) -> RunnerError | None:
    defaults = content.get("defaults")
    for item in defaults if isinstance(defaults, list) else ():
        for key, value in item.items() if isinstance(item, dict) else ():
            group = str(key).removeprefix("override ").strip()
            if group != _GROUP and not group.startswith("/"):
                hint = f"Write `override /{group}: {value}`, with a slash before the group."
                return RunnerError(f"the group in {str(key)!r} has no slash", place=f"{path}, defaults", hint=hint)
    stack: list[tuple[str, object]] = [("", content)]
    while stack:
        prefix, node = stack.pop()
        for key, value in node.items() if isinstance(node, dict) else ():
            if isinstance(key, str) and re.fullmatch(r"\w+(\.\w+)+", key) and "labels" not in prefix:
                outer, _, inner = key.partition(".")
                hint = f"Nest it: `{outer}:` and, indented on the next line, `{inner}: {value}`."
                if "." in inner:
                    hint = f"Nest it: each part of {key!r} on a line of its own, indented under the one before."
                return RunnerError(f"{prefix + key!r} is a dotted key", place=str(path), hint=hint)
            stack.append((f"{prefix}{key}.", value))
    return None
