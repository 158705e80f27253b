"""Every job of a multirun, composed and checked before the first one starts.

Hydra's basic sweeper composes a batch of jobs before it launches the batch, and looks no further than the keys. With
`checked_sweeps` it holds every job of every batch against the schema and the factories, and against whatever check the
command brings, and starts nothing where one of them cannot run. A search (search.py) has no list of jobs; two ends of its
space are checked.

The expansion is Hydra's own (`BasicSweeper.split_arguments`), bounded to Hydra 1.3 like program.py.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins import basic_launcher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from runner.config.compose import job_error, run_config
from runner.config.conf_folder import CONFIG_NAME
from runner.config.explain import explain
from runner.config.nodes import compose_lone
from runner.errors import RunFailed, RunnerError
from runner.launch import workers
from runner.launch.program import Runs

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig

MAX_SHOWN = 10  # broken jobs that an error lists
OF_THE_SWEEP = ("output_dir", "repeat", "force", "fail_fast")
_WHEN = re.compile(r"\$\{(?:now|random_digits):[^{}]*\}")
_ANY = "ANYTIMEATALL"  # stands for a part of a path that each issue of a command has anew


@dataclass(frozen=True)
class Job:
    """One job of a multirun: its config, or why it cannot run."""

    number: int
    overrides: list[str]
    config: RunConfig | None
    error: RunnerError | None


class BrokenJobs(RunnerError):
    """Jobs of a multirun that cannot run; unlike other errors it takes a line for each."""

    def __init__(self, broken: Sequence[Job], n_jobs: int) -> None:
        super().__init__(f"{len(broken)} of {n_jobs} jobs cannot run, and none was started")
        self.lines = [f"job {job.number} ({' '.join(job.overrides)}): {one_line(job.error)}" for job in broken]

    def __str__(self) -> str:
        more = len(self.lines) - MAX_SHOWN
        shown = self.lines[:MAX_SHOWN] + ([f"… and {more} more"] if more > 0 else [])
        return "\n  ".join([f"{self.fact}:", *shown])

    def __reduce__(self) -> tuple[object, ...]:
        return RunnerError, (str(self),)


@contextmanager
def checked_sweeps(runs: Runs) -> Iterator[None]:
    """While this lasts, Hydra's basic sweeper checks every job before the first starts, however it was chosen.

    And it tells `runs.board` of the sweep, launches jobs side by side where there are cores for them, and repeats each
    point under several seeds where `repeat` says so. Its methods are exchanged and not the class: Hydra instantiates no
    class but its own. What Hydra's own launcher keeps of each job is cut down to what the sweeper asks for: two configs a
    job, 180 kB, would stay until the last one has ended.
    """
    sweeper: Any = Plugins.instance().class_name_to_class[f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"]
    original, run_job = sweeper.sweep, basic_launcher.run_job

    def run_and_forget(*arguments: Any, **named: Any) -> Any:
        done = run_job(*arguments, **named)
        done.cfg = done.hydra_cfg = None
        return done

    def sweep(self: Any, arguments: list[str]) -> Any:
        loader = self.hydra_context.config_loader
        refuse_swept(arguments, self.params or {}, loader)
        words = with_seeds(arguments, self.config, loader, self.params or {})
        jobs = list(checked(loader, self.config, words, self.params or {}, runs.check, runs.config_dir))
        refuse_broken(jobs)
        if runs.board is None or not jobs:
            return original(self, words)
        board = runs.board()
        configs = [job.config for job in jobs if job.config is not None]
        runs.is_multirun = True
        runs.ticket = board.begin(configs, *folder_of(self.config))
        place(self.config, runs.ticket.folder)
        if (n := jobs_at_a_time(self.config, board.n_to_run)) > 1:
            self.launcher = side_by_side(self, runs, n)
        join_cluster(self.launcher)
        workers.in_order(self.launcher, runs)
        status = "KILLED"
        try:
            returned = original(self, words)
            status = "FAILED" if runs.failures else "FINISHED"
            return returned
        except Exception as error:
            status = "FAILED"
            if workers.were_killed(error):
                raise RunFailed(
                    "a process of the sweep was killed, for lack of memory perhaps",
                    place="hydra.launcher",
                    hint="The same command goes on; hydra/launcher=basic runs one job at a time.",
                ) from error
            raise
        finally:
            workers.end()
            board.end(status, {f.number: f.message for f in runs.failures if f.number is not None})

    sweeper.sweep, basic_launcher.run_job = sweep, run_and_forget
    sweeper.validate_batch_is_legal = lambda self, batch: None  # done for all batches by `sweep`
    try:
        yield
    finally:
        sweeper.sweep, basic_launcher.run_job = original, run_job
        del sweeper.validate_batch_is_legal  # what it inherits


def with_seeds(arguments: Sequence[str], master: DictConfig, loader: Any, params: Iterable[str] = ()) -> list[str]:
    """The words of the command line, and `repeat` as a sweep of seeds. Raises RunnerError where the seed is swept already."""
    n = int(master.repeat)
    words = list(arguments)
    if n == 1:
        return words
    given = [
        word
        for word in OverridesParser.create(config_loader=loader).parse_overrides(words)
        if word.key_or_group == "seed"
    ]
    if any(word.is_sweep_override() for word in given) or "seed" in params:
        raise RunnerError("the seed is swept, and repeat sweeps it too", place="repeat", hint="Leave one of them out.")
    seed = int(master.seed)
    return [
        *(word for word in words if not word.startswith("seed=")),
        f"seed={','.join(map(str, range(seed, seed + n)))}",
    ]


def refuse_swept(arguments: Sequence[str], params: Iterable[str], loader: Any) -> None:
    """Raises RunnerError where a job is given what only the sweep as a whole can have."""
    for word in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
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


def folder_of(master: DictConfig) -> tuple[Path, str]:
    """Where Hydra would put the sweep, and a glob pattern of where an earlier issue of this command may have put it: the
    same path with any time in place of `${now:…}`, and any digits."""
    folder = Path(str(master.hydra.sweep.dir))
    written: Any = OmegaConf.to_container(master, resolve=False)
    raw = {"output_dir": written["output_dir"], "hydra.sweep.dir": written["hydra"]["sweep"]["dir"]}
    with read_write(master):
        for key, value in raw.items():
            if isinstance(value, str):
                OmegaConf.update(master, key, _WHEN.sub(lambda found: re.sub("[^/]+", _ANY, found[0]), value))
        pattern = os.path.normpath(str(master.hydra.sweep.dir))
        for key, value in raw.items():
            OmegaConf.update(master, key, value)
    return folder, glob.escape(pattern).replace(_ANY, "*")


def place(master: DictConfig, folder: Path) -> None:
    """Have Hydra put the sweep and its jobs there; jobs are composed anew, from the words of the command line."""
    with open_dict(master):
        master.hydra.sweep.dir = str(folder)
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        master.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def jobs_at_a_time(master: DictConfig, n_jobs: int) -> int:
    """As many as there are cores, where the user has chosen no launcher; 1 where joblib is missing."""
    chosen: Any = OmegaConf.to_container(
        master.hydra.overrides.hydra
    )  # ${…} as written: it has no meaning in this place
    is_basic = str(master.hydra.launcher["_target_"]).endswith(".BasicLauncher")
    if not is_basic or any(str(word).startswith("hydra/launcher=") for word in chosen):
        return 1
    if (
        importlib.util.find_spec("joblib") is None
        or importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None
    ):
        return 1
    return max(
        1, min(n_jobs, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )


def side_by_side(sweeper: Any, runs: Runs, n: int) -> Any:
    """Hydra's joblib launcher, for `n` jobs at a time."""
    from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf

    with open_dict(sweeper.config):
        sweeper.config.hydra.launcher = OmegaConf.structured(JobLibLauncherConf(n_jobs=n))
    return Plugins.instance().instantiate_launcher(
        hydra_context=sweeper.hydra_context, task_function=runs, config=sweeper.config
    )


def join_cluster(launcher: Any) -> None:
    """Let the Ray launcher join a cluster that runs: it asks for an object store of its own size, which Ray then refuses."""
    ray = getattr(launcher, "ray_cfg", None)
    if ray is not None and ray.init.get("address") is not None and "object_store_memory" not in ray.init:
        with open_dict(ray):
            ray.init.object_store_memory = None


def refuse_broken(jobs: Sequence[Job]) -> None:
    """Raise RunnerError where a job cannot run."""
    broken, n_jobs = [], 0
    for job in jobs:
        n_jobs += 1
        if job.error is not None:
            broken.append(job)
    if not broken:
        return
    if len(broken) == n_jobs and len({str(job.error) for job in broken}) == 1:  # no matter of single jobs
        assert broken[0].error is not None
        raise broken[0].error
    raise BrokenJobs(broken, n_jobs)


def jobs_of(
    overrides: Sequence[str],
    config_dir: str | Path | None = None,
    *,
    is_multirun: bool = False,
    check: Callable[[RunConfig], None] | None = None,
) -> list[Job] | None:
    """The jobs that a command line stands for, composed and checked one after the other, none run.

    None where it stands for one run: without is_multirun, and without `hydra.mode: MULTIRUN`. check: as for run_app.
    Raises RunnerError where the jobs cannot be told: a mistake that concerns all, or a sweeper that chooses as it goes.
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
        if not target.endswith(f".{BasicSweeper.__qualname__}"):
            raise RunnerError(
                f"the sweeper {target.rpartition('.')[2]} chooses values as it goes; there is no list of jobs to check",
                place="hydra/sweeper",
                hint="Leave -m out, and give one value each.",
            )
        arguments = [str(item) for item in OmegaConf.to_container(master.hydra.overrides.task) or []]
        params = dict(master.hydra.sweeper.params or {})
        return list(checked(hydra.config_loader, master, arguments, params, check, config_dir))


def checked(
    loader: Any,
    master: DictConfig,
    arguments: Sequence[str],
    params: dict[str, str],
    check: Callable[[RunConfig], None] | None,
    config_dir: str | Path | None,
    *,
    first: int = 0,
) -> Iterator[Job]:
    """Each job of a sweep. loader, master: Hydra's, of the sweep. params: `hydra.sweeper.params`. first: job's number."""
    try:
        words = [*(f"{key}={value}" for key, value in params.items()), *arguments]
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
        batches = BasicSweeper.split_arguments(parsed, None)
    except Exception as error:
        raise explain(error, list(arguments), config_dir) from error
    before = HydraConfig.instance().cfg
    for number, overrides in enumerate(chain.from_iterable(batches), first):
        config: RunConfig | None = None
        failure: RunnerError | None = None
        node: DictConfig | None = None
        try:
            try:
                node = loader.load_sweep_config(master, overrides)
                with open_dict(node):
                    node.hydra.job.num = number
                    node.hydra.job.id = f"job_{number}"
                HydraConfig.instance().set_config(node)  # for ${hydra:job.num} and the like
                folder = Path(str(master.hydra.sweep.dir), str(node.hydra.sweep.subdir))
                with read_write(node.hydra), open_dict(node.hydra):
                    node.hydra.runtime.output_dir = str(folder)
            except Exception as error:
                failure = explain(error, list(overrides), config_dir)
            else:
                config = run_config(
                    node,
                    output_dir=Path(str(node.hydra.runtime.output_dir)),
                    overrides=list(overrides),
                    choices=node.hydra.runtime.choices,
                    job_number=number,
                    is_multirun=True,
                )
                if check is not None:
                    check(config)
        except Exception as error:
            failure = job_error(error, node)
            if failure is None:  # a bug of ours, and no mistake in the job
                raise
        finally:
            HydraConfig.instance().cfg = before
        yield Job(number, list(overrides), config if failure is None else None, failure)


def one_line(error: RunnerError | None) -> str:
    """An error's first line."""
    return str(error).splitlines()[0]
