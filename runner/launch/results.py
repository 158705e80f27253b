"""How each job of a sweep ended, read from the jobs' folders; and mean and spread over seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from runner.files import read_file, write_file
from runner.training.keeper import FOLDER, checkpoints

SUMMARY = "summary.json"  # of a run's folder, see commands/train.py
FOLDERS = ".jobs"  # in a sweep's folder: a file for each job, with the path of the folder in which it writes
WAITING = "not started"
PRUNED = "PRUNED"  # a search ended the trial early


@dataclass(frozen=True)
class Planned:
    """A job of a sweep."""

    number: int
    overrides: Sequence[str]
    fingerprint: str

    def without_seed(self) -> tuple[str, ...]:
        """The overrides that all repeats of the job share."""
        return tuple(word for word in self.overrides if not word.startswith("seed="))


@dataclass(frozen=True)
class Outcome:
    """How a job ended. score, epoch, seconds: None if the job has not got so far. step: where an interrupted job goes on."""

    job: Planned
    status: str  # FINISHED, FAILED, KILLED, PRUNED, or "not started"
    folder: Path
    score: float | None = None
    epoch: int | None = None
    seconds: float | None = None
    scores: Mapping[str, float] | None = None
    run_id: str | None = None
    error: str | None = None
    step: int | None = None


class Spread(NamedTuple):
    """Mean, standard deviation (of the sample) and the 95 % interval of the mean (Student's t)."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


class Repeats(NamedTuple):
    """One point of a sweep under several seeds."""

    overrides: tuple[str, ...]  # without the seed
    outcomes: list[Outcome]
    spread: Spread | None  # of the scores; None if no run has finished


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run's folder as a dict; empty if missing or unreadable."""
    try:
        summary = json.loads(read_file(folder / SUMMARY))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def job_folder(sweep: Path, number: int) -> Path:
    """The folder where a job of the sweep in folder `sweep` wrote: as the job noted it, else the default one."""
    try:
        return sweep / read_file(sweep / FOLDERS / str(number)).decode("utf8")
    except (OSError, ValueError):
        return sweep / str(number)


def note_folder(sweep: Path, number: int, folder: Path) -> None:
    """Note the folder where a job writes, unless it is the default one. Raises RunFailed if the system refuses."""
    if job_folder(sweep, number).absolute() != folder.absolute():
        write_file(sweep / FOLDERS / str(number), os.path.relpath(folder, sweep))


def outcome(job: Planned, folder: Path) -> Outcome:
    """How the job ended in its folder. A summary that another job left there does not count."""
    summary = read_summary(folder)
    step = next((step for step, _ in checkpoints(folder / FOLDER)), None)
    if not summary and step is not None:  # killed before it could write a summary
        return Outcome(job, "KILLED", folder, step=step)
    if summary.get("fingerprint") != job.fingerprint:
        return Outcome(job, WAITING, folder)
    best = summary.get("best") or {}
    return Outcome(
        job,
        PRUNED if summary.get("pruned") and summary["status"] == "FINISHED" else str(summary["status"]),
        folder,
        score=best.get("score"),
        epoch=best.get("epoch"),
        seconds=summary.get("seconds"),
        scores={key: value for key, value in (best.get("scores") or {}).items() if isinstance(value, int | float)},
        run_id=summary.get("run_id"),
        error=summary.get("error"),
        step=step,
    )


def finished(folder: Path) -> str | None:
    """The fingerprint of the run that has finished in this folder; None if none has.

    A run that was killed between its summary and the removal of its checkpoints has not finished.
    """
    summary = read_summary(folder)
    if summary.get("status") != "FINISHED" or checkpoints(folder / FOLDER):
        return None
    return summary.get("fingerprint")


def best_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The finished job with the highest score; of equal scores, the first job. None if no job has finished."""
    scored = [job for job in outcomes if job.status == "FINISHED" and job.score is not None]
    return max(scored, key=lambda job: job.score or 0.0, default=None)


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value; the interval of a single value is the value itself.

    >>> spread([1.0, 2.0, 3.0])
    Spread(n=3, mean=2.0, sd=1.0, low=-0.484..., high=4.484...)
    """
    from scipy.special import stdtrit

    n = len(values)
    mean = sum(values) / n
    if n == 1:
        return Spread(1, mean, 0.0, mean, mean)
    sd = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * sd / sqrt(n)
    return Spread(n, mean, sd, mean - half, mean + half)


def repeats(outcomes: Sequence[Outcome]) -> list[Repeats]:
    """Group the jobs that differ in nothing but the seed, in order."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for job in outcomes:
        groups.setdefault(job.job.without_seed(), []).append(job)
    points = []
    for overrides, group in groups.items():
        scores = [job.score for job in group if job.status == "FINISHED" and job.score is not None]
        points.append(Repeats(overrides, group, spread(scores) if scores else None))
    return points
