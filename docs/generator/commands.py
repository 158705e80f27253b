"""Every command with its usage, its help and its options, read from its own parser."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import re
from collections.abc import Iterator, Mapping
from unittest import mock

from generator.markdown import block, directive, plain
from runner import __main__ as program
from runner import registry
from runner.config.conf_folder import conf_dir

_WIDTH = 80
_NOTHING: Mapping[str, str] = {}
_HYDRA = {  # what Hydra's options mean here; its own texts speak of its insides, or of where it is installed
    "help": "Show what can be chosen and set, and exit.",
    "hydra_help": "Show Hydra's own help, and exit.",
    "version": "Show the version, and exit.",
    "overrides": "`GROUP=OPTION`, `KEY=VALUE`, `+KEY=VALUE`, `~KEY`; with `-m` also values that commas separate.",
    "cfg": "Show the composed config in place of running it: `job` (the run's keys), `hydra` (Hydra's), or `all`.",
    "resolve": "With `--cfg`: show values in place of `${…}`.",
    "package": "With `--cfg`: show this part of the config alone, such as `-p optimizer`.",
    "run": "One run (the default).",
    "multirun": "A run for each combination of values that commas separate.",
    "config_path": "A folder of configs in the place of the project's.",
    "config_name": "A file in the place of config.yaml.",
    "config_dir": "A folder of configs beside the project's; what it holds comes first.",
    "info": "Show how Hydra came to its config: its plugins, its search path, its list of defaults.",
}
_REFUSED = ("experimental_rerun", "shell_completion")  # options of Hydra's that the program answers with an error


def page() -> str:
    """All commands on one page."""
    shown = [
        "# Every command",
        "Written from the commands' own parsers: `python -m runner COMMAND --help` says the same. "
        "What they answer, with examples: [commands](../commands.md).",
        *_train(),
        *_pretrain(),
    ]
    for name in sorted(registry.commands.mains.keys() - {"train", "pretrain"}):
        shown += _program(name)
    return "\n\n".join(shown) + "\n"


def parser_of(command: str) -> argparse.ArgumentParser | None:
    """The parser that answers `COMMAND --help`; None if the command prints a text of its own."""
    asked: list[argparse.ArgumentParser] = []

    def noted(self: argparse.ArgumentParser, file: object = None) -> None:
        asked.append(self)

    module = importlib.import_module(registry.commands.mains[command])
    with mock.patch.object(argparse.ArgumentParser, "print_help", noted), contextlib.redirect_stdout(io.StringIO()):
        module.main(["--help"])
    return asked[0] if asked else None


def help_of(command: str) -> str:
    """What `python -m runner COMMAND --help` prints."""
    printed = io.StringIO()
    with mock.patch.dict("os.environ", COLUMNS=str(_WIDTH)), contextlib.redirect_stdout(printed):
        program.main([command, "--help"])
    return printed.getvalue()


def _program(name: str) -> Iterator[str]:
    yield f"## {name}"
    parser = parser_of(name)
    if parser is None:
        yield from _told(name)
        return
    usage = re.sub(r"\s+", " ", parser.format_usage()).removeprefix("usage: ")
    yield block(usage, is_wrapped=True)
    yield block(str(parser.description or ""), is_wrapped=True)
    yield f"{_program_mark(name)}\n"
    yield from _options(parser)


def _told(name: str) -> Iterator[str]:
    """A command without a parser of its own: its help, and the options that the help names at the start of a line."""
    text = help_of(name)
    yield block(text, is_wrapped=True)
    yield f"{_program_mark(name)}\n"
    for names, meaning in re.findall(r"^ +(-[^\n]*?)  +(\S.*)$", text, re.M):
        yield directive("option", names, plain(meaning))


def _program_mark(name: str) -> str:
    """What the options after it belong to: {option}`evaluate --split` leads to one."""
    return f"```{{program}} {name}\n```"


def _options(parser: argparse.ArgumentParser, texts: Mapping[str, str] = _NOTHING) -> Iterator[str]:
    """The options of a parser. texts: of an action (by `dest`) in the place of its help."""
    for action in parser._actions:
        if action.help is argparse.SUPPRESS or action.dest in _REFUSED:
            continue
        value = _value_of(action) if action.nargs != 0 else ""
        names = ", ".join(f"{name} {value}".strip() for name in action.option_strings) or value
        told = texts[action.dest] if action.dest in texts else plain(_help_of(action, parser))
        yield directive("option", names, told[:1].upper() + told[1:])


def _value_of(action: argparse.Action) -> str:
    if action.metavar is None and action.choices is not None:
        return f"{{{','.join(map(str, action.choices))}}}"
    return str(action.metavar or action.dest.upper())


def _help_of(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = str(action.help or "")  # Hydra's is an object that becomes text late
    return (text % {**vars(action), "prog": parser.prog} if "%(" in text else text).replace("%%", "%")


def _train() -> Iterator[str]:
    """Training has no name of its own; its options are Hydra's."""
    from runner.launch.command_line import parse_arguments

    yield "## train"
    yield block("python -m runner [train] [GROUP=OPTION ...] [KEY=VALUE ...] [-m] [--config-dir DIR]", is_wrapped=True)
    folders = sorted(folder.name for folder in conf_dir().iterdir() if folder.is_dir())
    groups = ", ".join(f"[{name}](groups/{name}.md)" for name in folders)
    yield (
        "Without the name of a command, the words are for `train`, and the name may stand there: a run, or with `-m` one run for "
        f"each combination of values. [Groups](groups/index.md): {groups}, [hydra/sweeper](groups/hydra.md). [Keys](keys.md): "
        "`GROUP.KEY=VALUE` sets a key, `+KEY=VALUE` adds one inside a block, `~KEY` deletes one. "
        "The options are Hydra's; what Hydra needs for its own purposes alone is in its documentation."
    )
    yield f"{_program_mark('train')}\n"
    parser, _ = parse_arguments([])
    yield from _options(parser, _HYDRA)


def _pretrain() -> Iterator[str]:
    yield "## pretrain"
    yield block(help_of("pretrain"), is_wrapped=True)
