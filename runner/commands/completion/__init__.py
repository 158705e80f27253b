"""`python -m runner completion SHELL`: a script that completes commands, groups and keys.

The scripts beside this file ask `completion --words WORD…` for the completions of the last word. Neither Hydra nor a model is
imported for the answer, which takes a fraction of a second.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner import registry
from runner.commands.flags import FlagParser, exit_code
from runner.config import schema
from runner.config.conf_folder import conf_dir
from runner.errors import RunnerError

HELP = """\
Print a script that completes commands, groups, choices, keys and options
behind `runner` and behind `python -m runner`.

  bash   eval "$(runner completion bash)"  in ~/.bashrc
  zsh    eval "$(runner completion zsh)"   in ~/.zshrc, after compinit
  fish   runner completion fish > ~/.config/fish/completions/runner.fish

Behind `python`, other modules and scripts are completed as file names.
Hydra's own script (-sc install=bash) does not know `python -m runner`.
Exit codes: 0 done, 2 there is no such shell."""

SHELLS = ("bash", "zsh", "fish")
_RUNS = ("train", "pretrain", "debug", "rerun")  # commands that take overrides
_OPTIONS = ("--help", "--multirun", "-m", "--cfg", "--info", "--version", "--config-dir", "--hydra-help")
_VALUES = {"--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all"), "completion": SHELLS}
_HYDRA = ("hydra/sweeper=", "hydra/launcher=", "hydra.sweeper.n_trials=", "hydra.launcher.n_jobs=")
_CHOICES = {"hydra/sweeper": ("basic", "optuna"), "hydra/launcher": ("basic", "joblib", "submitit_slurm", "ray")}


def main(words: Sequence[str]) -> int:
    """Run `completion` with these words of the command line; the exit code."""
    if list(words[:1]) == ["--words"]:
        print("\n".join(completions(words[1:])))
        return 0
    return exit_code(lambda: _run(make_parser().parse_args(list(words))))


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner completion", description=HELP)
    parser.add_argument("shell", metavar="SHELL", help=", ".join(SHELLS))
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.shell not in SHELLS:
        hint = f"Known: {', '.join(SHELLS)}."
        raise RunnerError(f"there is no script for {options.shell!r}", place="completion", hint=hint)
    print((Path(__file__).parent / f"completion.{options.shell}").read_text(encoding="utf8"), end="")


def completions(words: Sequence[str]) -> list[str]:
    """What the last of the words behind the program's name may become; empty where a file name is asked for.

    >>> completions(["optimizer=a"]), completions(["eval"])
    (['optimizer=adam'], ['evaluate'])
    """
    *before, word = words or [""]
    if before and before[-1] in _VALUES and not word.startswith("-"):
        return _starting(_VALUES[before[-1]], word)
    command = next((one for one in before if one in registry.commands.mains), None)
    if command is not None and command not in _RUNS:
        return _starting(_flags(registry.commands.mains[command]), word) if word.startswith("-") else []
    if word.startswith("-"):
        return _starting(_OPTIONS, word)
    folders = [conf_dir(), *_config_dirs(before)]
    if "=" in word:
        return _starting(_values(word, folders), word)
    sign = word[:1] if word[:1] in ("+", "~") else ""
    commands = registry.commands.mains if not before else ()
    keys = [f"{sign}{key}" for key in _next_parts([*_keys(before, folders), *_HYDRA], word[len(sign) :])]
    return [*_starting(commands, word), *_starting(keys, word)]


def _starting(names: Sequence[str] | Mapping[str, Any], start: str) -> list[str]:
    return [name for name in names if name.startswith(start)]


def _config_dirs(before: Sequence[str]) -> list[Path]:
    """The folders that --config-dir names."""
    pairs = itertools.pairwise([*before, ""])
    return [Path(after) for word, after in pairs if word in ("--config-dir", "-cd") and Path(after).is_dir()]


def _values(word: str, folders: Sequence[Path]) -> list[str]:
    """`key=value` for each value of a group, of a key with a few values, or of one that is true or false."""
    key = word.partition("=")[0]
    bare = key.lstrip("+")
    entry = schema.manual_entry(bare)
    names = list(_CHOICES.get(bare, ())) or _options(bare, folders)
    if not names and entry is not None and entry.type.startswith("bool"):
        names = ["true", "false"]
    done = word.rpartition(",")[0]  # of several values, the last is completed
    start = f"{done}," if done else f"{key}="
    return [f"{start}{name}" for name in names]


def _options(group: str, folders: Sequence[Path]) -> list[str]:
    return sorted({file.stem for folder in folders for file in (folder / group).glob("[!_]*.yaml")})


def _keys(before: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Every key and group with its `=`, for the choices of these words."""
    groups = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()})
    keys = [f"{group}=" for group in groups]
    keys += [f"{entry.key}=" for entry in schema.manual() if entry.key not in groups]
    for group, name in _chosen(before, folders).items():
        for path in (folder / group / f"{name}.yaml" for folder in folders):
            if path.is_file() and group not in ("experiment", "variant", "augmenters"):
                keys += [f"{key}=" for key in _keys_in(path, group)]
    return list(dict.fromkeys(keys))


def _chosen(before: Sequence[str], folders: Sequence[Path]) -> dict[str, str]:
    """Group → the file that is chosen, by conf/config.yaml and by the words."""
    import yaml

    config = yaml.safe_load((folders[0] / "config.yaml").read_text(encoding="utf8"))
    named = [item for item in config["defaults"] if isinstance(item, dict)]
    chosen = {key: str(name) for item in named for key, name in item.items() if " " not in key}
    return chosen | dict(word.split("=", 1) for word in before if "=" in word)


def _keys_in(path: Path, group: str) -> Iterator[str]:
    """The dotted keys of a file of a group; none where the file cannot be read."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf8"))
    except (OSError, ValueError, yaml.YAMLError):
        return
    stack: list[tuple[str, Any]] = [(group, content)]
    while stack:
        prefix, node = stack.pop(0)
        for key, value in node.items() if isinstance(node, dict) else ():
            if key != "defaults":
                yield f"{prefix}.{key}"
                stack.append((f"{prefix}.{key}", value))


def _next_parts(keys: Sequence[str], word: str) -> list[str]:
    """The keys that start with the word, each up to its next dot.

    >>> _next_parts(["optimizer=", "optimizer.eps=", "optimizer.beta1=", "seed="], "o")
    ['optimizer=', 'optimizer.']
    """
    parts = []
    for key in keys:
        if key.startswith(word):
            dot = key.find(".", len(word))
            parts.append(key if dot < 0 else key[: dot + 1])
    return list(dict.fromkeys(parts))


def _flags(module: str) -> list[str]:
    """The long options of a command."""
    make = getattr(importlib.import_module(module), "make_parser", None)
    if make is None:
        return ["--help"]
    return sorted({one for action in make()._actions for one in action.option_strings if one.startswith("--")})
