"""What the words of a command line say before Hydra composes anything: options, help, repeats, where notes go.

Hydra's parser is taken from `hydra._internal` because `hydra.main` reads sys.argv and prints usage texts; the dependency is
bounded to 1.3.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runner import __version__
from runner.config.conf_folder import conf_dir
from runner.config.nodes import compose_node
from runner.errors import RunnerError
from runner.launch.folders import NOTES_FOLDER

if TYPE_CHECKING:
    from omegaconf import ListConfig


def parse_arguments(argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """Hydra's parser, and what it makes of the command line. Raises RunnerError where it cannot be read."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    for action in parser._actions:
        if "--version" in action.option_strings:
            action.version = f"declarative-runner {__version__}"  # type: ignore[attr-defined]
    parser.error = _refuse  # type: ignore[method-assign]
    arguments = parser.parse_intermixed_args(list(argv))
    if arguments.experimental_rerun is not None:
        raise RunnerError(
            "rerunning from a pickle is not supported",
            place="--experimental-rerun",
            hint="Give the overrides again; they lie in .hydra/overrides.yaml of the run folder.",
        )
    return parser, arguments


def _refuse(message: str) -> NoReturn:
    raise RunnerError(message, place="command line", hint="See python -m runner --help.")


def asks_for_repeats(words: Sequence[str]) -> bool:
    """Whether the words say `repeat=5` or the like, which makes one run a multirun."""
    return any(word.removeprefix("repeat=") not in (word, "1") for word in words)


def notes_folder(words: Sequence[str]) -> str | None:
    """Where `hydra.output_subdir` puts Hydra's notes, as a path in the run's folder; None: the user wants no notes."""
    given = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("hydra.output_subdir=")]
    return (given[-1] if given[-1] != "null" else None) if given else NOTES_FOLDER


def words_of(overrides: ListConfig | list[str]) -> list[str]:
    """Hydra's list of overrides as it was written: a ${…} in it cannot be resolved in that place."""
    from omegaconf import OmegaConf

    return [str(word) for word in OmegaConf.to_container(overrides, resolve=False) or ()]


def help_text(overrides: Sequence[str], config_dir: str | None) -> str:
    """`hydra.help.template`, filled in.

    Hydra's own `--help` copies its whole repository once for each group, which takes longer than all the rest.
    """
    import string
    import textwrap

    from omegaconf import OmegaConf

    node = compose_node(overrides, config_dir)
    folders = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    names = [name for name in reversed(list(node.hydra.runtime.choices)) if "/" not in name]  # as in config.yaml
    names += sorted({entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()} - set(names))
    lines = []
    for name in names:
        options = sorted({file.stem for folder in folders for file in (folder / name).glob("*.yaml")})
        line = f"{name:<12}{', '.join(options)}"
        lines += textwrap.wrap(line, 100, subsequent_indent=" " * 12, break_long_words=False)
    template = str(node.hydra.help.template)
    config = ""
    if "$CONFIG" in template:
        del node["hydra"]
        config = OmegaConf.to_yaml(node)
    groups = "\n  ".join(lines)
    return string.Template(template).safe_substitute(APP_CONFIG_GROUPS=groups, CONFIG=config).rstrip()
