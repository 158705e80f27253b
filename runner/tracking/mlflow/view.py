"""The prepared views of an experiment: which columns MLflow's runs page shows, and in which order.

MLflow hides all metrics and parameters of the runs table until a person ticks them. A view that was shared from its page is
kept as an experiment tag, "deflate;" and the base64 of zlib-compressed JSON; this module writes two: "runner", the best
runs first, and "sweeps", the latest first, which is the order in which MLflow folds a sweep's runs under the sweep. Every
run adds the scores of its components.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.secrets import masked
from runner.tracking.metric_names import BEST_EPOCH, BEST_SCORE, TRAIN_SPEED

BEST_FIRST, SWEEPS = "runner", "sweeps"
OF_SWEEPS = tuple(f"metrics.`sweep/{key}`" for key in ("best_score", "score_mean", "score_low", "score_high"))
BEFORE_SCORES = (f"metrics.`{BEST_SCORE}`",)
AFTER_SCORES = (
    f"metrics.`{BEST_EPOCH}`",
    f"metrics.`{TRAIN_SPEED}`",
    "params.`optimizer.type`",
    "params.`optimizer.learn_rate`",
    "params.`dropout.start`",
    "params.`training.max_epochs`",
    "params.`corpus.name`",
    "params.`seed`",
    "attributes.`Duration`",
    "attributes.`Created`",
)
_PACKED = "deflate;"


def view_tags(scores: Sequence[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The experiment's tags that hold the views, with a column for each of these scores.

    known: the tags that the experiment has; the columns of its views stay.
    """
    views = {
        BEST_FIRST: (f"metrics.`{BEST_SCORE}`", BEFORE_SCORES),
        SWEEPS: ("attributes.start_time", (*OF_SWEEPS, *BEFORE_SCORES)),
    }
    tags = {}
    for name, (order_by, columns) in views.items():
        tag = f"mlflow.sharedViewState.{name}"
        state = _unpacked((known or {}).get(tag, ""))
        wanted = _state(order_by, [*columns, *AFTER_SCORES])
        if state is None:
            state = wanted
        elif columns[0] not in state["selectedColumns"]:  # of a version that called its metrics otherwise
            old = [column for column in state["selectedColumns"] if column not in wanted["selectedColumns"]]
            state = {**wanted, "selectedColumns": [*wanted["selectedColumns"], *old]}
        tags[tag] = _packed({**state, "selectedColumns": _with_scores(state["selectedColumns"], scores)})
    return tags


def _with_scores(columns: list[str], scores: Sequence[str]) -> list[str]:
    """The columns, and before the best epoch one for each score that has none."""
    more = [f"metrics.`{score}`" for score in scores]
    more = [column for column in more if column not in columns]
    position = columns.index(AFTER_SCORES[0]) if AFTER_SCORES[0] in columns else len(columns)
    return [*columns[:position], *more, *columns[position:]]


def _state(order_by: str, columns: list[str]) -> dict[str, Any]:
    return {
        "searchFilter": "",
        "orderByKey": order_by,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
    }


def _packed(state: Mapping[str, Any]) -> str:
    return _PACKED + base64.b64encode(zlib.compress(json.dumps(state).encode())).decode("ascii")


def _unpacked(tag: str) -> dict[str, Any] | None:
    """The state that a tag holds; None where it holds none with columns."""
    try:
        state = json.loads(zlib.decompress(base64.b64decode(tag.removeprefix(_PACKED))))
    except (ValueError, zlib.error):
        return None
    return state if isinstance(state, dict) and isinstance(state.get("selectedColumns"), list) else None


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
