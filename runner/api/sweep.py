"""`runner.sweep`: many runs, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.called import call
from runner.api.run import RunResult
from runner.errors import RunnerError

if TYPE_CHECKING:
    import pandas

    from runner.config.schema import RunConfig
    from runner.launch.results import Outcome


@dataclass(frozen=True)
class SweepResult:
    """How the jobs of a sweep ended. folder: the sweep's. jobs: a result for each, by number; a failed one has its `error`."""

    folder: Path
    jobs: tuple[RunResult, ...]

    @property
    def best(self) -> RunResult | None:
        """The finished run with the highest score; of equal scores the first. None if no run has finished."""
        done = [job for job in self.jobs if job.status == "FINISHED" and job.score is not None]
        return max(done, key=lambda job: job.score or 0.0, default=None)

    @property
    def failures(self) -> tuple[RunResult, ...]:
        """The jobs that failed."""
        return tuple(job for job in self.jobs if job.status == "FAILED")

    def frame(self) -> pandas.DataFrame:
        """A row for each job, its number as index: score, what was swept, status, epoch, seconds, path, and every score."""
        import pandas

        from runner.launch.report import swept, value_of

        keys = swept(job.overrides for job in self.jobs)
        rows = [
            {
                "score": job.score,
                **{key: _value(value_of(job.overrides, key)) for key in keys},
                "status": job.status,
                "epoch": job.epoch,
                "seconds": job.seconds,
                "path": str(job.output_dir),
                **({"error": job.error} if self.failures else {}),
                **{key: value for key, value in job.scores.items() if key not in ("score", *keys)},
            }
            for job in self.jobs
        ]
        frame = pandas.DataFrame(rows)
        frame.index.name = "job"
        return frame.astype({"epoch": "Int64"}) if rows else frame

    def __str__(self) -> str:
        best = f", best {self.best}" if self.best is not None else ""
        return f"{len(self.jobs)} jobs in {self.folder}{best}"

    def _repr_html_(self) -> str:
        from runner.launch.report import short, swept, value_of
        from runner.notebook.run import sweep_html

        keys = swept(job.overrides for job in self.jobs)
        rows = [["job", *short(keys), "score", "epoch", "seconds", "status"]]
        for number, job in enumerate(self.jobs):
            values = [value_of(job.overrides, key) for key in keys]
            score = f"{100 * job.score:.2f}" if job.score is not None else "–"
            seconds = f"{job.seconds:,.1f}" if job.seconds is not None else "–"
            rows.append([str(number), *values, score, str(job.epoch or "–"), seconds, job.status])
        best = self.jobs.index(self.best) if self.best is not None else None
        return sweep_html(str(self.folder), rows, best)


def sweep(overrides: Sequence[str], *, config_dir: str | Path | None = None) -> SweepResult:
    """Run what `python -m runner -m` with these words runs: a grid, repeats under several seeds, a search.

        sweep = runner.sweep(["optimizer=adam,radam", "dropout.start=0.2,0.4", "repeat=3"])
        print(sweep.frame().sort_values("score", ascending=False))
        nlp = sweep.best.load()

    As many jobs run at a time as there are cores. The same words again pass over what has finished. A job that fails does not
    stop the others and raises nothing: it is in `failures`, and told on stderr.

    Raises RunnerError if a job could not start, in which case none was started; RunFailed if a process was killed. An interrupt
    (KeyboardInterrupt) has the jobs keep their state: the same words go on.
    """
    runs = call("sweep", overrides, _run, config_dir)
    if runs.ticket is None:
        hint = "Leave the sweeper out, or take Optuna's."
        raise RunnerError("this sweeper tells nothing of its jobs", place="hydra/sweeper", hint=hint)
    jobs = tuple(_result(outcome) for outcome in runs.outcomes)
    return SweepResult(runs.ticket.folder.absolute(), jobs)


def _run(config: RunConfig) -> None:
    """A function of its own, since launchers send it to other processes."""
    from runner.commands.train import run

    run(config)


def _result(outcome: Outcome) -> RunResult:
    if outcome.status in ("FAILED", "not started"):  # the folder may hold another job's summary, or none
        return RunResult(
            outcome.folder.absolute(), outcome.status, overrides=tuple(outcome.job.overrides), error=outcome.error
        )
    return RunResult._of(outcome.folder.absolute(), outcome.job.overrides)


def _value(text: str) -> int | float | bool | str:
    """The value that a word gives a key: a number where it is one.

    >>> [_value(text) for text in ("0.2", "3", "adam", "true")]
    [0.2, 3, 'adam', True]
    """
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, int | float) else text
