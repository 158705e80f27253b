"""What the words of a command line say before Hydra composes anything: options, repeats, where notes go.

Hydra's parser is taken from `hydra._internal` because `hydra.main` reads sys.argv and prints usage texts; the dependency is
bounded to 1.3.
"""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from runner import __version__
from runner.config.mistyped import mistyped
from runner.errors import RunnerError
from runner.launch.folders import NOTES_FOLDER

if TYPE_CHECKING:
    from omegaconf import ListConfig


def parse_arguments(argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """Hydra's parser, and what it makes of the command line. Raises RunnerError where it cannot be read."""
    parser = _hydras_parser()
    for action in parser._actions:
        if "--version" in action.option_strings:
            action.version = f"declarative-runner {__version__}"  # type: ignore[attr-defined]
    options = {option for action in parser._actions for option in action.option_strings}

    def refuse(message: str) -> NoReturn:
        slip = mistyped(argv, options)
        raise slip or RunnerError(message, place="command line", hint="See python -m runner --help.")

    parser.error = refuse  # type: ignore[method-assign]
    arguments = parser.parse_intermixed_args(list(argv))
    if arguments.experimental_rerun is not None:
        raise RunnerError(
            "rerunning from a pickle is not supported",
            place="--experimental-rerun",
            hint="Give the overrides again; they lie in .hydra/overrides.yaml of the run folder.",
        )
    if (
        arguments.shell_completion
    ):  # Hydra's script calls `python -m runner` as a file of that name, which does not exist
        hint = 'Write eval "$(runner completion bash)"; runner completion --help tells of zsh and fish.'
        raise RunnerError("Hydra's completion does not know this program", place="--shell-completion", hint=hint)
    if arguments.package and not arguments.cfg:
        hint = "Leave it out; a pipeline is chosen by pipeline=NAME."
        raise RunnerError("is for --cfg", place="--package", hint=hint)
    return parser, arguments


class _PlainHelp(ArgumentParser):
    """A parser whose options' helps are texts.

    Hydra 1.3 gives `--shell-completion` an object that makes its help when it is printed; from Python 3.14 on, argparse looks
    into each help at once, and fails (https://github.com/hydra-ecosystem/hydra/issues/3121).
    """

    def add_argument(self, *names: Any, **given: Any) -> Action:
        if not isinstance(given.get("help", ""), str):
            given["help"] = "refused: a shell's completion is a command"
        return super().add_argument(*names, **given)


def _hydras_parser() -> ArgumentParser:
    from hydra._internal import utils

    original = utils.argparse
    utils.argparse = SimpleNamespace(ArgumentParser=_PlainHelp)  # type: ignore[assignment]
    try:
        return utils.get_args_parser()
    finally:
        utils.argparse = original


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
