"""All runs, each in a process of its own. A finished run adds a line to runs.jsonl, and is not repeated.

Several processes may work in one folder: a run that another process has begun is passed over.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.defaults.cells import SIDES, Run
from benchmarks.defaults.corpora import CORPORA, prepare
from benchmarks.defaults.estimate import Pace, duration
from benchmarks.defaults.records import append, is_enough, key_of, read
from benchmarks.report import best_score
from benchmarks.turns import commit, in_process, say
from runner.errors import RunnerError
from runner.files import open_locked

ALL = "all"  # of --sizes: all examples of a corpus


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. Empty corpora, components, sizes: all of them.

    average: see ours.py's Work. fresh: sides whose runs of another commit are repeated.
    """

    folder: Path
    sides: Sequence[str] = SIDES
    corpora: Sequence[str] = ()
    components: Sequence[str] = ()
    sizes: Sequence[int | str] = ()
    seeds: Sequence[int] = (0, 1, 2)
    settings: tuple[str, ...] = ()
    average: int | None = None
    fresh: Sequence[str] = ()

    @property
    def corpora_folder(self) -> Path:
        return self.folder / "corpora"


def plan(asked: Asked) -> list[Run]:
    """The runs in the order in which they are made, and their corpora are prepared.

    Seed by seed, so that a picture of all cells is there early; within a seed small cells before large ones.
    """
    runs = []
    for name in asked.corpora or CORPORA:
        wanted = [one for one in CORPORA[name].components if not asked.components or one in asked.components]
        sizes = prepare(name, asked.corpora_folder) if wanted else []
        for size in sizes:
            if not asked.sizes or size in asked.sizes or (size == sizes[-1] and ALL in asked.sizes):
                runs += [
                    Run(side, one, name, size, seed) for seed in asked.seeds for one in wanted for side in asked.sides
                ]
    return sorted(runs, key=lambda run: (run.seed, run.size))


def largest(runs: Sequence[Run], asked: Asked) -> dict[str, int]:
    """Corpus → the number of all its training docs."""
    return {name: prepare(name, asked.corpora_folder)[-1] for name in {run.corpus for run in runs}}


def work(runs: Sequence[Run], asked: Asked) -> list[str]:
    """Do what is not done. Returns the names of the runs that failed; what they said was printed."""
    locks = asked.folder / "running"
    locks.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    most, pace = largest(runs, asked), Pace(read(asked.folder))
    for number, run in enumerate(runs, 1):
        if is_done(run, asked, read(asked.folder), most[run.corpus]):
            continue
        lock = open_locked(locks / lock_name(run, asked))
        if lock is None:  # another process is at it
            continue
        with lock:
            if is_done(run, asked, read(asked.folder), most[run.corpus]):
                continue
            began = time.perf_counter()
            about = f"[{number}/{len(runs)}] {run.name}"
            try:
                record = {**described(run), **measured(run, asked)}
            except RunnerError as error:
                failed.append(run.name)
                say(f"{about}: failed\n  {error}")
                continue
            append(asked.folder, record)
        took = f"{record['cpu_seconds']:.1f} CPU s ({time.perf_counter() - began:.0f} s)"
        say(f"{about}: dev {best_score(record):.4f}, {took}{rest(runs, asked, most, pace)}")
    return failed


def lock_name(run: Run, asked: Asked) -> str:
    """Of the file that a process locks while it makes the run with these settings."""
    settings = " ".join(asked.settings) if run.side != "spacy" else ""
    digest = f"_{hashlib.sha256(settings.encode()).hexdigest()[:8]}" if settings else ""
    return run.name.replace(" ", "_") + digest


def is_done(run: Run, asked: Asked, records: Sequence[dict[str, Any]], largest: int) -> bool:
    """Whether the run has a record that counts, or needs none."""
    settings = asked.settings if run.side != "spacy" else ()
    for record in records:
        if key_of(record) != (run.name, settings):
            continue
        has_choices = record.get("average") == asked.average or asked.average is None or run.side == "spacy"
        if has_choices and (run.side not in asked.fresh or record["commit"] == commit()):
            return True
    return is_enough(run, asked.seeds[0], largest, records)


def described(run: Run) -> dict[str, Any]:
    """What a record says beside the results."""
    return {"name": run.name, **run.as_dict(), "commit": commit(), "measured": time.strftime("%Y-%m-%d %H:%M")}


def measured(run: Run, asked: Asked) -> dict[str, Any]:
    """Train in a process of its own, with one BLAS thread."""
    from benchmarks.defaults.ours import Work

    folder = str(asked.corpora_folder)
    if run.side == "spacy":
        return in_process("benchmarks.defaults.peer", [Work(run, folder).to_json()], 1)
    made = Work(run, folder, asked.settings, asked.average)
    return in_process("benchmarks.defaults.ours", [made.to_json()], 1)


def rest(runs: Sequence[Run], asked: Asked, most: dict[str, int], pace: Pace) -> str:
    """How many runs are left, and how long they take at the pace so far."""
    records = read(asked.folder)
    left = [run for run in runs if not is_done(run, asked, records, most[run.corpus])]
    seconds = pace.left(left, records)
    return f"; {len(left)} left" + (f", about {duration(seconds)}" if left and seconds is not None else "")
