"""Kill whole sweeps at random moments, issue them again, and hold the final table against that of an undisturbed one.

    python -m tests.stress.sweep_kills --kills 10 --seed 0

SIGKILL goes to every process of the sweep at once. Compared are the table (but for the seconds), every job's weights, and
that MLflow has one parent and all of its jobs FINISHED, each step of each metric once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.commands.test_resume import TINY
from tests.stress.sweep_interrupts import jobs_of

SWEEP = ("-m", "optimizer=adam,radam", "dropout=constant", "repeat=2", "training.max_epochs=8")


def issue(folder: Path, seconds: float | None, *more: str) -> bool:
    """Issue the sweep in that folder; False where it was killed after so many seconds."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *TINY, *SWEEP, *more], cwd=folder, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    return True


def runs(folder: Path) -> Any:
    """Status of the parent, of its jobs, and how many metrics are there twice."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'mlflow.db'}?mode=ro", uri=True)) as connection:
        parent = "(select value from tags where tags.run_uuid = runs.run_uuid and key = 'mlflow.parentRunId')"
        rows = connection.execute(f"select name, status, {parent} is null from runs").fetchall()
        twice = connection.execute(
            "select count(*) from (select 1 from metrics group by run_uuid, key, step having count(*) > 1)"
        ).fetchone()[0]
    return sorted(rows), twice


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tracking", default="mlflow", choices=("mlflow", "none"))
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    more = [f"tracking={arguments.tracking}"]
    is_tracked = arguments.tracking == "mlflow"
    n_same = n_kills = 0
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        began = time.monotonic()
        issue(whole, None, *more)
        duration = time.monotonic() - began
        expected = jobs_of(whole), runs(whole) if is_tracked else None
        while n_kills < arguments.kills:
            folder = Path(name) / f"sweep{n_kills}"
            folder.mkdir()
            at = moments.uniform(1.0, duration)
            if issue(folder, at, *more):
                continue  # it was over before
            n_kills += 1
            issue(folder, None, *more)
            ended = jobs_of(folder), runs(folder) if is_tracked else None
            n_same += ended == expected
            if ended != expected:
                print(
                    f"killed after {at:.1f} of {duration:.1f} s, it ended otherwise:\n{ended}\n{expected}", flush=True
                )
            print(f"{n_same} of {n_kills} the same", flush=True)
    return int(n_same < n_kills)


if __name__ == "__main__":
    sys.exit(main())
