"""The command line: argv → Hydra → a run for each config → exit code.

`run_app` is a Hydra program in all but its errors and tab completion (commands/completion): `--cfg`, `--info`, `--multirun`
and `--config-dir` are Hydra's own. A mistake of the user's ends in two lines and exit code 2; a failed job of a multirun does
not stop the others.

Hydra's starter is taken from `hydra._internal` because `hydra.main` reads sys.argv; the dependency is bounded to 1.3.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from runner.config.compose import job_error
from runner.config.conf_folder import CONFIG_NAME, conf_dir
from runner.config.nodes import hydra_set_aside, register
from runner.config.own_files import with_own_files
from runner.errors import Interrupted, RunnerError
from runner.launch.command_line import asks_for_repeats, notes_folder, parse_arguments
from runner.launch.folders import NO_NOTES
from runner.launch.runs import ASK_FOR_SWEEP, EXIT_BUG, Command, Runs
from runner.signals import raised


def run_app(argv: Sequence[str], command: Command) -> int:
    """Run `command` once for each config that the command line asks for; return the exit code.

    argv: without the program's name. Exit codes: 0 done, 1 a run failed, 2 config or data wrong, 130 Ctrl-C, 143 SIGTERM,
    129 SIGHUP; of a multirun the worst of its jobs. Messages go to stderr.
    """
    runs = Runs(command)

    def work() -> int:
        try:
            _start(argv, runs)
        finally:
            runs.print_failures()
        return runs.exit_code

    return _exit_code(work, lambda error: _report(error, argv))


def run_called(argv: Sequence[str], command: Command, called: str) -> Runs:
    """Run `command` for a function of Python's, and return its runs; of a sweep, failed jobs are in `failures`.

    called: the function, "train" or "sweep". Hydra's state, signal handlers and environment are afterwards what they were.
    Raises RunnerError, RunFailed where the one run failed, Interrupted at a signal.
    """
    runs = Runs(command, called=called)
    with raised(), hydra_set_aside():
        try:
            _start(argv, runs)
        except Exception as error:
            known = _explained(error, argv)
            if isinstance(known, RunnerError) and "--multirun" in (known.hint or ""):
                raise RunnerError(known.fact, place=known.place, hint=ASK_FOR_SWEEP) from error
            raise known from error
        finally:
            if runs.is_multirun:
                runs.print_failures()
    failed = next((failure.error for failure in runs.failures if failure.error is not None), None)
    if called == "train" and failed is not None:
        raise failed
    return runs


def run_alone(job: Callable[[], int]) -> int:
    """Run a job that makes its own config, with the signals and exit codes of `run_app`; return its exit code."""

    def report(error: Exception) -> int:
        known = job_error(error, None)
        if known is None:
            traceback.print_exc()
            return EXIT_BUG
        print(known, file=sys.stderr)
        return known.exit_code

    return _exit_code(job, report)


def _exit_code(work: Callable[[], int], report: Callable[[Exception], int]) -> int:
    """What `work` returns; where it is interrupted or fails, the code for that. report: prints an error, returns its code."""
    try:
        with raised():
            code = work()
            sys.stdout.flush()
            return code
    except KeyboardInterrupt as error:
        interrupted = error if isinstance(error, Interrupted) else Interrupted()
        print(f"runner: {interrupted}", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:  # the reader of our output has gone, as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        return report(error)


def _start(argv: Sequence[str], runs: Runs) -> None:
    """Hand the command line to Hydra, which calls `runs` with each config."""
    from runner.config.guard import guarded

    with _full_errors(), guarded():
        _start_hydra(argv, runs)


def _start_hydra(argv: Sequence[str], runs: Runs) -> None:
    from hydra import version
    from hydra._internal.utils import _run_hydra

    from runner.launch.initial import with_pipeline_of_model
    from runner.launch.sweepers import register_sweepers

    register()
    register_sweepers()
    version.setbase("1.3")
    try:
        parser, arguments = parse_arguments(argv)
        words = with_own_files(with_pipeline_of_model(arguments.overrides, arguments.config_dir))
        arguments.overrides = words
        runs.config_dir = arguments.config_dir
        arguments.multirun = arguments.multirun or asks_for_repeats(words)
        if arguments.help:
            from runner.launch.help import help_text

            print(help_text(words, arguments.config_dir))
            return
        if arguments.hydra_help:  # of Hydra's own config: our keys are none of it, and guard.py refuses its loggers
            own = [word for word in words if word.startswith("hydra")]
            arguments.overrides = [*own, "hydra/job_logging=none", "hydra/hydra_logging=none"]
        elif not (arguments.cfg or arguments.info or arguments.shell_completion):
            runs.notes_folder = notes_folder(words)
            arguments.overrides = [*words, NO_NOTES]
        _run_hydra(
            args=arguments,
            args_parser=parser,
            task_function=runs,
            config_path=str(conf_dir()),
            config_name=CONFIG_NAME,
        )
    except SystemExit as ended:
        if ended.code not in (0, None):
            raise RunnerError("Hydra gave up", hint="See the line above.") from ended


def _report(error: Exception, argv: Sequence[str]) -> int:
    """Print what ended the program before or beside a job; return the exit code."""
    known = _explained(error, argv)
    if not isinstance(known, RunnerError):
        traceback.print_exc()
        print("runner: this is a bug of ours; please report the lines above", file=sys.stderr)
        return EXIT_BUG
    print(known, file=sys.stderr)
    return known.exit_code


def _explained(error: Exception, argv: Sequence[str]) -> Exception:
    """The error for the user; the error itself where it is a bug of ours."""
    from runner.config import explain

    if isinstance(error, RunnerError) or explain.is_ours(error):
        return error
    overrides = [word for word in argv if not word.startswith("-") or word in ("-m", "--multirun")]
    return explain.explain(error, overrides, explain.option(argv, "--config-dir", "-cd"))


@contextmanager
def _full_errors() -> Iterator[None]:
    """Make Hydra raise its errors instead of printing them."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
