"""What came of each job of a sweep, read from the folders; and the mean and spread of repeats."""

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
PRUNED = "PRUNED"  # ended by a search, as it fell behind


@dataclass(frozen=True)
class Planned:
    """A job of a sweep."""

    number: int
    overrides: Sequence[str]
    fingerprint: str

    def without_seed(self) -> tuple[str, ...]:
        """What its repeats have in common."""
        return tuple(word for word in self.overrides if not word.startswith("seed="))


@dataclass(frozen=True)
class Outcome:
    """A job, and how it ended. score, epoch, seconds: None where it has not got so far. step: of an interrupted job, from
    which it goes on."""

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
    spread: Spread | None  # of the scores; None where not one run has finished


def read_summary(folder: Path) -> dict[str, Any]:
    """What a run's folder says of it; nothing where it says nothing that can be read."""
    try:
        found = json.loads(read_file(folder / SUMMARY))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def job_folder(sweep: Path, number: int) -> Path:
    """The folder in which a job of that sweep wrote, as the job has noted it."""
    try:
        return sweep / read_file(sweep / FOLDERS / str(number)).decode("utf8")
    except (OSError, ValueError):
        return sweep / str(number)


def note_folder(sweep: Path, number: int, folder: Path) -> None:
    """Note in which folder a job writes. Raises RunFailed where the system refuses."""
    if job_folder(sweep, number).absolute() != folder.absolute():
        write_file(sweep / FOLDERS / str(number), os.path.relpath(folder, sweep))


def outcome(job: Planned, folder: Path) -> Outcome:
    """How that job ended in that folder. A summary of another job, left there before, does not count."""
    found = read_summary(folder)
    step = next((step for step, _ in checkpoints(folder / FOLDER)), None)
    if not found and step is not None:  # killed before it could write one
        return Outcome(job, "KILLED", folder, step=step)
    if found.get("fingerprint") != job.fingerprint:
        return Outcome(job, WAITING, folder)
    best = found.get("best") or {}
    return Outcome(
        job,
        PRUNED if found.get("pruned") and found["status"] == "FINISHED" else str(found["status"]),
        folder,
        score=best.get("score"),
        epoch=best.get("epoch"),
        seconds=found.get("seconds"),
        scores={key: value for key, value in (best.get("scores") or {}).items() if isinstance(value, int | float)},
        run_id=found.get("run_id"),
        error=found.get("error"),
        step=step,
    )


def finished(folder: Path) -> str | None:
    """The fingerprint of the run that has finished in this folder; None where none has, or it was killed over its last words."""
    found = read_summary(folder)
    if found.get("status") != "FINISHED" or checkpoints(folder / FOLDER):
        return None
    return found.get("fingerprint")


def best_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The finished job with the highest score, the first of equal ones."""
    finished = [one for one in outcomes if one.status == "FINISHED" and one.score is not None]
    return max(finished, key=lambda one: one.score or 0.0, default=None)


def spread(values: Sequence[float]) -> Spread:
    """At least one value; of one, the interval is nothing but the value.

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
    """The jobs put together that differ in nothing but the seed, in order."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(one.job.without_seed(), []).append(one)
    found = []
    for overrides, group in groups.items():
        scores = [one.score for one in group if one.status == "FINISHED" and one.score is not None]
        found.append(Repeats(overrides, group, spread(scores) if scores else None))
    return found
