"""The text of `python -m runner --help`: the template of conf/config.yaml, with the commands and config groups filled in.

The commands are read from the registry. A module of a command opens with the line that --help shows, and that line is read
without importing the module:

    \"\"\"`python -m runner compare RUN RUN…`: trained runs side by side, tested for significance

A command of a user's own is a function whose docstring opens in the same way: `RUN RUN…: what it does`.
"""

from __future__ import annotations

import importlib.util
import re
import string
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner import registry
from runner.config.conf_folder import conf_dir
from runner.config.nodes import compose_node
from runner.foreign import shown
from runner.user_code import load_code

WIDTH = 79  # characters of a line: one less than a small terminal has
_OPENING = re.compile(r'"""`python -m runner (?P<words>[^`]+)`: (?P<about>[^"]+)')
_NAMES = 12  # characters of the column of names of config groups
_HALF = 41  # where a line's second group begins


class Listed(NamedTuple):
    """A command as --help lists it."""

    words: str  # "compare RUN RUN…"
    about: str  # "trained runs side by side, tested for significance"


def listed_commands() -> Iterator[Listed]:
    """Every registered command: the project's in the registry's order, then those of users and installed packages."""
    for name, module in registry.commands.mains.items():
        yield _opening(module) or Listed(name, "")
    for name in registry.commands.names():
        if name not in registry.commands.mains:
            first = (registry.commands.get(name).__doc__ or "").strip().partition("\n")[0]
            words, colon, about = first.partition(": ")
            yield Listed(f"{name} {words}", about) if colon else Listed(name, first)


def _opening(module: str) -> Listed | None:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    try:
        with Path(spec.origin).open(encoding="utf8") as file:
            match = _OPENING.match(file.readline())
    except OSError:
        return None
    return Listed(match["words"], match["about"].strip().rstrip(".")) if match else None


def help_text(overrides: Sequence[str], config_dir: str | None) -> str:
    """`hydra.help.template`, filled in.

    overrides, config_dir: of the command line. Hydra's own `--help` copies its whole repository once for each group, which takes
    longer than all the rest. Raises RunnerError where the config or the files of `code` cannot be read.
    """
    from omegaconf import OmegaConf

    node = compose_node(overrides, config_dir)
    load_code(str(path) for path in node.code or ())
    folders = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    names = [name for name in reversed(list(node.hydra.runtime.choices)) if "/" not in name]  # as in config.yaml
    template = str(node.hydra.help.template)
    config = ""
    if "$CONFIG" in template:
        del node["hydra"]
        config = OmegaConf.to_yaml(node)
    filled = {"APP_CONFIG_GROUPS": _groups(folders, names), "COMMANDS": _commands(), "CONFIG": config}
    return string.Template(template).safe_substitute(filled).rstrip()


def _commands() -> str:
    """A line a command; what does not fit the line goes on under itself."""
    commands = list(listed_commands())
    column = min(max(len(one.words) for one in commands) + 2, 28)
    lines = []
    for one in commands:
        words, about = shown(one.words), shown(one.about)
        gap = " " * max(column - len(words), 2)
        lines += textwrap.wrap(words + gap + about, WIDTH - 2, subsequent_indent=" " * column) or [words]
    return "\n  ".join(lines)


def _groups(folders: Sequence[Path], chosen: Sequence[str]) -> str:
    """The files of each group; groups with little text share a line. chosen: groups in the order of config.yaml."""
    names = [
        *chosen,
        *sorted({entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()} - {*chosen}),
    ]
    options = {
        name: ", ".join(sorted({file.stem for folder in folders for file in (folder / name).glob("[!_]*.yaml")}))
        for name in names
    }
    lines: list[str] = []
    half = None  # index of the last line with room for one more group
    for text in (f"{name:<{_NAMES}}{options[name]}" for name in names):
        if half is not None and _HALF + len(text) <= WIDTH - 2:
            lines[half] = f"{lines[half]:<{_HALF}}{text}"
            half = None
            continue
        lines += textwrap.wrap(text, WIDTH - 2, subsequent_indent=" " * _NAMES, break_long_words=False)
        if half is None and len(text) < _HALF - 1:
            half = len(lines) - 1
    return "\n  ".join(lines)
