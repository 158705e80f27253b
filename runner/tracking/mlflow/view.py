"""The prepared views of an experiment: which columns MLflow's runs page shows, and in which order.

MLflow hides all metrics and parameters of the runs table until a person ticks them. A view that was shared from its page is
kept as an experiment tag, "deflate;" and the base64 of zlib-compressed JSON; this module writes two: "runner", the best
runs first, and "sweeps", the latest first, which is the order in which MLflow folds a sweep's runs under the sweep.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

from runner.secrets import masked

BEST_FIRST, SWEEPS = "runner", "sweeps"
COLUMNS = (
    "metrics.`best_score`",
    "metrics.`ents_p`",
    "metrics.`ents_r`",
    "metrics.`ents_f`",
    "metrics.`tag_acc`",
    "metrics.`dep_uas`",
    "metrics.`dep_las`",
    "metrics.`cats_score`",
    "metrics.`best_epoch`",
    "metrics.`train_words_per_second`",
    "params.`optimizer.type`",
    "params.`optimizer.learn_rate`",
    "params.`dropout.start`",
    "params.`training.max_epochs`",
    "params.`corpus.name`",
    "params.`seed`",
    "attributes.`Duration`",
    "attributes.`Created`",
)


SWEEP_COLUMNS = ("metrics.`sweep_best_score`", "metrics.`score_mean`", "metrics.`score_low`", "metrics.`score_high`")


def view_tags() -> dict[str, str]:
    """The experiment's tags that hold the views."""
    return {
        f"mlflow.sharedViewState.{BEST_FIRST}": _view("metrics.`best_score`", COLUMNS),
        f"mlflow.sharedViewState.{SWEEPS}": _view("attributes.start_time", (*SWEEP_COLUMNS, *COLUMNS)),
    }


def _view(order_by: str, columns: Sequence[str]) -> str:
    state = {
        "searchFilter": "",
        "orderByKey": order_by,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(columns),
    }
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(state).encode())).decode("ascii")


def view_url(experiment_id: str, server: str = "http://127.0.0.1:5000", view: str = BEST_FIRST) -> str:
    """Where a started `mlflow ui` shows the experiment in this view."""
    return f"{server}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={view}"


def how_to_look(uri: str, experiment_id: str, cwd: Path | None = None, view: str = BEST_FIRST) -> list[str]:
    """What to type and where to go to see the runs of an experiment.

    >>> how_to_look("sqlite:////data/mlflow.db", "1", cwd=Path("/data"))[0]
    'MLflow: mlflow ui --backend-store-uri sqlite:///mlflow.db, then open'
    """
    uri = masked(uri)
    if uri.startswith(("http://", "https://")):
        return [f"MLflow: {view_url(experiment_id, uri.rstrip('/'), view=view)}"]
    here = f"sqlite:///{(cwd or Path.cwd()).as_posix()}/"
    shown = f"sqlite:///{uri.removeprefix(here)}" if uri.startswith(here) else uri
    return [
        f"MLflow: mlflow ui --backend-store-uri {shown}, then open",
        f"        {view_url(experiment_id, view=view)}",
    ]
