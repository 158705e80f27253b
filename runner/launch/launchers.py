"""Hydra's launchers as a sweep uses them: which one is taken, and what comes back from it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf, open_dict

from runner.errors import Interrupted
from runner.launch import workers
from runner.launch.command_line import words_of
from runner.launch.runs import Failure, Runs, Stopped

if TYPE_CHECKING:
    from omegaconf import DictConfig

_JOBLIB = ("joblib", "hydra_plugins.hydra_joblib_launcher")


def runs_here(master: DictConfig) -> bool:
    """Whether the launcher runs jobs in this process, one after the other."""
    return str(master.hydra.launcher["_target_"]).endswith(".BasicLauncher")


def jobs_at_a_time(master: DictConfig, n_jobs: int) -> int:
    """As many jobs as there are cores, where the user has chosen no launcher; 1 where joblib is missing."""
    chosen = words_of(master.hydra.overrides.hydra)
    if not runs_here(master) or any(word.startswith("hydra/launcher=") for word in chosen):
        return 1
    if any(importlib.util.find_spec(name) is None for name in _JOBLIB):
        return 1
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(n_jobs, n_cores))


def side_by_side(master: DictConfig, n: int) -> None:
    """Choose Hydra's joblib launcher, for `n` jobs at a time."""
    from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf

    with open_dict(master):
        master.hydra.launcher = OmegaConf.structured(JobLibLauncherConf(n_jobs=n))


def join_cluster(launcher: Any) -> None:
    """Let the Ray launcher join a cluster that runs: it asks for an object store of its own size, which Ray then refuses."""
    ray = getattr(launcher, "ray_cfg", None)
    if ray is not None and ray.init.get("address") is not None and "object_store_memory" not in ray.init:
        with open_dict(ray):
            ray.init.object_store_memory = None


def launch(launcher: Any, runs: Runs, jobs: Sequence[Sequence[str]], first: int) -> None:
    """Run the jobs and add their failures to `runs`. first: number of the first job.

    Raises Interrupted where a signal came to the launcher or to one of its workers, once its workers have come to rest.
    """
    if type(launcher).__name__ == "JoblibLauncher":
        with workers.in_order(runs) as passed:
            returned = launcher.launch(jobs, initial_job_idx=first)
        code = passed.code
    else:
        returned, code = launcher.launch(jobs, initial_job_idx=first), None
    values = [job.return_value for job in returned]
    runs.failures += [value for value in values if isinstance(value, Failure)]
    code = code or next((value.exit_code for value in values if isinstance(value, Stopped)), None)
    if code is not None:
        raise Interrupted(code)
