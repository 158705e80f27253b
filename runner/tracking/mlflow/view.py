"""The prepared views of an experiment: which columns MLflow's runs page shows, and how it sorts the runs.

MLflow hides all metrics and parameters of the runs table until a person ticks them. A view that was shared from its page is
kept as an experiment tag, "deflate;" and the base64 of zlib-compressed JSON; this module writes two: "runner", sorted
within each task by the best score (see rank.py), and "sweeps", the latest first, which is the order in which MLflow folds a
sweep's runs under the sweep. Every run adds the scores that make up its final score, and the parameters in which it differs
from the defaults. MLflow itself decides that names come first, then metrics, parameters and tags, each by the alphabet.
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
from runner.tracking.mlflow.limits import clean_name
from runner.tracking.mlflow.rank import TAG as RANK
from runner.tracking.overrides import split_overrides
from runner.tracking.run_name import is_told

BEST_FIRST, SWEEPS = "runner", "sweeps"
OF_SWEEPS = tuple(f"metrics.`sweep/{key}`" for key in ("best_score", "score_mean", "score_low", "score_high"))
ALWAYS = (
    f"metrics.`{BEST_SCORE}`",
    f"metrics.`{BEST_EPOCH}`",
    f"metrics.`{TRAIN_SPEED}`",
    "params.`corpus.name`",
    "params.`seed`",
    "tags.`component`",
    "attributes.`Duration`",
    "attributes.`Created`",
)
MOST_PARAMS = 6  # columns of parameters that one run adds
_PACKED = "deflate;"


def weighed_scores(start: Mapping[str, Any]) -> list[str]:
    """The scores that make up a run's final score; all, if the run does not say. start: as in `columns_of`."""
    scores = list(start.get("scores", ()))
    return [score for score in scores if score in start.get("weighed", ())] or scores


def columns_of(start: Mapping[str, Any]) -> list[str]:
    """The columns that a run adds. start: the journal's first event.

    >>> columns_of({"scores": ["ents_p", "ents_f"], "weighed": ["ents_f"],
    ...             "tags": {"overrides": "optimizer=sgd dropout.start=0.2 corpus.train=a.jsonl"},
    ...             "params": {"optimizer.type": "sgd", "dropout.start": "0.2", "corpus.train": "a.jsonl"}})
    ['metrics.`dev/ents_f`', 'params.`optimizer.type`', 'params.`dropout.start`']
    """
    params = start.get("params", {})
    keys = [word.lstrip("+").partition("=")[0] for word in split_overrides(str(start["tags"].get("overrides", "")))]
    keys = [key if key in params else f"{key}.type" for key in keys if is_told(key)]
    differing = [key for key in dict.fromkeys(keys) if key in params][:MOST_PARAMS]
    metrics = [f"metrics.`{clean_name(f'dev/{score}')}`" for score in weighed_scores(start)]
    return [*metrics, *(f"params.`{key}`" for key in differing)]


def view_tags(columns: Sequence[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The experiment's tags that hold the views, with these columns.

    known: the tags that the experiment has; the columns of its views stay.
    """
    views = {
        BEST_FIRST: (f"tags.`{RANK}`", True, ALWAYS),
        SWEEPS: ("attributes.start_time", False, (*OF_SWEEPS, *ALWAYS)),
    }
    tags = {}
    for name, (order_by, is_ascending, own) in views.items():
        tag = f"mlflow.sharedViewState.{name}"
        state = _unpacked((known or {}).get(tag, ""))
        before = state["selectedColumns"] if state is not None else []
        all_columns = list(dict.fromkeys([*own, *before, *columns]))
        tags[tag] = _packed(_state(order_by, all_columns, is_ascending=is_ascending))
    return tags


def _state(order_by: str, columns: list[str], *, is_ascending: bool) -> dict[str, Any]:
    return {
        "searchFilter": "",
        "orderByKey": order_by,
        "orderByAsc": is_ascending,
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
