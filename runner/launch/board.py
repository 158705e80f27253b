"""A multirun as a whole: which of its jobs are still to run, its own run in MLflow, and what is shown at the end.

The folder keeps sweep.json (sweep_file.py), by which the same multirun is known when it is issued again. It then goes on in
that folder, whose numbers and whose run in MLflow stay.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from runner.config.schema import RunConfig
from runner.config.ticket import Ticket
from runner.corpus.datasets import SourceFile
from runner.errors import RunFailed, RunnerError
from runner.files import open_locked, remove_locked, write_file
from runner.launch.conclusion import Conclusion
from runner.launch.fingerprint import fingerprint
from runner.launch.folders import SweepFolder
from runner.launch.job import forget_ends
from runner.launch.report import names_of, percent, swept
from runner.launch.results import WAITING, Outcome, Planned, best_of, finished, job_folder, outcome
from runner.launch.sweep_file import SweepFile, digest, finished_jobs, opened
from runner.launch.tracked import TrackedSweep
from runner.progress import Minutes, clock
from runner.streams import terminal_width
from runner.tracking.base import Status
from runner.tracking.provenance import command_line

REPORT = "sweep.md"
LOCK = ".lock"


class Board:
    """One multirun. sources: a job's config → the files of its corpus."""

    def __init__(self, sources: Callable[[RunConfig], Sequence[SourceFile]]) -> None:
        self._sources = sources
        self._jobs: dict[int, Planned] = {}
        self._configs: dict[int, RunConfig] = {}
        self._is_forced = False
        self._before: dict[str, Path] = {}  # fingerprint → where an earlier sweep has finished such a job
        self._file: SweepFile | None = None
        self._ticket: Ticket | None = None
        self._tracked: TrackedSweep | None = None
        self._minutes: Minutes | None = None
        self._lock: BinaryIO | None = None  # of the sweep's folder, held until the process or the sweep ends
        self.concluded: list[Outcome] = []  # how each job ended, once the sweep is over

    @property
    def n_to_run(self) -> int:
        """The number of jobs that have not finished before."""
        return len(self._jobs) - len(self._ticket.done if self._ticket is not None else ())

    def begin(self, configs: Sequence[RunConfig], place: SweepFolder) -> Ticket:
        """Begin a grid, or go on with it. configs: of all of its jobs.

        The ticket's folder is where the sweep belongs: that of an earlier command if there was one. Raises RunnerError where
        the folder holds another sweep, another process runs one there, or two jobs have one folder.
        """
        _check_folders(configs)
        self._plan(configs)
        jobs = list(self._jobs.values())
        self._open(place, digest(job.fingerprint for job in jobs), is_forced=configs[0].force)
        ticket = self._issue(configs[0], len(jobs))
        keys = swept(job.overrides for job in jobs)
        n_done = f", {len(ticket.done)} of them finished before" if ticket.done else ""
        self._announce(f"{len(jobs)} jobs in {ticket.folder}{n_done}", f"sweep {' '.join(keys)}", keys)
        return ticket

    def begin_search(self, ends: Sequence[RunConfig], place: SweepFolder, space: Sequence[str], n_jobs: int) -> Ticket:
        """Begin a search, or go on with it; its jobs come later, by `add`, `n_jobs` in all.

        ends: configs of two ends of its space. space: what tells it from other searches. Raises as `begin` does.
        """
        self._plan(ends)
        keys = swept(job.overrides for job in self._jobs.values())
        file = self._open(place, digest([*space, self._jobs[0].fingerprint]), is_forced=ends[0].force)
        self._jobs = {}
        file.is_told = False
        ticket = self._issue(ends[0], n_jobs)
        self._announce(f"search of {', '.join(keys)} in {ticket.folder}", f"search {' '.join(keys)}", keys)
        return ticket

    def _open(self, place: SweepFolder, identity: str, *, is_forced: bool) -> SweepFile:
        """The sweep's file, in its folder, which is now locked."""
        file = opened(place, identity, is_forced=is_forced)
        self._take(file.folder)
        self._file, self._is_forced = file, is_forced
        self._before = {} if is_forced else finished_jobs(place.earlier)
        return file

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

    def _plan(self, configs: Iterable[RunConfig]) -> None:
        """Take jobs in, in place of those with the same numbers."""
        for config in configs:
            number = config.job_number or 0
            self._configs[number] = config
            self._jobs[number] = Planned(number, config.overrides, fingerprint(config, self._sources(config)))
        self._jobs = dict(sorted(self._jobs.items()))

    def _issue(self, config: RunConfig, n_jobs: int) -> Ticket:
        assert self._file is not None
        self._ticket = Ticket(self._file.key, self._file.folder, {}, fail_fast=config.fail_fast, n_jobs=n_jobs)
        forget_ends(self._ticket)
        return self._renew(self._jobs)

    def _renew(self, numbers: Iterable[int]) -> Ticket:
        """A ticket that knows the jobs of these numbers too; sweep.json then holds them."""
        assert self._file is not None
        assert self._ticket is not None
        before = {number: self._finished_before(self._jobs[number]) for number in numbers}
        done = {number: folder for number, folder in before.items() if folder is not None}
        names = dict(zip(self._jobs, names_of([job.overrides for job in self._jobs.values()]), strict=True))
        self._ticket = dataclasses.replace(self._ticket, done={**self._ticket.done, **done}, names=names)
        self._file.is_told = self._file.is_told and not self.n_to_run
        self._file.write(list(self._jobs.values()))
        return self._ticket

    def _announce(self, line: str, name: str, keys: Sequence[str]) -> None:
        """Print the line, and begin the sweep's run in MLflow, unless all of it is there already."""
        assert self._file is not None
        print(line, flush=True)
        config = next(iter(self._configs.values()))
        if config.tracking["type"] == "mlflow" and not self._file.is_told:
            self._tracked = TrackedSweep(self._file, self._configs)
            self._tracked.start(name, keys)
        if self.n_to_run:
            self._began, self._n_before = time.monotonic(), len(self._ended())
            self._minutes = Minutes(self._minute, sys.stdout)
            self._minutes.start()

    def _ended(self) -> list[Outcome]:
        return [one for one in self.outcomes() if one.status not in (WAITING, "KILLED")]

    def _minute(self) -> str:
        """What the console is told once a minute: jobs that have ended, the best of them, and the time that the others take."""
        assert self._ticket is not None
        ended, seconds = self._ended(), time.monotonic() - self._began
        line = f"{len(ended)} of {self._ticket.n_jobs} jobs have ended, {clock(seconds)} so far"
        if n_new := len(ended) - self._n_before:
            line += f", about {clock(seconds / n_new * (self._ticket.n_jobs - len(ended)))} left"
        best = best_of(ended)
        return f"{line}; best: job {best.job.number}, score {percent(best.score)}" if best is not None else line

    def add(self, configs: Sequence[RunConfig]) -> Ticket:
        """Take in more jobs, of a search."""
        numbers = {config.job_number for config in configs}
        _check_folders([*(self._configs[number] for number in self._jobs if number not in numbers), *configs])
        self._plan(configs)
        return self._renew(config.job_number or 0 for config in configs)

    def with_study(self, path: Path) -> Ticket:
        """From now on, jobs may be pruned by what the study in that file knows."""
        assert self._ticket is not None
        self._ticket = dataclasses.replace(self._ticket, study=path)
        return self._ticket

    def _finished_before(self, job: Planned) -> Path | None:
        """The folder of a run that makes this job needless."""
        assert self._file is not None
        if self._is_forced:
            return None
        own = job_folder(self._file.folder, job.number)
        return own if finished(own) == job.fingerprint else self._before.get(job.fingerprint)

    def outcomes(self) -> list[Outcome]:
        """How each job ended, or that it has not."""
        assert self._ticket is not None
        done, folder = self._ticket.done, self._ticket.folder
        return [
            outcome(job, done.get(number) or job_folder(folder, number)) for number, job in list(self._jobs.items())
        ]

    def end(self, status: Status, errors: Mapping[int, str]) -> None:
        """After the last job, or where the sweep was interrupted: tables, pictures, the sweep's run in MLflow.

        errors: job → message, of jobs that ended without a summary.
        """
        if self._file is None:
            return
        if self._minutes is not None:
            self._minutes.stop()
        try:
            self._end(self._file, status, errors)
        finally:
            self._leave(self._file.folder)

    def _end(self, file: SweepFile, status: Status, errors: Mapping[int, str]) -> None:
        from runner.launch.pictures import draw

        conclusion = Conclusion(
            [
                dataclasses.replace(outcome, status="FAILED", error=errors[outcome.job.number])
                if outcome.status != "FINISHED" and outcome.job.number in errors
                else outcome
                for outcome in self.outcomes()
            ]
        )
        self.concluded = list(conclusion.outcomes)
        print("\n" + "\n".join(conclusion.text(terminal_width(sys.stdout))), flush=True)
        report = file.folder / REPORT
        write_file(report, "\n".join(conclusion.markdown(command_line())) + "\n")
        files = [report, *draw(conclusion.outcomes, file.folder, conclusion.gains)]
        if self._tracked is not None:
            self._tracked.end(status, conclusion, files)
            file.is_told = status == "FINISHED"
            file.write(list(self._jobs.values()))


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
