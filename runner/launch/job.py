"""One job of a sweep: skipped if its run has finished before, resumed if it was interrupted.

A job in a process of its own writes its table to job.log; the console shows when the job starts and how it ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.config.schema import RunConfig
from runner.config.ticket import Ticket
from runner.errors import RunnerError
from runner.launch.folders import remove_empty_run
from runner.launch.report import percent
from runner.launch.results import job_folder, note_folder, read_summary
from runner.training.keeper import FOLDER, checkpoints

LOG = "job.log"
FAILED = ".failed"  # in the sweep's folder, once a job has failed and fail_fast is set


def run_job(config: RunConfig, train: Callable[[RunConfig], None], *, is_apart: bool) -> float | None:
    """Run the job; return its best score, None without one. is_apart: the job has a process of its own.

    Raises what `train` raises.
    """
    ticket = config.sweep
    assert ticket is not None
    number = config.job_number
    assert number is not None
    name = f"job {number}"
    if number in ticket.done:
        score = _best_score(ticket.done[number])
        print(f"{name}: has finished before, score {percent(score)}", flush=True)
        return score
    if ticket.stop_file.exists():
        return None
    marker = ticket.folder / FAILED
    if ticket.fail_fast and marker.exists():
        print(f"{name}: not started, as another has failed", flush=True)
        return None
    config = _resumed(config, job_folder(ticket.folder, number))
    note_folder(ticket.folder, number, config.output_dir)
    title = f"{name} of {ticket.n_jobs}"
    began = time.monotonic()
    print(f"{title}: {ticket.names[number]}", flush=True)
    try:
        with _log(config.output_dir / LOG) if is_apart else contextlib.nullcontext():
            train(config)
    except KeyboardInterrupt:
        print(f"{title}: interrupted{_kept(config.output_dir)}", flush=True)
        raise
    except RunnerError:
        if ticket.fail_fast:
            with contextlib.suppress(OSError):
                marker.touch()
        raise
    score = _best_score(config.output_dir)
    if is_apart:
        print(f"{title}: score {percent(score)} after {time.monotonic() - began:,.0f} s", flush=True)
    return score


def _best_score(folder: Path) -> float | None:
    score: float | None = (read_summary(folder).get("best") or {}).get("score")
    return score


def _resumed(config: RunConfig, before: Path) -> RunConfig:
    """The config that resumes the job if it was interrupted, else `config`. before: where the job wrote at that time."""
    if config.resume is not None or not checkpoints(before / FOLDER):
        return config
    before = before.absolute()
    if before != config.output_dir:
        remove_empty_run(config.output_dir, has_own_name=True)
    resolved = {**config.as_dict(), "output_dir": str(before)}
    return dataclasses.replace(config, output_dir=before, resolved=resolved, resume="auto", has_own_folder=True)


def _kept(folder: Path) -> str:
    """The step at which an interrupted job goes on, as the end of a message; empty if none was kept."""
    step = next((step for step, _ in checkpoints(folder / FOLDER)), None)
    return f", kept at step {step:,}" if step is not None else ""


def forget_ends(ticket: Ticket) -> None:
    """Remove the marks of an earlier end, so that a sweep issued again starts its jobs."""
    for marker in (ticket.folder / FAILED, ticket.stop_file):
        marker.unlink(missing_ok=True)


@contextlib.contextmanager
def _log(path: Path) -> Iterator[None]:
    """Send what the job prints to a file."""
    with path.open("a", encoding="utf8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            yield
        finally:
            sys.stdout.flush()
