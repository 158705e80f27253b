"""What came of a sweep as a whole: its tables as text and Markdown, its best job, its metrics in MLflow."""

from __future__ import annotations

from collections.abc import Sequence

from runner.foreign import as_code, shown
from runner.foreign import as_markdown as plain_markdown
from runner.launch.gains import gains, name_of_first, rows_of_gains
from runner.launch.report import as_markdown, as_text, percent, rows_of_jobs, rows_of_repeats
from runner.launch.results import Outcome, Spread, best_of, repeats
from runner.tracking.base import Status
from runner.tracking.metric_names import SWEEP_BEST_SCORE


class Conclusion:
    """outcomes: of each job. points: the jobs put together that differ in the seed alone. gains: of points over the first."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes
        self.points = repeats(outcomes)
        self.gains = gains(self.points)
        self.best = best_of(outcomes)

    @property
    def has_repeats(self) -> bool:
        """Whether a point ran under several seeds."""
        return any(len(point.outcomes) > 1 for point in self.points)

    def text(self, width: int | None = None) -> list[str]:
        """The lines that the console shows. width: of the terminal, in characters; None: whole tables."""
        lines = as_text(rows_of_jobs(self.outcomes), width)
        if self.has_repeats:
            lines += ["", *as_text(rows_of_repeats(self.points), width)]
        if self.gains:
            lines += ["", *as_text(rows_of_gains(self.gains, name_of_first(self.points)), width)]
        return [*lines, "", shown(self._best_line())] if self.best is not None else lines

    def markdown(self, command: str) -> list[str]:
        """The lines of sweep.md. command: the command line of the sweep."""
        lines = ["# Sweep", "", as_code(command), "", *as_markdown(rows_of_jobs(self.outcomes))]
        if self.has_repeats:
            lines += ["", "## Seeds as repeats", "", *as_markdown(rows_of_repeats(self.points))]
        if self.gains:
            rows = rows_of_gains(self.gains, name_of_first(self.points))
            meaning = "Differences of equal seeds; clear: the interval leaves out 0."
            lines += ["", "## What each gains", "", *as_markdown(rows), "", meaning]
        return [*lines, "", plain_markdown(self._best_line())] if self.best is not None else lines

    def _best_line(self) -> str:
        assert self.best is not None
        return f"Best: job {self.best.job.number}, score {percent(self.best.score)}, {self.best.folder / 'model-best'}"

    def metrics(self) -> dict[str, float]:
        """Of the sweep's own run."""
        counts = {
            "sweep/n_jobs": float(len(self.outcomes)),
            "sweep/n_finished": float(sum(outcome.status == "FINISHED" for outcome in self.outcomes)),
            "sweep/job_seconds": sum(outcome.seconds or 0.0 for outcome in self.outcomes),
        }
        best, values = self.best, {}
        if best is not None and best.score is not None:
            values = {SWEEP_BEST_SCORE: best.score, "sweep/best_job": float(best.job.number)}
            values |= {f"sweep/best_{key}": float(value) for key, value in (best.scores or {}).items()}
        means = [point.spread.mean for point in self.points if point.spread is not None]
        if self.has_repeats and means:
            values["sweep/best_mean_score"] = max(means)
        return values | {f"gain/{gain.name}": gain.spread.mean for gain in self.gains} | counts

    def error(self, status: Status) -> str | None:
        """Why the sweep did not finish, in one line; None where it did."""
        failed = [outcome for outcome in self.outcomes if outcome.status == "FAILED"]
        if not failed:
            return None if status == "FINISHED" else "interrupted"
        first = (failed[0].error or "failed").splitlines()[0]
        return f"{len(failed)} of {len(self.outcomes)} jobs failed; job {failed[0].job.number}: {first}"


def spread_metrics(spread: Spread) -> dict[str, float]:
    """Of a repeated point's own run."""
    return {
        "sweep/n_seeds": float(spread.n),
        "sweep/score_mean": spread.mean,
        "sweep/score_sd": spread.sd,
        "sweep/score_low": spread.low,
        "sweep/score_high": spread.high,
    }
