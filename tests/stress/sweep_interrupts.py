"""Interrupt whole sweeps, issue them again, and hold jobs and MLflow against a sweep that was left alone.

    python -m tests.stress.sweep_interrupts --moments 10 --seed 0

A default sweep of six jobs, two at a time. SIGINT goes to its process group, as a terminal sends it, and SIGTERM to the
parent alone, each at so many moments of its output and of the time that it takes here. Compared are the weights of every
job, and that MLflow has each run once, FINISHED, with every step of each metric once. A job that the table calls
interrupted at a step must go on from there; no job is trained twice.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.commands.test_resume import TINY

SWEEP = ("-m", "optimizer=adam,radam,sgd", "dropout=constant", "seed=0,1", "training.checkpoint_steps=null")
TO_GROUP, TO_PARENT = "group", "parent"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
TIMES = "speed/"  # what the keys of measured times begin with


class Sweep:
    """One sweep under way in a folder of its own. workers: at a time, through joblib."""

    def __init__(self, folder: Path, *more: str, epochs: int = 12, workers: int = 2) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        words = [*TINY, *SWEEP, f"training.max_epochs={epochs}", "hydra/launcher=joblib"]
        words += [f"hydra.launcher.n_jobs={workers}", *more]
        self.log = (folder / "log").open("a+")
        self._began = self.log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runner", *words], cwd=folder, stdout=self.log, stderr=self.log, start_new_session=True
        )  # fmt: skip

    def until(self, text: str, seconds: float = 120.0) -> bool:
        """Wait until its output holds a match; False where it ended before."""
        deadline = time.monotonic() + seconds
        while not re.search(text, self.output()):
            if self.process.poll() is not None:
                return bool(re.search(text, self.output()))
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output()}"
            time.sleep(0.02)
        return True

    def send(self, number: signal.Signals, to: str) -> None:
        if to == TO_GROUP:
            os.killpg(self.process.pid, number)
        else:
            os.kill(self.process.pid, number)

    def end(self, seconds: float = 300.0) -> int:
        """Its exit code as a shell shows it (143: ended by SIGTERM); whatever is left of its group is killed."""
        try:
            code = self.process.wait(seconds)
            return code if code >= 0 else 128 - code
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def output(self) -> str:
        return Path(self.log.name).read_text("utf8")[self._began :]

    def close(self) -> None:
        self.log.close()


def jobs_of(folder: Path) -> list[tuple[Any, ...]]:
    """Overrides, status, best score, epoch and weights of each job of the one sweep in the folder."""
    (sweep,) = folder.glob("outputs/multirun/*/*/sweep.json")
    rows = []
    for job in json.loads(sweep.read_text())["jobs"]:
        summary = json.loads((sweep.parent / str(job["number"]) / "summary.json").read_text())
        best = summary["best"]
        rows.append((job["overrides"], summary["status"], best["score"], best["epoch"], summary["weights_sha256"]))
    return rows


def tracked(folder: Path) -> Any:
    """MLflow's runs and their metrics but for times: names, statuses; key, step and value of each metric."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'mlflow.db'}?mode=ro", uri=True)) as connection:
        runs = connection.execute("select run_uuid, name, status from runs").fetchall()
        names = {uuid: name for uuid, name, _ in runs}
        parents = connection.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'").fetchall()
        models = connection.execute("select source_run_id, name, status from logged_models").fetchall()
        rows = connection.execute("select run_uuid, key, step, value from metrics").fetchall()
    history = sorted(
        (names[uuid], key, step, value)
        for uuid, key, step, value in rows
        if not key.startswith((TIMES, "sweep/job_seconds"))
    )
    return (
        sorted((name, status) for _, name, status in runs),
        sorted((names[uuid], names[parent]) for uuid, parent in parents),
        sorted((names[uuid], name, status) for uuid, name, status in models),
        history,
    )  # fmt: skip


def kept_steps(output: str) -> dict[int, int]:
    """Job → the step at which the table says that it was interrupted."""
    rows = re.findall(r"^ *(\d+) .* interrupted at step ([\d,]+)", output, re.MULTILINE)
    return {int(job): int(step.replace(",", "")) for job, step in rows}


def resumed_steps(folder: Path) -> dict[int, int]:
    """Job → the step from which its last process went on."""
    (sweep,) = folder.glob("outputs/multirun/*/*/sweep.json")
    resumed = {}
    for log in sweep.parent.glob("*/job.log"):
        steps = re.findall(r"goes on after step ([\d,]+)", log.read_text())
        if steps:
            resumed[int(log.parent.name)] = int(steps[-1].replace(",", ""))
    return resumed


def trainings(folder: Path) -> int:
    """How often a job's training was begun from its first step."""
    (sweep,) = folder.glob("outputs/multirun/*/*/sweep.json")
    events = [
        json.loads(line)["event"]
        for path in sweep.parent.glob("[0-9]*/journal.jsonl")
        for line in path.open()
        if line.strip()
    ]
    return events.count("start")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=["SIGINT", "SIGTERM"], choices=["SIGINT", "SIGTERM", "SIGHUP"])
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    n_same = n = 0
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        whole = Sweep(Path(name) / "whole")
        assert whole.end() == 0, whole.output()
        whole.close()
        duration = time.monotonic() - began
        expected = jobs_of(whole.folder), tracked(whole.folder)
        print(f"left alone: {duration:.1f} s", flush=True)
        for number in (signal.Signals[name] for name in arguments.signals):
            to = TO_GROUP if number == signal.SIGINT else TO_PARENT
            done = 0
            while done < arguments.moments:
                at = duration * (0.15 + 0.8 * (done + moments.random()) / arguments.moments)
                problems, told = once(Path(name) / f"sweep{n}-{done}", number, to, at, expected)
                if told is None:
                    continue  # it was over before
                done += 1
                n += 1
                n_same += not problems
                print(f"{number.name} to the {to} at {at:4.1f} s: {told}; {n_same} of {n} as left alone", flush=True)
                for problem in problems:
                    print(f"  {problem}", flush=True)
    return int(n_same < n)


def once(folder: Path, number: signal.Signals, to: str, at: float, expected: Any) -> tuple[list[str], str | None]:
    """What is otherwise than it should be, and what happened; None where the sweep was over before the signal."""
    sweep = Sweep(folder)
    with contextlib.suppress(subprocess.TimeoutExpired):
        sweep.process.wait(at)
        sweep.close()
        return [], None
    sweep.send(number, to)
    sent = time.monotonic()
    code = sweep.end()
    seconds = time.monotonic() - sent
    first, kept = sweep.output(), kept_steps(sweep.output())
    sweep.close()
    problems = []
    if code != CODES[number]:
        problems.append(f"exit code {code}:\n{first}")
    again = Sweep(folder)
    if again.end() != 0:
        problems.append(f"the same command again failed:\n{again.output()}")
    again.close()
    resumed = resumed_steps(folder)
    late = {job: (step, resumed.get(job)) for job, step in kept.items() if resumed.get(job) != step and step > 0}
    if late:
        problems.append(f"job: (interrupted at, went on from) {late}")
    jobs, runs = jobs_of(folder), tracked(folder)
    if jobs != expected[0]:
        problems.append(f"the jobs are others:\n{jobs}\n{expected[0]}")
    for what, ours, theirs in zip(("runs", "parents", "models", "metrics"), runs, expected[1], strict=True):
        if ours != theirs:
            more = [row for row in ours if row not in theirs], [row for row in theirs if row not in ours]
            problems.append(f"MLflow's {what} are others: {len(ours)} for {len(theirs)}; {str(more)[:600]}")
    if trainings(folder) != len(jobs):
        problems.append(f"{trainings(folder)} trainings were begun for {len(jobs)} jobs")
    return problems, f"code {code} after {seconds:.1f} s, interrupted at {kept or 'no step'}"


if __name__ == "__main__":
    sys.exit(main())
