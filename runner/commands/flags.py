"""What the subcommands with flags of their own share: a parser that raises RunnerError, and errors as exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from runner.errors import Interrupted, RunFailed, RunnerError
from runner.user_code import code_error

HELP_WIDTH = 79  # characters of a line of --help, however wide the terminal


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of a description, and breaks the lines of the flags at HELP_WIDTH."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=HELP_WIDTH)


class FlagParser(argparse.ArgumentParser):
    """argparse's parser, which raises RunnerError for a fault of the command line. Flags must be written out."""

    def __init__(self, *, prog: str, description: str, usage: str | None = None, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            usage=usage,
            epilog=epilog,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise RunnerError(message, place="command line", hint=f"See {self.prog} --help.")


def exit_code(run: Callable[[], int | None]) -> int:
    """Call `run` and return its exit code (None: 0).

    An error for the user, or one that a `code:` file has raised, is printed on stderr; its own code is returned.
    """
    try:
        code = run()
        sys.stdout.flush()
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        interrupted = error if isinstance(error, Interrupted) else Interrupted()
        print(f"runner: {interrupted}", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:  # the reader of our output has gone, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        known = code_error(error, RunFailed)
        if known is None:
            raise
        print(known, file=sys.stderr)
        return known.exit_code
    return code or 0
