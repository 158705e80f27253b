"""`python -m runner [COMMAND] key=value ...`: find the command, hand it the rest.

`train` is meant where no command is named. Commands are imported when their work begins, so that --help is quick.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import RunnerError, suggest

if TYPE_CHECKING:
    from runner.config.schema import RunConfig

COMMANDS = {"train": "runner.commands.train"}  # take overrides
PROGRAMS = {  # take flags of their own
    "bootstrap": "runner.commands.bootstrap",
    "convert": "runner.commands.convert",
    "debug": "runner.commands.debug",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the program's own); the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = "train"
    if words and words[0].isidentifier():
        command = words.pop(0)
    if command in PROGRAMS:
        exit_code: int = importlib.import_module(PROGRAMS[command]).main(words)
        return exit_code
    if command not in COMMANDS:
        hint = "python -m runner pipeline=ner optimizer=adam trains; see python -m runner --help."
        print(
            RunnerError(f"unknown command; {suggest(command, [*COMMANDS, *PROGRAMS])}", place=command, hint=hint),
            file=sys.stderr,
        )
        return RunnerError.exit_code

    from runner.config.compose import run_app

    def job(config: RunConfig) -> Any:
        return importlib.import_module(COMMANDS[command]).run(config)

    preflight: Any = None  # made for the first job of a multirun; others need none

    def check(config: RunConfig) -> None:
        nonlocal preflight
        if preflight is None:
            preflight = importlib.import_module("runner.commands.preflight").Preflight()
        preflight(config)

    return run_app(words, job, check)


if __name__ == "__main__":
    sys.exit(main())
