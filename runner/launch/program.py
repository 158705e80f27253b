"""The command line: argv → Hydra → a run for each config → exit code.

`run_app` is a Hydra program in all but its errors: `--help`, `--cfg`, `--info`, `--multirun`, `--config-dir` and tab
completion are Hydra's own. A mistake of the user's ends in two lines and exit code 2; a failed job of a multirun does
not stop the others.

Hydra's parser and starter are taken from `hydra._internal` because `hydra.main` reads sys.argv and prints usage texts;
the dependency is bounded to 1.3.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from runner import secrets
from runner.config.compose import job_error, run_config
from runner.config.conf_folder import CONFIG_NAME, conf_dir
from runner.config.nodes import compose_node, register
from runner.errors import Interrupted, RunnerError
from runner.signals import WORKER, raised
from runner.streams import wrap_streams

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig, Ticket

Job = Callable[["RunConfig"], Any]
EXIT_BUG = 1


class Board(Protocol):
    """Who looks after a multirun as a whole, see launch/board.py."""

    n_to_run: int

    def begin(
        self,
        configs: Sequence[RunConfig],
        folder: Path,
        earlier: str,
        *,
        search: Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Ticket: ...

    def end(self, status: Any, errors: Mapping[int, str]) -> None: ...


def run_app(
    argv: Sequence[str],
    job: Job,
    check: Callable[[RunConfig], None] | None = None,
    board: Callable[[], Board] | None = None,
) -> int:
    """Run `job` once for each config that the command line asks for; the exit code.

    argv: without the program's name. check: called with each job's config of a multirun before the first job starts;
    where it raises, none does (see sweep.py). board: makes the one that is told of a multirun before its first job and
    after its last. 0 done, 1 a run failed, 2 config or data wrong, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP; of a multirun the worst.
    Messages go to stderr.
    """
    runs = Runs(job, check, board)
    code = 0
    try:
        from runner.config.guard import guarded

        with raised(), _full_errors(), guarded():
            try:
                _start(argv, runs)
            finally:
                runs.print_failures()
            sys.stdout.flush()
        code = runs.exit_code
    except KeyboardInterrupt as error:
        interrupted = error if isinstance(error, Interrupted) else Interrupted()
        print(f"runner: {interrupted}", file=sys.stderr)
        code = interrupted.exit_code
    except BrokenPipeError:  # the reader of our output has gone, as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        _remove_empty_sweep(error)
        code = _report(error, argv)
    return code


def run_alone(job: Callable[[], int]) -> int:
    """Run a job that makes its own config, with the signals and exit codes of `run_app`; what it returns, or its error's."""
    try:
        with raised():
            code = job()
            sys.stdout.flush()
            return code
    except KeyboardInterrupt as error:
        interrupted = error if isinstance(error, Interrupted) else Interrupted()
        print(f"runner: {interrupted}", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        known = job_error(error, None)
        if known is None:
            traceback.print_exc()
            return EXIT_BUG
        print(known, file=sys.stderr)
        return known.exit_code


@dataclass
class Failure:
    """A job that went wrong."""

    number: int | None
    overrides: list[str]
    message: str
    exit_code: int
    name: str | None = None  # what tells the job from the others

    def __str__(self) -> str:
        first = self.message.splitlines()[0]
        return f"job {self.number} ({self.name or ' '.join(self.overrides) or 'no overrides'}): {first}"


@dataclass(frozen=True)
class Stopped:
    """A job in a launcher's worker that a signal has ended."""

    exit_code: int


@dataclass
class Runs:
    """What Hydra calls with each job's config; keeps the failures, so that one does not stop the others."""

    job: Job
    check: Callable[[RunConfig], None] | None = None  # see run_app
    board: Callable[[], Board] | None = None
    ticket: Ticket | None = None
    failures: list[Failure] = field(default_factory=list)
    is_multirun: bool = False
    config_dir: str | None = None
    process: int = field(default_factory=os.getpid)

    def __getstate__(self) -> dict[str, Any]:
        """For a launcher's workers: what the jobs themselves need."""
        return {**self.__dict__, "check": None, "board": None, "failures": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In such a worker, which prints as the command itself does: without secrets."""
        self.__dict__.update(state)
        leave_notes_to_runs()
        if os.getpid() != self.process:
            secrets.learn_environment()
            wrap_streams()

    def __call__(self, node: DictConfig) -> Any:
        """What the job returns; from a launcher's worker also Failure and Stopped, which must not be raised there."""
        if os.getpid() == self.process:
            return self._run(node)
        try:
            with WORKER.job():
                return self._run(node)
        except KeyboardInterrupt as error:
            return Stopped(error.exit_code if isinstance(error, Interrupted) else Interrupted().exit_code)

    def _run(self, node: DictConfig) -> Any:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        hydra = HydraConfig.get()
        os.chdir(hydra.runtime.cwd)  # hydra.job.chdir or not: relative paths belong to the folder of the command
        self.is_multirun = hydra.mode is not None and hydra.mode.name == "MULTIRUN"
        number = int(hydra.job.num) if self.is_multirun else None
        overrides = [str(item) for item in OmegaConf.to_container(hydra.overrides.task) or []]
        output_dir = Path(hydra.runtime.output_dir)
        if self.is_multirun and self.ticket is None:
            print(f"job {number}: {' '.join(overrides)}", flush=True)
        try:
            config = run_config(
                node,
                output_dir=output_dir,
                overrides=overrides,
                choices=hydra.runtime.choices,
                job_number=number,
                is_multirun=self.is_multirun,
            )
            config.sweep = self.ticket
            config.notes = hydras_notes(node)
            if config.repeat > 1 and not self.is_multirun:
                raise RunnerError("repeat makes several runs of one", place="repeat", hint="Add -m to the command.")
            return self.job(config)
        except Exception as error:
            is_apart = os.getpid() != self.process  # a launcher's worker: its parent must hear of it
            if is_apart and self.ticket is None:
                raise
            known = job_error(error, node)
            if known is None:
                traceback.print_exc()
                message, code = f"a bug: {type(error).__name__}: {error}", EXIT_BUG
            else:
                message, code = str(known), known.exit_code
            if known is not None:
                remove_empty_run(output_dir, has_own_name=OmegaConf.select(node, "output_dir") is not None)
            name = self.ticket.names.get(number or 0) if self.ticket is not None else None
            failure = Failure(number, overrides, message, code, name)
            if is_apart:
                print(f"job {number}: {message.splitlines()[0]}", file=sys.stderr, flush=True)
                return failure
            self.failures.append(failure)
            return None

    @property
    def exit_code(self) -> int:
        """The worst of all jobs: a failed run says more than a config that was refused."""
        codes = {failure.exit_code for failure in self.failures}
        return next((code for code in (EXIT_BUG, RunnerError.exit_code) if code in codes), 0)

    def print_failures(self) -> None:
        """All of them, on stderr."""
        if not self.is_multirun:
            for failure in self.failures:
                print(failure.message, file=sys.stderr)
        elif self.failures:
            print(f"{len(self.failures)} of the jobs failed:", file=sys.stderr)
            for failure in self.failures:
                print(f"  {failure}", file=sys.stderr)


def hydras_notes(node: DictConfig) -> dict[str, str]:
    """What Hydra would write into the job's folder before the job, but for secrets: file names in the folder, and texts."""
    from hydra.core.hydra_config import HydraConfig

    from runner.config.guard import clean_yaml

    hydra = HydraConfig.get()
    if hydra.output_subdir is None:
        return {}
    notes = {"config": node, "hydra": HydraConfig.instance().cfg, "overrides": hydra.overrides.task}
    return {f"{hydra.output_subdir}/{name}.yaml": clean_yaml(about) for name, about in notes.items()}


def leave_notes_to_runs() -> None:
    """From now on Hydra itself writes nothing into a job's folder: another process may be training there."""
    import hydra.core.utils

    hydra.core.utils._save_config = lambda *_: None


def _start(argv: Sequence[str], runs: Runs) -> None:
    from hydra import version
    from hydra._internal.utils import _run_hydra

    register()
    version.setbase("1.3")
    try:
        parser, arguments = parse_arguments(argv)
        if arguments.experimental_rerun is not None:
            raise RunnerError(
                "rerunning from a pickle is not supported",
                place="--experimental-rerun",
                hint="Give the overrides again; they lie in .hydra/overrides.yaml of the run folder.",
            )
        runs.config_dir = arguments.config_dir
        arguments.multirun = arguments.multirun or _asks_for_repeats(arguments.overrides)
        if arguments.help:
            print(_help_text(arguments.overrides, arguments.config_dir))
            return
        if arguments.hydra_help:  # of Hydra's own config: our keys are none of it, and guard.py refuses its loggers
            own = [word for word in arguments.overrides if word.startswith("hydra")]
            arguments.overrides = [*own, "hydra/job_logging=none", "hydra/hydra_logging=none"]
        with _checked_sweeps(arguments, runs):
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


def parse_arguments(argv: Sequence[str]) -> tuple[Any, Any]:
    """Hydra's parser, and what it makes of the command line. Raises RunnerError where it cannot be read."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    return parser, parser.parse_intermixed_args(list(argv))


def _asks_for_repeats(words: Sequence[str]) -> bool:
    """Whether the command line says `repeat=5` or the like: one run that is several."""
    return any(word.removeprefix("repeat=") not in (word, "1") for word in words)


def _checked_sweeps(arguments: Any, runs: Runs) -> AbstractContextManager[None]:
    """`sweep.checked_sweeps` where a sweep is possible: what it imports takes a while, and most runs are one run."""
    words = arguments.overrides
    is_possible = (
        arguments.multirun or arguments.config_dir or any("hydra.mode" in w or "experiment=" in w for w in words)
    )
    if not is_possible:
        return nullcontext()
    from runner.launch.grid import checked_sweeps

    if any("sweeper=optuna" in word for word in words):
        from runner.launch.search import register

        register(words)
    return checked_sweeps(runs)


def _help_text(overrides: Sequence[str], config_dir: str | None) -> str:
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
        told = f"{name:<12}{', '.join(options)}"
        lines += textwrap.wrap(told, 100, subsequent_indent=" " * 12, break_long_words=False)
    template = str(node.hydra.help.template)
    config = ""
    if "$CONFIG" in template:
        del node["hydra"]
        config = OmegaConf.to_yaml(node)
    groups = "\n  ".join(lines)
    return string.Template(template).safe_substitute(APP_CONFIG_GROUPS=groups, CONFIG=config).rstrip()


def _refuse(message: str) -> NoReturn:
    raise RunnerError(message, place="command line", hint="See python -m runner --help.")


def _report(error: Exception, argv: Sequence[str]) -> int:
    """Print what ended the program before or beside a job; the exit code."""
    from runner.config import explain

    if not isinstance(error, RunnerError):
        if explain.is_ours(error):
            traceback.print_exc()
            print("runner: this is a bug of ours; please report the lines above", file=sys.stderr)
            return EXIT_BUG
        overrides = [word for word in argv if not word.startswith("-")]
        error = explain.explain(error, overrides, explain.option(argv, "--config-dir", "-cd"))
    print(error, file=sys.stderr)
    return error.exit_code


def remove_empty_run(folder: Path, *, has_own_name: bool) -> None:
    """A refused run leaves nothing behind: take away the folder that was made for it, and empty ones above."""
    parents = [] if has_own_name else [folder.parent, folder.parent.parent]
    for empty in (folder, *parents):
        try:
            empty.rmdir()
        except OSError:
            return


def _remove_empty_sweep(error: Exception) -> None:
    """The same for a multirun of which not one job could be composed; only the sweeper knows its folder."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        folder = frame.f_locals.get("sweep_dir") if frame.f_code.co_name == "sweep" else None
        if isinstance(folder, Path) and [entry.name for entry in folder.iterdir()] == ["multirun.yaml"]:
            (folder / "multirun.yaml").unlink()
            folder.rmdir()


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
