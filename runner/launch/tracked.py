"""A sweep's own runs in MLflow: one for the whole, above its jobs' runs, and one for each point that ran under several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.config.schema import RunConfig
from runner.launch.conclusion import Conclusion, spread_metrics
from runner.launch.report import as_text, names_of, rows_of_jobs
from runner.launch.results import Repeats, Spread
from runner.launch.sweep_file import SweepFile
from runner.tracking.base import Resumed, RunInfo, Status
from runner.tracking.journal import FILE_NAME
from runner.tracking.mlflow.sweep import SweepTracker
from runner.tracking.provenance import provenance_tags

_SHARED = ("uri", "experiment", "if_unreachable")  # of a job's tracking


class TrackedSweep:
    """configs: the jobs' configs by their numbers; a search adds to them."""

    def __init__(self, file: SweepFile, configs: Mapping[int, RunConfig]) -> None:
        self._file, self._configs = file, configs
        self._tracker = self._make_tracker(file.key)
        self._is_again = file.is_again and (file.folder / FILE_NAME).exists()

    def start(self, name: str, keys: Sequence[str]) -> None:
        """name: of the run, where the config gives none. keys: those that are swept. Raises RunnerError."""
        config = next(iter(self._configs.values()))
        tags = {
            **provenance_tags(Path.cwd()),
            "component": ",".join(config.pipeline.components),
            "corpus": config.corpus.name or "files",
            "swept": " ".join(keys),
        }
        self._tracker.start(
            RunInfo(
                name=config.run_name or name,
                experiment=config.experiment,
                output_dir=self._file.folder,
                config=_common([one.as_dict() for one in self._configs.values()]),
                tags=tags,
                components=(),
                resumed=Resumed(0, 0.0) if self._is_again else None,
            )
        )

    def end(self, status: Status, conclusion: Conclusion, files: Sequence[Path]) -> None:
        """files: artifacts. An interrupted sweep gets no metrics: they are for the command that ends it."""
        is_interrupted = status == "KILLED"
        metrics = {} if is_interrupted else conclusion.metrics()
        self._tracker.end(status, metrics, files, conclusion.text(), conclusion.error(status))
        if conclusion.has_repeats and not is_interrupted:
            self._track_points(conclusion.points)

    def _track_points(self, points: Sequence[Repeats]) -> None:
        components = ",".join(next(iter(self._configs.values())).pipeline.components)
        names = names_of([point.overrides for point in points]) if len(points) > 1 else [components]
        for i, (point, name) in enumerate(zip(points, names, strict=True)):
            if point.spread is not None:
                self._track_point(i, point, name, point.spread)

    def _track_point(self, i: int, point: Repeats, name: str, spread: Spread) -> None:
        """A run with what a point's seeds have in common, and how their scores spread."""
        configs = [self._configs[outcome.job.number] for outcome in point.outcomes]
        components = ",".join(configs[0].pipeline.components)
        folder = self._file.folder / f"repeats-{i}"
        folder.mkdir(exist_ok=True)
        is_again = self._is_again and (folder / FILE_NAME).exists()
        tracker = self._make_tracker(f"{self._file.key}-{i}")
        tracker.start(
            RunInfo(
                name=f"{len(point.outcomes)} seeds: {name}",
                experiment=configs[0].experiment,
                output_dir=folder,
                config=_common([config.as_dict() for config in configs]),
                tags={
                    "component": components,
                    "aggregate": "true",
                    "runs": " ".join(outcome.run_id or "-" for outcome in point.outcomes),
                },
                components=(),
                resumed=Resumed(0, 0.0) if is_again else None,
                parent=self._file.key,
            )
        )
        tracker.end("FINISHED", spread_metrics(spread), [], as_text(rows_of_jobs(point.outcomes)), None)

    def _make_tracker(self, key: str) -> SweepTracker:
        tracking = next(iter(self._configs.values())).tracking
        return SweepTracker(key, **{name: value for name, value in tracking.items() if name in _SHARED})


def _common(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these nested configs have in common, but for where they write."""
    first, *others = configs
    common: dict[str, Any] = {}
    for key, value in first.items():
        if key == "output_dir" or any(key not in other for other in others):
            continue
        values = [other[key] for other in others]
        if isinstance(value, Mapping) and all(isinstance(other, Mapping) for other in values):
            if inner := _common([value, *values]):
                common[key] = inner
        elif all(other == value for other in values):
            common[key] = value
    return common
