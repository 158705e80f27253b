"""Every job of a multirun, composed and checked before the first one starts.

Hydra composes a job when it starts it, and looks no further than the keys. Here every job is held against the schema and the
factories, and against the check that the command brings, so that nothing starts where one job cannot run.

The expansion is Hydra's own (`BasicSweeper.split_arguments`), bounded to Hydra 1.3 like program.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import open_dict, read_write

from runner.config.compose import job_error, run_config
from runner.config.conf_folder import CONFIG_NAME
from runner.config.explain import explain
from runner.config.nodes import GridKeys, compose_lone
from runner.errors import RunnerError
from runner.launch.command_line import words_of

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig

MAX_SHOWN = 10  # broken jobs that an error lists
OF_THE_SWEEP = ("output_dir", "repeat", "force", "fail_fast")


@dataclass(frozen=True)
class CheckedJob:
    """One job of a multirun: its config, or why it cannot run. sweep_dir: where its own config would put the sweep."""

    number: int
    overrides: list[str]
    config: RunConfig | None
    error: RunnerError | None
    sweep_dir: str | None = None


class BrokenJobs(RunnerError):
    """Jobs of a multirun that cannot run; unlike other errors it takes a line for each."""

    def __init__(self, broken: Sequence[CheckedJob], n_jobs: int) -> None:
        super().__init__(f"{len(broken)} of {n_jobs} jobs cannot run, and none was started")
        self.lines = [f"job {job.number} ({' '.join(job.overrides)}): {_first_line(job.error)}" for job in broken]
        is_every = len(broken) == n_jobs  # else the words of the sweep are right for some
        self._next_move = _next_move(broken) if is_every else None

    def __str__(self) -> str:
        more = len(self.lines) - MAX_SHOWN
        shown = self.lines[:MAX_SHOWN] + ([f"… and {more} more"] if more > 0 else [])
        return "\n  ".join([f"{self.fact}:", *shown, *([self._next_move] if self._next_move is not None else [])])

    def __reduce__(self) -> tuple[object, ...]:
        return RunnerError, (str(self),)


def _next_move(broken: Sequence[CheckedJob]) -> str | None:
    """What all jobs are told to do, for the whole command line; None where they are told different things."""
    told = [(job.error.hint or "", _own_value(job)) for job in broken if job.error is not None]
    values = ",".join(dict.fromkeys(value for _, value in told))
    moves = {hint.replace(f"={value}", f"={values}") if value else hint for hint, value in told}
    return moves.pop() or None if len(moves) == 1 else None


def _own_value(job: CheckedJob) -> str:
    """The value that the job gives the key of its error; empty where the error is of something else."""
    assert job.error is not None
    return next((word.partition("=")[2] for word in job.overrides if word.partition("=")[0] == job.error.place), "")


@dataclass(frozen=True)
class Composer:
    """Composes and checks the jobs of a sweep. loader, master: Hydra's, of the sweep. check, config_dir: see Runs."""

    loader: ConfigLoader
    master: DictConfig
    check: Callable[[RunConfig], None]
    config_dir: str | None

    def without_check(self) -> Composer:
        """The same, but jobs are held against the schema and the factories alone."""
        return replace(self, check=lambda config: None)

    def parsed(self, words: Sequence[str]) -> list[Override]:
        """The words of a command line as Hydra reads them. Raises RunnerError."""
        try:
            return OverridesParser.create(config_loader=self.loader).parse_overrides(list(words))
        except Exception as error:
            raise explain(error, list(words), self.config_dir) from error

    def expanded(self, words: Sequence[str]) -> list[list[str]]:
        """The overrides of each job of a grid. Raises RunnerError."""
        try:
            (batch,) = BasicSweeper.split_arguments(self.parsed(words), None)
        except Exception as error:
            raise explain(error, list(words), self.config_dir) from error
        return batch

    def jobs(self, overrides: Sequence[Sequence[str]], *, first: int = 0) -> Iterator[CheckedJob]:
        """A job for each list of overrides, checked. first: number of the first job. Raises where the mistake is ours."""
        before = HydraConfig.instance().cfg
        for number, words in enumerate(overrides, first):
            try:
                yield self._job(number, list(words))
            finally:
                HydraConfig.instance().cfg = before

    def _job(self, number: int, words: list[str]) -> CheckedJob:
        node: DictConfig | None = None
        try:
            try:
                node, folder = self._composed(number, words)
            except Exception as error:
                raise explain(error, words, self.config_dir) from error
            config = run_config(
                node,
                output_dir=folder,
                overrides=words,
                choices=node.hydra.runtime.choices,
                job_number=number,
                is_multirun=True,
            )
            self.check(config)
            return CheckedJob(number, words, config, None, str(node.hydra.sweep.dir))
        except Exception as error:
            known = job_error(error, node)
            if known is None:  # a bug of ours, and no mistake in the job
                raise
            return CheckedJob(number, words, None, known)

    def _composed(self, number: int, words: list[str]) -> tuple[DictConfig, Path]:
        """The job's config as Hydra composes it, and the folder that Hydra would give it."""
        sweep_dir = str(self.master.hydra.sweep.dir)  # first: the job takes over the time that ${now:…} gave
        node = self.loader.load_sweep_config(self.master, words)
        with open_dict(node):
            node.hydra.job.num = number
            node.hydra.job.id = f"job_{number}"
        HydraConfig.instance().set_config(node)  # for ${hydra:job.num} and the like
        folder = Path(sweep_dir, str(node.hydra.sweep.subdir))
        with read_write(node.hydra), open_dict(node.hydra):
            node.hydra.runtime.output_dir = str(folder)
        return node, folder


def as_words(params: Mapping[str, Any]) -> list[str]:
    """`hydra.sweeper.params` as words of a command line."""
    return [f"{key}={'null' if value is None else value}" for key, value in params.items()]


def refuse_swept(words: Sequence[Override], params: Mapping[str, Any]) -> None:
    """Raise RunnerError where jobs are given a value that only the sweep as a whole can have."""
    for word in words:
        key = word.key_or_group
        if key in OF_THE_SWEEP and word.is_sweep_override():
            hint = "Give one value." if key != "output_dir" else "Give one folder: each job has its own below it."
            raise RunnerError("it is of the sweep as a whole, and is swept", place=key, hint=hint)
    for key in OF_THE_SWEEP:
        if key in params:
            raise RunnerError(
                "it is of the sweep as a whole, not of a job", place=f"hydra.sweeper.params.{key}",
                hint=f"Give it on the command line: {key}=VALUE.",
            )  # fmt: skip


def refuse_broken(jobs: Sequence[CheckedJob]) -> None:
    """Raise RunnerError where a job cannot run."""
    broken = [job for job in jobs if job.error is not None]
    if not broken:
        return
    if len(broken) == len(jobs) and len({str(job.error) for job in broken}) == 1:  # no matter of single jobs
        assert broken[0].error is not None
        raise broken[0].error
    raise BrokenJobs(broken, len(jobs))


def refuse_folders(jobs: Sequence[CheckedJob]) -> None:
    """Raise RunnerError where the sweep's folder depends on a swept value, so that jobs name several."""
    folders = list(dict.fromkeys(job.sweep_dir for job in jobs if job.sweep_dir is not None))
    if len(folders) > 1:
        raise RunnerError(
            f"a sweep has one folder, and its jobs name several: {folders[0]}, {folders[1]}{', …' * (len(folders) > 2)}",
            place="hydra.sweep.dir",
            hint="Put what differs into hydra.sweep.subdir, as in 'hydra.sweep.subdir=${seed}'.",
        )


def jobs_of(
    overrides: Sequence[str],
    config_dir: str | None = None,
    *,
    is_multirun: bool = False,
    check: Callable[[RunConfig], None] = lambda config: None,
) -> list[CheckedJob] | None:
    """The jobs that a command line stands for, composed and checked one after the other, none run.

    None where it stands for one run: without is_multirun, and without `hydra.mode: MULTIRUN`. check: raises RunnerError for a
    job that would fail. Raises RunnerError where the jobs cannot be told: a mistake that concerns all, or a sweeper that
    chooses as it goes.
    """
    with compose_lone(config_dir) as (hydra, searchpath):
        try:
            master = hydra.compose_config(
                config_name=CONFIG_NAME,
                overrides=[*overrides, *searchpath],
                run_mode=RunMode.MULTIRUN,
                with_log_configuration=False,
            )
            mode = master.hydra.mode
        except Exception as error:
            raise explain(error, list(overrides), config_dir) from error
        if not is_multirun and (mode is None or mode.name != "MULTIRUN"):
            return None
        target = str(master.hydra.sweeper["_target_"])
        if target != GridKeys._target_:
            raise RunnerError(
                f"the sweeper {target.rpartition('.')[2]} chooses values as it goes; there is no list of jobs to check",
                place="hydra/sweeper",
                hint="Leave -m out, and give one value each.",
            )
        words = words_of(master.hydra.overrides.task)
        composer = Composer(hydra.config_loader, master, check, config_dir)
        jobs = list(composer.jobs(composer.expanded([*as_words(master.hydra.sweeper.params), *words])))
        refuse_folders(jobs)
        return jobs


def _first_line(error: RunnerError | None) -> str:
    return str(error).splitlines()[0]
