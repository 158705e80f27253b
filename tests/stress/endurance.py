"""A day of trainings in miniature: a multirun of thousands of short ones in one process must not grow.

    python -m tests.stress.endurance --jobs 2000

Every 50 jobs the process that trains and its child that talks to MLflow (a SQLite store) are looked at: resident memory, open
file descriptors, threads. The first 200 jobs are warming up; after them neither process may gain more than the bounds
below say. Needs Linux's /proc.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.commands.test_resume import TINY

MAX_KILOBYTES_PER_JOB = {"training": 4.0, "mlflow": 4.0}
SHORTEST = [
    "hydra/launcher=basic", *TINY, "pipeline=tagger", "corpus.limit=10", "training.max_epochs=1", "training.max_steps=4",
    "training.checkpoint_steps=null", "optimizer.use_averages=true",
]  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One look at one process."""

    kilobytes: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Sample:
        status = Path(f"/proc/{pid}/status").read_text()
        numbers = {key: int(re.search(rf"{key}:\s+(\d+)", status)[1]) for key in ("VmRSS", "Threads")}  # type: ignore[index]
        return cls(numbers["VmRSS"], len(os.listdir(f"/proc/{pid}/fd")), numbers["Threads"])


def child_of(pid: int) -> int | None:
    """The process that it has started, where it is one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def slope(points: list[tuple[int, float]]) -> float:
    """By least squares.

    >>> slope([(0, 1.0), (1, 3.0), (2, 5.0)])
    2.0
    """
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--every", type=int, default=50, help="jobs between two looks")
    parser.add_argument("--warm-up", type=int, default=200, help="jobs before growth counts")
    parser.add_argument("--tracking", default="mlflow", choices=("mlflow", "none"))
    parser.add_argument("overrides", nargs="*", help="further settings of the trainings")
    arguments = parser.parse_args()
    samples: list[tuple[int, Sample, Sample | None]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/errors", "w+") as errors:
        words = [*SHORTEST, f"tracking={arguments.tracking}", *arguments.overrides, f"seed=range(0,{arguments.jobs})"]
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", "-m", *words], cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        assert process.stdout is not None
        print("  job  seconds |  training MB  files  threads |  MLflow MB  files  threads", flush=True)
        for line in process.stdout:
            found = re.match(r"job (\d+) of", line)
            if found is None or int(found[1]) % arguments.every or not int(found[1]):
                continue
            child = child_of(process.pid)
            samples.append((int(found[1]), Sample.of(process.pid), Sample.of(child) if child else None))
            job, own, other = samples[-1]
            row = f"{job:5}  {time.monotonic() - began:7.0f} |  {own.kilobytes / 1024:11.1f}  {own.files:5}  {own.threads:7} |"
            if other is not None:
                row += f"  {other.kilobytes / 1024:9.1f}  {other.files:5}  {other.threads:7}"
            print(row, flush=True)
        code = process.wait()
        errors.seek(0)
        complaints = errors.read().strip()
        n_finished = sum('"FINISHED"' in path.read_text() for path in Path(folder).rglob("summary.json"))
    print(f"{n_finished} of {arguments.jobs} finished in {time.monotonic() - began:.0f} s, exit code {code}")
    if complaints:
        print(complaints[-2000:])
    faults = [] if code == 0 and n_finished == arguments.jobs else ["not every job has finished"]
    warm = [sample for sample in samples if sample[0] >= arguments.warm_up]
    for place, name in ((1, "training"), (2, "mlflow")):
        series = [(sample[0], sample[place]) for sample in warm if sample[place] is not None]
        if len(series) < 2:
            continue
        growth = slope([(job, float(one.kilobytes)) for job, one in series])
        print(
            f"{name}: {growth:+.2f} kB a job after the first {arguments.warm_up} (bound {MAX_KILOBYTES_PER_JOB[name]})"
        )
        if growth > MAX_KILOBYTES_PER_JOB[name]:
            faults.append(f"{name} grows")
        for what in ("files", "threads"):
            first, last = (getattr(one, what) for _, one in (series[0], series[-1]))
            if last > first + 2:
                faults.append(f"{name}: {what} {first} → {last}")
    print("; ".join(faults) or "flat")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
