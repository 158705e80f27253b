"""A sweep's own run in MLflow: the parent of its jobs' runs, or of the repeats of one point.

It has no steps. Its parameters are those that all jobs share, its metrics sum up the jobs, its artifacts are tables and
pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from runner.tracking.base import RunEnd, RunInfo, Status
from runner.tracking.mlflow.tracker import MlflowTracker
from runner.tracking.mlflow.view import SWEEPS


class SweepTracker(MlflowTracker):
    """key: of its journal, by which the jobs' runs find it."""

    _view = SWEEPS

    def __init__(
        self,
        key: str,
        uri: str | None = None,
        experiment: str = "runner",
        run_name: str | None = None,
        if_unreachable: Literal["fail", "offline"] = "fail",
    ) -> None:
        super().__init__(uri, experiment, run_name, if_unreachable=if_unreachable)
        self.key = key
        self._values: dict[str, float] = {}
        self._files: list[Path] = []
        self._closing_table: list[str] = []

    def end(
        self,
        status: Status,
        values: Mapping[str, float],
        files: Sequence[Path],
        table: Sequence[str],
        error: str | None,
    ) -> str | None:
        """values: the run's metrics. files: its artifacts. table: its description. Returns the run's id.

        Raises RunnerError where nothing of it reached MLflow.
        """
        self._values, self._files = dict(values), list(files)
        self._closing_table = list(table)
        return self.finish(RunEnd(status, error))

    def _begin(self, run: RunInfo) -> None:
        self._table.lines = []  # it has no evaluations
        super()._begin(run)

    def _key(self) -> str:
        return self.key

    def _final_values(self) -> dict[str, float]:
        return self._values

    def _artifacts(self) -> list[Path]:
        return self._files

    def _remember(self, event: Mapping[str, Any]) -> None:
        pass
