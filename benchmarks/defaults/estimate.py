"""How long what is left will take, from the CPU seconds of similar finished runs and the pace so far."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from benchmarks.defaults.cells import Run
from benchmarks.defaults.records import Record, run_of

OVERHEAD = 4.0  # CPU seconds of a run beside its training: imports, reading, evaluations

LIKENESS: Sequence[Callable[[Run], object]] = (  # the first under which a finished run is alike is taken
    lambda run: (run.side, run.cell),
    lambda run: (run.side, run.component, run.size),
    lambda run: (run.cell,),
    lambda run: (run.side, run.component),
    lambda run: (run.side,),
    lambda run: (),
)


def cost(run: Run, records: Iterable[Record]) -> float | None:
    """Expected CPU seconds of a run: the median of the finished runs most like it. None if none has finished."""
    done = [(run_of(record), float(record["cpu_seconds"])) for record in records]
    for like in LIKENESS:
        seconds = [cpu for other, cpu in done if like(other) == like(run)]
        if seconds:
            return statistics.median(seconds) + OVERHEAD
    return None


class Pace:
    """How many CPU seconds of runs are finished in a second of the clock, all processes of the folder together.

    done: the runs that were finished at the start.
    """

    def __init__(self, done: Iterable[Record], clock: Callable[[], float] = time.perf_counter) -> None:
        self._before = {record["name"] for record in done}
        self._clock, self._began = clock, clock()

    def left(self, runs: Sequence[Run], records: Sequence[Record]) -> float | None:
        """Seconds until `runs` are finished; None if no record tells."""
        costs = [cost(run, records) for run in runs]
        if not runs or None in costs:
            return 0.0 if not runs else None
        new = sum(float(one["cpu_seconds"]) + OVERHEAD for one in records if one["name"] not in self._before)
        elapsed = self._clock() - self._began
        pace = new / elapsed if new and elapsed > 0 else 1.0
        return sum(seconds or 0.0 for seconds in costs) / pace


def duration(seconds: float) -> str:
    """
    >>> duration(48), duration(1500), duration(9000)
    ('48 s', '25 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
