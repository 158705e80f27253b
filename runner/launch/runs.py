"""What Hydra calls with each job's config: one run, or one job of a sweep, here or in a launcher's worker.

Failures are kept, so that one failed job does not stop the others; a worker returns them to the parent.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner import secrets
from runner.config.compose import job_error, run_config
from runner.errors import Interrupted, RunnerError
from runner.launch.command_line import words_of
from runner.launch.folders import NOTES_FOLDER, hydras_notes, remove_empty_run
from runner.signals import WORKER
from runner.streams import wrap_streams

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig
    from runner.config.ticket import Ticket
    from runner.corpus.datasets import SourceFile
    from runner.launch.results import Outcome

EXIT_BUG = 1
ASK_FOR_SWEEP = "Write runner.sweep([…]) with the same words."  # told to who called runner.train


class Command(NamedTuple):
    """What a command does with a config.

    run: the run itself. check: would this job of a sweep start? Called for each job before the first one starts; raises
    RunnerError if not. sources: the files of the job's corpus.
    """

    run: Callable[[RunConfig], None]
    check: Callable[[RunConfig], None] = lambda config: None
    sources: Callable[[RunConfig], Sequence[SourceFile]] = lambda config: ()


@dataclass
class Failure:
    """A job that went wrong."""

    number: int | None
    overrides: list[str]
    message: str
    exit_code: int
    name: str | None = None  # what tells the job from the others
    error: Exception | None = field(default=None, repr=False)  # for a caller in Python; None from a worker

    def __str__(self) -> str:
        first = self.message.splitlines()[0]
        return f"job {self.number} ({self.name or ' '.join(self.overrides) or 'no overrides'}): {first}"


@dataclass(frozen=True)
class Stopped:
    """A job in a launcher's worker that a signal has ended."""

    exit_code: int


@dataclass
class Runs:
    """Hydra's task function. notes_folder: see folders.hydras_notes; process: the command's own, in workers the parent.

    called: "train" or "sweep" where a function of Python's asked for the runs, which raises their errors; None: a command.
    outcomes: of a sweep's jobs, once it is over.
    """

    command: Command
    ticket: Ticket | None = None  # of the sweep; None: one run, or a sweeper that is not ours
    failures: list[Failure] = field(default_factory=list)
    is_multirun: bool = False
    config_dir: str | None = None
    notes_folder: str | None = NOTES_FOLDER
    process: int = field(default_factory=os.getpid)
    called: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __getstate__(self) -> dict[str, Any]:
        """For a launcher's workers: what the jobs themselves need."""
        return {**self.__dict__, "command": self.command.run, "failures": [], "outcomes": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In such a worker, which prints without secrets, as the command itself does."""
        self.__dict__.update(state, command=Command(state["command"]))
        if os.getpid() != self.process:
            secrets.learn_environment()
            wrap_streams()

    def __call__(self, node: DictConfig) -> float | Failure | Stopped | None:
        """The job's best score, None without one. A worker returns Failure and Stopped: raised, they would end the pool."""
        if os.getpid() == self.process:
            return self._run(node)
        try:
            with WORKER.job():
                return self._run(node)
        except KeyboardInterrupt as error:
            return Stopped(error.exit_code if isinstance(error, Interrupted) else Interrupted().exit_code)

    def _run(self, node: DictConfig) -> float | Failure | None:
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        os.chdir(hydra.runtime.cwd)  # hydra.job.chdir or not: relative paths belong to the folder of the command
        self.is_multirun = hydra.mode is not None and hydra.mode.name == "MULTIRUN"
        number = int(hydra.job.num) if self.is_multirun else None
        overrides = words_of(hydra.overrides.task)
        if self.is_multirun and self.ticket is None:
            print(f"job {number}: {' '.join(overrides)}", flush=True)
        try:
            config = run_config(
                node,
                output_dir=Path(hydra.runtime.output_dir),
                overrides=overrides,
                choices=hydra.runtime.choices,
                job_number=number,
                is_multirun=self.is_multirun,
            )
            config.sweep = self.ticket
            config.notes = hydras_notes(node, self.notes_folder)
            if config.repeat > 1 and not self.is_multirun:
                raise RunnerError("repeat makes several runs of one", place="repeat", hint="Add -m to the command.")
            if self.ticket is not None:
                from runner.launch.job import run_job  # late: a single run's --help imports no model

                return run_job(config, self.command.run, is_apart=self._is_apart)
            self.command.run(config)
            return None
        except Exception as error:
            if (
                self._is_apart and self.ticket is None
            ):  # of a sweeper that is not ours: its parent must hear of the error
                raise
            failure = self._failure(error, node, number, overrides)
            if self._is_apart:
                print(f"job {number}: {failure.message.splitlines()[0]}", file=sys.stderr, flush=True)
                return failure
            self.failures.append(failure)
            return None

    @property
    def _is_apart(self) -> bool:
        """Whether this process is a launcher's worker."""
        return os.getpid() != self.process

    def _failure(self, error: Exception, node: DictConfig, number: int | None, overrides: list[str]) -> Failure:
        """The failure of the job that Hydra has set up; a refused job's empty folder is removed."""
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        name = self.ticket.names.get(number or 0) if self.ticket is not None else None
        known = job_error(error, node)
        kept = None if self._is_apart else error
        if known is None:
            if self.called != "train":  # which raises it
                traceback.print_exc()
            return Failure(number, overrides, f"a bug: {type(error).__name__}: {error}", EXIT_BUG, name, kept)
        has_own_name = OmegaConf.select(node, "output_dir") is not None
        remove_empty_run(Path(HydraConfig.get().runtime.output_dir), has_own_name=has_own_name)
        return Failure(number, overrides, str(known), known.exit_code, name, known if kept is not None else None)

    @property
    def exit_code(self) -> int:
        """The worst of all jobs: a failed run says more than a config that was refused."""
        codes = {failure.exit_code for failure in self.failures}
        return next((code for code in (EXIT_BUG, RunnerError.exit_code) if code in codes), 0)

    def print_failures(self) -> None:
        """Print all failures to stderr: a run's in full, a line for each job of a multirun."""
        if not self.is_multirun:
            for failure in self.failures:
                print(failure.message, file=sys.stderr)
        elif self.failures:
            print(f"{len(self.failures)} of the jobs failed:", file=sys.stderr)
            for failure in self.failures:
                print(f"  {failure}", file=sys.stderr)
