"""`python -m runner debug [KEY=VALUE…]`: what a run would see, and what it would cost.

    python -m runner debug corpus=wnut17                      sizes, labels, faults, and what an epoch would cost
    python -m runner debug -m optimizer=adam,radam seed=0,1   every job of a multirun, composed and rehearsed
    python -m runner debug corpus=wnut17 --json               the same as one JSON object

Nothing is trained, written or tracked. Exit codes: 0; 1 if the run would fail (see findings.py) or
its data cannot be read; 2 if the config itself is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import srsly

from runner.config.compose import compose
from runner.config.mistyped import of_command
from runner.errors import RunnerError
from runner.launch.command_line import parse_arguments
from runner.user_code import code_error

HELP = """\
usage: python -m runner debug [KEY=VALUE ...] [-m] [--config-dir DIR] [--json]

Show what a run with these settings would see: sizes, labels, faults of the
data, time and memory of an epoch. Nothing is trained, written or tracked.

  python -m runner debug corpus=wnut17
  python -m runner debug -m optimizer=adam,radam seed=0,1

options:
  -m, --multirun     every job of a multirun: composed, built, and rehearsed on
                     a few texts
  --config-dir DIR   adds your folder of configs
  --json             print one JSON object

Exit codes: 0 nothing stops the run, 1 something would (the last section says
what), 2 the config is wrong."""

_UNSUPPORTED = ("cfg", "info", "shell_completion", "hydra_help", "run", "resolve", "package", "version")


def main(words: Sequence[str]) -> int:
    """Run `debug` with these command-line arguments, and return the exit code."""
    as_json = "--json" in words
    try:
        return _main([word for word in words if word != "--json"], as_json=as_json)
    except RunnerError as raised:
        error = of_command(raised, "debug")
        if as_json:
            told = {"place": error.place, "message": error.fact, "hint": error.hint}
            print(srsly.json_dumps({"ok": False, "error": told}))
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        known = code_error(error)
        if known is None:
            raise
        print(known, file=sys.stderr)
        return known.exit_code
    except KeyboardInterrupt:
        print("runner: interrupted", file=sys.stderr)
        return 130


def _main(words: Sequence[str], *, as_json: bool) -> int:
    _, arguments = parse_arguments(words)
    if arguments.help:
        print(HELP)
        return 0
    for name in _UNSUPPORTED:
        if getattr(arguments, name, None):
            raise RunnerError(
                "debug does not take it", place=f"--{name.replace('_', '-')}", hint="Leave debug out, or the option."
            )
    from runner.config.own_files import with_own_files
    from runner.launch.initial import with_pipeline_of_model

    arguments.overrides = with_own_files(with_pipeline_of_model(arguments.overrides, arguments.config_dir))
    from runner.commands.debug.lines import run_lines, sweep_lines
    from runner.commands.debug.report import run_report, sweep_report

    if arguments.multirun or arguments.config_dir or any("hydra.mode" in word for word in arguments.overrides):
        report = sweep_report(arguments.overrides, arguments.config_dir, is_multirun=arguments.multirun)
        if report is not None:
            print(srsly.json_dumps(report) if as_json else "\n".join(sweep_lines(report)))
            return 0 if report["ok"] else 1
    config = compose(arguments.overrides, arguments.config_dir)
    report = run_report(config)
    print(srsly.json_dumps(report) if as_json else "\n".join(run_lines(report)))
    return 0 if report["ok"] else 1
