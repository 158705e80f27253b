"""A benchmark as one MLflow run: every ratio a metric, every curve one over words; tables, plots and records as files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import describe
from benchmarks.report import Table
from runner.tracking.mlflow.store import ENVIRONMENT, artifact_root, store_uri

EXPERIMENT = "benchmarks"
MAX_METRICS = 1000  # a request


def log(
    name: str,
    records: Sequence[Mapping[str, Any]],
    tables: Sequence[Table],
    metrics: Mapping[str, float],
    files: Sequence[Path] = (),
    uri: str | None = None,
) -> str:
    """Send everything; returns the run's id. uri: None for MLFLOW_TRACKING_URI, else mlflow.db in the current folder."""
    address = store_uri(uri)
    os.environ |= {key: value for key, value in ENVIRONMENT.items() if key not in os.environ}
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        experiment = known.experiment_id
    else:
        root = artifact_root(address)
        location = (root / EXPERIMENT).as_uri() if root is not None else None
        experiment = client.create_experiment(EXPERIMENT, artifact_location=location)
    run = client.create_run(experiment, run_name=name, tags=tags_of(records))
    run_id = str(run.info.run_id)
    status = "FAILED"
    try:
        send(client, run_id, records, tables, metrics, files)
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status=status)
    return run_id


def send(
    client: Any,
    run_id: str,
    records: Sequence[Mapping[str, Any]],
    tables: Sequence[Table],
    metrics: Mapping[str, float],
    files: Sequence[Path] = (),
) -> None:
    """All metrics and files of the run, through MLflow's client."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [Metric(key, float(value), now, 0) for key, value in metrics.items()]
    points += [Metric(key, value, now, step) for key, value, step in curve_points(records)]
    for start in range(0, len(points), MAX_METRICS):
        client.log_batch(run_id, metrics=points[start : start + MAX_METRICS])
    client.log_text(run_id, "\n".join(table.plain() for table in tables), "tables.txt")
    client.log_text(run_id, "\n".join(table.markdown() for table in tables), "tables.md")
    client.log_text(run_id, json.dumps(list(records), indent=1), "records.json")
    for path in files:
        client.log_artifact(run_id, str(path))


def tags_of(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The machines and the states of the code that the records come from."""
    machines = sorted({describe(record["machine"]) for record in records})
    commits = sorted({record["commit"] for record in records if record.get("commit")})
    return {"machine": "; ".join(machines), "commits": " ".join(commits)[:5000]}


def curve_points(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, int]]:
    """(key, score, words trained) of every evaluation of the accuracy runs of the first seed that each side has."""
    first: dict[str, Mapping[str, Any]] = {}
    for record in records:
        spec = record["spec"]
        if spec["kind"] != "accuracy":
            continue
        key = f"curve.{spec['job']}.{spec['batch']}.{spec['side']}"
        if key not in first or spec["seed"] < first[key]["spec"]["seed"]:
            first[key] = record
    return [(key, float(p["score"]), int(p["words"])) for key, record in first.items() for p in record["curve"]]
