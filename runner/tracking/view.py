"""The prepared view of an experiment: which columns MLflow's runs page shows, and in which order.

MLflow hides all metrics and parameters of the runs table until a person ticks them. A view that was shared from its page is
kept as an experiment tag, "deflate;" and the base64 of zlib-compressed JSON; this module writes one under the key "runner".
"""

from __future__ import annotations

import base64
import json
import zlib

KEY = "runner"
TAG = f"mlflow.sharedViewState.{KEY}"
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


def view_tag() -> str:
    """The value of the experiment tag `TAG`: best runs first, scores and main settings side by side."""
    state = {
        "searchFilter": "",
        "orderByKey": "metrics.`best_score`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(COLUMNS),
    }
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(state).encode())).decode("ascii")


def view_url(experiment_id: str, server: str = "http://127.0.0.1:5000") -> str:
    """Where a started `mlflow ui` shows the experiment in this view."""
    return f"{server}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={KEY}"
