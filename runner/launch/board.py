"""A multirun as a whole: which of its jobs are still to run, its own run in MLflow, and what is shown at the end.

The folder keeps sweep.json: the jobs' fingerprints, by which the same multirun is known when it is issued again. It then
goes on in that folder, whose numbers and whose run in MLflow stay.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from runner.config.schema import RunConfig, Ticket
from runner.corpus.datasets import SourceFile
from runner.errors import RunFailed, RunnerError
from runner.files import open_locked, read_file, remove_locked, write_file
from runner.foreign import as_code, shown
from runner.foreign import as_markdown as plain_markdown
from runner.launch.fingerprint import fingerprint
from runner.launch.gains import gains, name_of_first, rows_of_gains
from runner.launch.job import forget_ends
from runner.launch.report import as_markdown, as_text, percent, rows_of_jobs, rows_of_repeats, swept, value_of
from runner.launch.results import Outcome, Planned, Repeats, best_of, finished, job_folder, outcome, repeats
from runner.tracking.base import Resumed, RunInfo, Status
from runner.tracking.journal import FILE_NAME
from runner.tracking.mlflow.sweep import SweepTracker
from runner.tracking.provenance import command_line, provenance_tags

FILE = "sweep.json"
REPORT = "sweep.md"
LOCK = ".lock"
_SHARED = ("uri", "experiment", "if_unreachable")  # of a job's tracking


class Board:
    """One multirun. sources: a job's config → the files of its corpus."""

    def __init__(self, sources: Callable[[RunConfig], Sequence[SourceFile]]) -> None:
        self._sources = sources
        self._jobs: list[Planned] = []
        self._configs: list[RunConfig] = []
        self._ticket: Ticket | None = None
        self._tracker: SweepTracker | None = None
        self._about: dict[str, Any] = {}
        self._is_again = self._is_forced = False
        self._before: dict[str, Path] = {}
        self._lock: BinaryIO | None = None  # of the sweep's folder, held until the process or the sweep ends

    @property
    def n_to_run(self) -> int:
        return len(self._jobs) - len(self._ticket.done if self._ticket is not None else ())

    def begin(
        self,
        configs: Sequence[RunConfig],
        folder: Path,
        earlier: str,
        *,
        search: Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Ticket:
        """Before the first job. folder: where Hydra would put the sweep; the ticket's is where it belongs. earlier: a glob
        pattern of the folders in which the same sweep may have been before. search: what tells a search from others; its
        jobs come later, by `add`, n_jobs in all, and configs are of two ends of its space.

        Raises RunnerError where the folder holds another sweep or another process runs one there, or two jobs have one
        folder.
        """
        if search is None:
            _check_folders(configs)
        self._configs = list(configs)
        self._jobs = [
            Planned(config.job_number or 0, config.overrides, fingerprint(config, self._sources(config)))
            for config in configs
        ]
        force = configs[0].force
        told = [job.fingerprint for job in self._jobs] if search is None else [*search, self._jobs[0].fingerprint]
        identity = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
        keys = swept(job.overrides for job in self._jobs)
        if search is not None:
            self._jobs = []
        known = None if force else _known(earlier, identity)
        if known is None and (folder / FILE).exists() and not force:
            raise RunnerError(
                "this folder holds another sweep",
                place=str(folder),
                hint="Give another output_dir, or force=true to overwrite it.",
            )
        if known is not None:
            folder = known.parent
            about = json.loads(read_file(known))
            key, is_told = str(about["key"]), bool(about.get("is_told"))
        else:
            key, is_told = uuid.uuid4().hex, False
        self._take(folder)
        self._before = {} if force else _finished(earlier)
        self._is_forced = force
        done = {job.number: run for job in self._jobs if (run := self._run_before(job, folder)) is not None}
        names = dict(enumerate(names_of([job.overrides for job in self._jobs])))
        self._ticket = Ticket(key, folder, names, done, configs[0].fail_fast, n_jobs=n_jobs or len(self._jobs))
        forget_ends(self._ticket)
        is_told = is_told and not self.n_to_run and search is None
        self._about = {
            "fingerprint": identity,
            "key": key,
            "is_told": is_told,  # all of it is in MLflow
            "command": command_line(),
        }
        self._write()
        n = f"{len(self._jobs)} jobs" if search is None else f"search of {', '.join(keys)}"
        print(f"{n} in {folder}" + (f", {len(done)} of them finished before" if done else ""), flush=True)
        if not is_told:
            kind = "sweep" if search is None else "search"
            self._start_tracking(configs[0], f"{kind} {' '.join(keys)}", keys, is_again=known is not None)
        return self._ticket

    def _take(self, folder: Path) -> None:
        """Before the first write: two processes with the same sweep would write over each other's files and MLflow run."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = open_locked(folder / LOCK)
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(folder)) from error
        if self._lock is None:
            raise RunnerError(
                "another process runs a sweep in this folder", place=str(folder), hint="Wait for it, or end it."
            )

    def _leave(self, folder: Path) -> None:
        if self._lock is not None:
            remove_locked(folder / LOCK, self._lock)
            self._lock = None

    def add(self, configs: Sequence[RunConfig]) -> Ticket:
        """More jobs, of a search."""
        assert self._ticket is not None
        done, names = dict(self._ticket.done), dict(self._ticket.names)
        numbers = {config.job_number for config in configs}
        _check_folders([*(one for one in self._configs if one.job_number not in numbers), *configs])
        for config in configs:
            number = config.job_number or 0
            job = Planned(number, config.overrides, fingerprint(config, self._sources(config)))
            self._jobs = sorted([*(one for one in self._jobs if one.number != number), job], key=lambda one: one.number)
            self._configs = [*(one for one in self._configs if one.job_number != number), config]
            if (run := self._run_before(job, self._ticket.folder)) is not None:
                done[number] = run
        names |= dict(
            zip((job.number for job in self._jobs), names_of([job.overrides for job in self._jobs]), strict=True)
        )
        self._ticket = dataclasses.replace(self._ticket, done=done, names=names)
        self._write()
        return self._ticket

    def with_study(self, path: Path) -> Ticket:
        """From now on, jobs may be pruned by what that study knows."""
        assert self._ticket is not None
        self._ticket = dataclasses.replace(self._ticket, study=path)
        return self._ticket

    def _run_before(self, job: Planned, folder: Path) -> Path | None:
        """The folder of a run that makes this job needless."""
        if self._is_forced:
            return None
        own = job_folder(folder, job.number)
        return own if finished(own) == job.fingerprint else self._before.get(job.fingerprint)

    def _write(self) -> None:
        assert self._ticket is not None
        about = {**self._about, "jobs": [dataclasses.asdict(job) for job in self._jobs]}
        write_file(self._ticket.folder / FILE, json.dumps(about, indent=1) + "\n")

    def _start_tracking(self, config: RunConfig, name: str, keys: Sequence[str], *, is_again: bool) -> None:
        assert self._ticket is not None
        if config.tracking["type"] != "mlflow":
            return
        tracking = {key: value for key, value in config.tracking.items() if key in _SHARED}
        self._tracker = SweepTracker(self._ticket.key, **tracking)
        shared = _shared([one.as_dict() for one in self._configs])
        self._is_again = is_again and (self._ticket.folder / FILE_NAME).exists()
        self._tracker.start(
            RunInfo(
                name=config.run_name or name,
                experiment=config.experiment,
                output_dir=self._ticket.folder,
                config=shared,
                tags={
                    **provenance_tags(Path.cwd()),
                    "component": ",".join(config.pipeline.components),
                    "corpus": config.corpus.name or "files",
                    "swept": " ".join(keys),
                },
                components=(),
                resumed=Resumed(0, 0.0) if self._is_again else None,
            )
        )

    def outcomes(self) -> list[Outcome]:
        """How each job ended, or that it has not."""
        assert self._ticket is not None
        done, folder = self._ticket.done, self._ticket.folder
        return [outcome(job, done.get(job.number) or job_folder(folder, job.number)) for job in self._jobs]

    def end(self, status: Status, errors: Mapping[int, str]) -> None:
        """After the last job, or where the sweep was interrupted: tables, pictures, the sweep's run in MLflow.

        errors: of jobs that ended without a summary.
        """
        if self._ticket is None:
            return
        try:
            self._end(self._ticket, status, errors)
        finally:
            self._leave(self._ticket.folder)

    def _end(self, ticket: Ticket, status: Status, errors: Mapping[int, str]) -> None:
        found = [
            dataclasses.replace(one, status="FAILED", error=errors[one.job.number])
            if one.status != "FINISHED" and one.job.number in errors
            else one
            for one in self.outcomes()
        ]
        points = repeats(found)
        has_repeats = any(len(point.outcomes) > 1 for point in points)
        text = as_text(rows_of_jobs(found))
        markdown = ["# Sweep", "", as_code(command_line()), "", *as_markdown(rows_of_jobs(found))]
        if has_repeats:
            text += ["", *as_text(rows_of_repeats(points))]
            markdown += ["", "## Seeds as repeats", "", *as_markdown(rows_of_repeats(points))]
        won = gains(points)
        if won:
            rows = rows_of_gains(won, name_of_first(points))
            text += ["", *as_text(rows)]
            told = "Differences of equal seeds; clear: the interval leaves out 0."
            markdown += ["", "## What each gains", "", *as_markdown(rows), "", told]
        best = best_of(found)
        if best is not None:
            told = f"Best: job {best.job.number}, score {percent(best.score)}, {best.folder / 'model-best'}"
            text += ["", shown(told)]
            markdown += ["", plain_markdown(told)]
        print("\n" + "\n".join(text), flush=True)
        folder = ticket.folder
        write_file(folder / REPORT, "\n".join(markdown) + "\n")
        from runner.launch.pictures import draw

        files = [folder / REPORT, *draw(found, folder, won)]
        if self._tracker is None:
            return
        values = _values(found, points, has_repeats) | {f"gain_{gain.name}": gain.spread.mean for gain in won}
        is_interrupted = status == "KILLED"  # then numbers of the whole are for the command that ends it
        self._tracker.end(status, {} if is_interrupted else values, files, text, _failed(found, status))
        if has_repeats and not is_interrupted:
            self._track_repeats(points)
        self._about["is_told"] = status == "FINISHED"
        self._write()

    def _track_repeats(self, points: Sequence[Repeats]) -> None:
        """A run for each point, with what its seeds have in common and how they spread."""
        assert self._ticket is not None
        components = ",".join(self._configs[0].pipeline.components)
        names = names_of([point.overrides for point in points]) if len(points) > 1 else [components]
        by_number = {config.job_number: config for config in self._configs}
        for i, point in enumerate(points):
            if point.spread is None:
                continue
            configs = [by_number[one.job.number] for one in point.outcomes]
            tracking = {k: v for k, v in configs[0].tracking.items() if k in _SHARED}
            tracker = SweepTracker(f"{self._ticket.key}-{i}", **tracking)
            folder = self._ticket.folder / f"repeats-{i}"
            folder.mkdir(exist_ok=True)
            is_again = self._is_again and (folder / FILE_NAME).exists()
            tracker.start(
                RunInfo(
                    name=f"{len(point.outcomes)} seeds: {names[i]}",
                    experiment=configs[0].experiment,
                    output_dir=folder,
                    config=_shared([config.as_dict() for config in configs]),
                    tags={"aggregate": "true", "runs": " ".join(one.run_id or "-" for one in point.outcomes)},
                    components=(),
                    resumed=Resumed(0, 0.0) if is_again else None,
                    parent=self._ticket.key,
                )
            )
            table = as_text(rows_of_jobs(point.outcomes))
            tracker.end("FINISHED", _spread_values(point), [], table, None)


def names_of(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Each job by what tells it from the others. jobs: the overrides of each.

    >>> names_of([["seed=1", "dropout.start=0.2"], ["seed=1", "dropout.start=0.4"]])
    ['dropout.start=0.2', 'dropout.start=0.4']
    """
    keys = swept(jobs)
    return [" ".join(f"{key}={value_of(overrides, key)}" for key in keys) or " ".join(overrides) for overrides in jobs]


def _check_folders(configs: Sequence[RunConfig]) -> None:
    """Raises RunnerError where two jobs would write into one folder."""
    known: dict[Path, RunConfig] = {}
    for config in configs:
        other = known.setdefault(Path(os.path.normpath(config.output_dir)), config)
        if other is not config:
            raise RunnerError(
                f"jobs {other.job_number} and {config.job_number} would both write into {config.output_dir}",
                place="hydra.sweep.subdir",
                hint="Have the path tell them apart: 'hydra.sweep.subdir=${hydra.job.num}'",
            )


def _sweeps(earlier: str) -> list[tuple[Path, dict[str, Any]]]:
    """Each readable sweep.json in folders of that pattern, and its content."""
    found = []
    for path in map(Path, sorted(glob.glob(os.path.join(earlier, FILE)))):
        try:
            about = json.loads(read_file(path))
            if isinstance(about, dict):
                found.append((path, about))
        except (OSError, ValueError):
            continue
    return found


def _known(earlier: str, identity: str) -> Path | None:
    """The sweep.json of the same sweep, the last touched where there are several."""
    same = [path for path, about in _sweeps(earlier) if about.get("fingerprint") == identity]
    return max(same, key=lambda path: (path.stat().st_mtime, path), default=None)


def _finished(earlier: str) -> dict[str, Path]:
    """Fingerprint → the folder of a job that has finished, in sweeps of that pattern."""
    found = {}
    for path, about in _sweeps(earlier):
        jobs = about.get("jobs")
        for job in jobs if isinstance(jobs, list) else []:
            folder = job_folder(path.parent, job["number"])
            if known := finished(folder):
                found[known] = folder
    return found


def _shared(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these nested configs have in common, but for where they write."""
    first, *others = configs
    shared: dict[str, Any] = {}
    for key, value in first.items():
        if key == "output_dir" or any(key not in other for other in others):
            continue
        values = [other[key] for other in others]
        if isinstance(value, Mapping) and all(isinstance(other, Mapping) for other in values):
            if inner := _shared([value, *values]):
                shared[key] = inner
        elif all(other == value for other in values):
            shared[key] = value
    return shared


def _values(found: Sequence[Outcome], points: Sequence[Repeats], has_repeats: bool) -> dict[str, float]:
    """The metrics of the sweep's own run."""
    best = best_of(found)
    values = {
        "n_jobs": float(len(found)),
        "n_finished": float(sum(one.status == "FINISHED" for one in found)),
        "job_seconds": sum(one.seconds or 0.0 for one in found),
    }
    if best is not None and best.score is not None:
        values |= {"sweep_best_score": best.score, "best_job": float(best.job.number)}
        values |= {f"best_{key}": float(value) for key, value in (best.scores or {}).items()}
    means = [point.spread.mean for point in points if point.spread is not None]
    if has_repeats and means:
        values["best_mean_score"] = max(means)
    return values


def _spread_values(point: Repeats) -> dict[str, float]:
    assert point.spread is not None
    s = point.spread
    return {
        "n_seeds": float(s.n),
        "score_mean": s.mean,
        "score_sd": s.sd,
        "score_low": s.low,
        "score_high": s.high,
    }


def _failed(found: Sequence[Outcome], status: Status) -> str | None:
    """The sweep's error, for its tag."""
    failed = [one for one in found if one.status == "FAILED"]
    if not failed:
        return None if status == "FINISHED" else "interrupted"
    first = (failed[0].error or "failed").splitlines()[0]
    return f"{len(failed)} of {len(found)} jobs failed; job {failed[0].job.number}: {first}"
