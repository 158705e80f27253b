"""Logged models: our folder as it is, the files by which MLflow knows it, and the scores of its evaluation."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.models import Model
from mlflow.pyfunc import add_to_model

from runner import __version__
from runner.tracking.mlflow.limits import MAX_MODEL_PARAM_VALUE, clean_name, cut
from runner.tracking.mlflow.store import MODEL_FOLDER

LOADER = "runner.tracking.mlflow.flavor"


def known_model(client: MlflowClient, experiment_id: str, run_id: str, name: str) -> LoggedModel | None:
    """The logged model of that name that an earlier process made for this run; None if there is none."""
    models = client.search_logged_models(
        [experiment_id], filter_string=f"source_run_id = '{run_id}' AND name = '{name}'"
    )
    return models[0] if models else None


def new_model(
    client: MlflowClient, experiment_id: str, run_id: str, name: str, start: Mapping[str, Any]
) -> LoggedModel:
    """Make a logged model without files. start: the journal's first event."""
    tags = {key: start["tags"][key] for key in ("data_digest", "git_commit") if key in start["tags"]}
    return client.create_logged_model(
        experiment_id,
        name=name,
        source_run_id=run_id,
        params={clean_name(key): cut(text, MAX_MODEL_PARAM_VALUE) for key, text in start["params"].items()},
        tags=tags,
        model_type=start["tags"].get("component") or "runner",
    )


def log_model(
    client: MlflowClient,
    run_id: str,
    model: LoggedModel,
    event: Mapping[str, Any],
    folder: Path,
    time: int,
    dev: Mapping[str, str],
) -> None:
    """Write files and scores into a logged model, which is READY then.

    event: its part of the journal's last event. folder: of the saved model. time: of the scores, in ms since 1970, where
    the event has none. dev: name and digest of the data they were measured on.
    """
    outputs = client.get_run(run_id).outputs
    if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=event["step"])])
    with tempfile.TemporaryDirectory() as made:
        write_mlmodel(Path(made), model, run_id)
        client.log_model_artifacts(model.model_id, made)
    client.log_model_artifacts(model.model_id, str(folder), artifact_path=MODEL_FOLDER)
    about: dict[str, Any] = {"model_id": model.model_id, "run_id": run_id, **dev}
    metrics = [
        Metric(clean_name(key), float(value), event.get("time", time), event["step"], **about)
        for key, value in event["values"].items()
    ]
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    client.finalize_logged_model(model.model_id, "READY")


def write_mlmodel(folder: Path, model: LoggedModel, run_id: str) -> None:
    """MLmodel and the requirements, by which MLflow lists, serves and loads the model; nothing is pickled."""
    requirements = [f"declarative-runner=={__version__}"]
    described = Model(
        artifact_path=model.artifact_location, run_id=run_id, model_uuid=model.model_id, model_id=model.model_id
    )
    described.add_flavor("runner", runner_version=__version__, data=MODEL_FOLDER)
    add_to_model(described, loader_module=LOADER, data=MODEL_FOLDER, python_env="python_env.yaml")
    described.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf8")
    python = ".".join(str(part) for part in sys.version_info[:3])
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment), encoding="utf8")
