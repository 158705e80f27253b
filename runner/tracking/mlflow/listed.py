"""The runs of a store as one line each, for `runner.runs`. MLflow is imported when `in_store` is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.tracking.listed import ListedRun
from runner.tracking.metric_names import BEST_EPOCH, BEST_SCORE, value_of
from runner.tracking.mlflow.runs import Store
from runner.tracking.overrides import split_overrides

if TYPE_CHECKING:
    from mlflow.entities import Run


def in_store(uri: str | None) -> list[ListedRun]:
    """All training runs of a store that runner has tracked, the latest first; sweeps' own runs are left out.

    uri: None for MLFLOW_TRACKING_URI, else for mlflow.db in the current folder. Raises RunnerError where there is no store.
    """
    with Store(uri) as store:
        return [_listed(run) for run in store.trained()]


def _listed(run: Run) -> ListedRun:
    tags, metrics, params = run.data.tags, run.data.metrics, run.data.params
    began, ended = run.info.start_time, run.info.end_time
    epoch = value_of(metrics, BEST_EPOCH)
    return ListedRun(
        path=str(tags.get("output_dir", "")),
        status=str(run.info.status),
        score=value_of(metrics, BEST_SCORE),
        overrides=split_overrides(tags.get("overrides", "")),
        component=tags.get("component"),
        corpus=tags.get("corpus"),
        seed=int(params["seed"]) if params.get("seed", "").isdecimal() else None,
        epoch=int(epoch) if epoch is not None else None,
        began=began / 1000 if began else None,
        seconds=(ended - began) / 1000 if began and ended else None,
        run_id=run.info.run_id,
    )
