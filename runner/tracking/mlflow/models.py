"""Logged models: our folder as it is, the files by which MLflow knows it, and the scores of its evaluation."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric

from runner.foreign import as_block
from runner.tracking.metric_names import as_shown
from runner.tracking.mlflow.around import Contents, write_around
from runner.tracking.mlflow.limits import MAX_MODEL_PARAM_VALUE, MAX_TAG_VALUE, clean_name, cut
from runner.tracking.mlflow.store import MODEL_FOLDER


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
    own = start["tags"]
    tags = {key: own[key] for key in ("data_digest", "git_commit") if key in own}
    # What MLflow's page of a model reads "Created by" and "Logged from" off.
    known = {
        "mlflow.user": own.get("user"),
        "mlflow.source.name": own.get("command_line"),
        "mlflow.source.type": "LOCAL",
    }
    tags |= {key: cut(str(value), MAX_TAG_VALUE) for key, value in known.items() if value}
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
    dev: Mapping[str, str],
) -> None:
    """Write files and scores into a logged model, which is READY then.

    event: its part of the journal's last event, with the time of the scores in ms since 1970, and the run's `answer`.
    folder: of the saved model. dev: name and digest of the data that the scores were measured on.
    """
    outputs = client.get_run(run_id).outputs
    if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=event["step"])])
    with tempfile.TemporaryDirectory() as made:
        write_around(Path(made), model, run_id, Contents.of(folder, event))
        client.log_model_artifacts(model.model_id, made)
    client.log_model_artifacts(model.model_id, str(folder), artifact_path=MODEL_FOLDER)
    about: dict[str, Any] = {"model_id": model.model_id, "run_id": run_id, **dev}
    metrics = [
        Metric(clean_name(key), as_shown(key, float(value)), event["time"], event["step"], **about)
        for key, value in event["values"].items()
    ]
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    client.set_logged_model_tags(
        model.model_id, {"mlflow.note.content": description(model.model_id, event.get("answer"))}
    )
    client.finalize_logged_model(model.model_id, "READY")


def description(model_id: str, answer: Mapping[str, Any] | None) -> str:
    """What the model takes and answers, in Markdown, for its page. answer: the record that it gave for an example."""
    lines = ["Takes a text, a list of texts, or a table whose first column is `text`; answers one record a text.", ""]
    commands = [f"mlflow models serve -m models:/{model_id} -p 5001"]
    if answer:
        request = json.dumps({"inputs": [answer["text"]]}, ensure_ascii=False)
        commands.append(
            "curl 127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d " + shlex.quote(request)
        )
        answered = cut(json.dumps({"predictions": [answer]}, ensure_ascii=False), MAX_TAG_VALUE // 2)
        return cut("\n".join([*lines, *as_block(commands), "answers", "", *as_block([answered])]), MAX_TAG_VALUE)
    return "\n".join([*lines, *as_block(commands)])
