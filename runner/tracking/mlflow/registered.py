"""The model registry: model-best as a new version, and an alias that moves to it only if it is better.

Better is decided by dev/best_score, between runs that were scored on the same dev data with the same pipeline.score_weights. All
of it is read from MLflow, so that a version that somebody registered by hand counts as well. Doing it again changes nothing:
a run has one version of a name at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, LoggedModel, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from runner.tracking.metric_names import BEST_SCORE, value_of
from runner.tracking.mlflow.errors import first_line, is_locked, is_outage

_WEIGHTS = "pipeline.score_weights"
_VERSIONS = "mlflow.modelVersions"  # MLflow's own tag


@dataclass(frozen=True)
class Standing:
    """How good a run's best model is, and by what measure.

    data: of each dev file the sha256, documents and words. weights: score → weight, as the run's parameters have them.
    """

    score: float | None
    data: tuple[tuple[Any, ...], ...]
    weights: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> Standing:
        """What MLflow has of a run."""
        data = sorted(_identity(dataset) for dataset in _dev_sets(run))
        weights = {key: value for key, value in run.data.params.items() if key.startswith(_WEIGHTS)}
        return cls(value_of(run.data.metrics, BEST_SCORE), tuple(data), weights)

    def why_not_better(self, other: Standing) -> str | None:
        """Why a model of this standing is not better than the other; None if it is."""
        if self.score is None:
            return "this run has no score"
        if other.score is None:
            return "that has no score to compare with"
        if self.data != other.data or not self.data:
            return "that was scored on other dev data"
        if self.weights != other.weights:
            return f"that was scored by other {_WEIGHTS}"
        if self.score <= other.score:
            return f"score {100 * other.score:.2f}, this one {100 * self.score:.2f}"
        return None


def register(client: MlflowClient, run_id: str, model: LoggedModel, name: str, alias: str | None) -> str:
    """Register a logged model of a run under `name`, and move the alias if it is better. Returns what was done, in a line.

    Raises what MLflow raises while nobody answers; whatever else MLflow refuses is told in the line.
    """
    try:
        version = _version_of(client, run_id, model, name) or _new_version(client, run_id, model, name)
        _link(client, model, version)
        line = f"Registered as {name}, version {version.version}"
        return f"{line}; {_alias(client, run_id, version, alias)}" if alias else line
    except MlflowException as error:
        if is_outage(error) or is_locked(error):
            raise
        return f"Not registered as {name}: {first_line(error)}"


def _version_of(client: MlflowClient, run_id: str, model: LoggedModel, name: str) -> ModelVersion | None:
    """The version that an earlier attempt has made of this model; None if there is none.

    MLflow's database keeps no id of the logged model with a version, and its address holds the id.
    """
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    return next((one for one in versions if one.name == name and model.model_id in str(one.source).split("/")), None)


def _new_version(client: MlflowClient, run_id: str, model: LoggedModel, name: str) -> ModelVersion:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name,
        model.artifact_location,
        run_id,
        description=_description(client.get_run(run_id)),
        await_creation_for=0,
        model_id=model.model_id,
    )


def _description(run: Run) -> str:
    """A version in a line: its score, and on what."""
    score, dev = value_of(run.data.metrics, BEST_SCORE), _dev_sets(run)
    on = f" on {dev[0].name} (#{dev[0].digest})" if dev else ""
    return f"Score {100 * score:.2f}{on}." if score is not None else f"No score{on}."


def _dev_sets(run: Run) -> list[Dataset]:
    """The data sets that the run was scored on."""
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    dev = ("mlflow.data.context", "dev")
    return [one.dataset for one in inputs if any((tag.key, tag.value) == dev for tag in one.tags)]


def _link(client: MlflowClient, model: LoggedModel, version: ModelVersion) -> None:
    """Note the version at the logged model, whose page shows it then."""
    try:
        known = json.loads(client.get_logged_model(model.model_id).tags.get(_VERSIONS, "[]"))
    except ValueError:
        known = []
    about = {"name": version.name, "version": version.version}
    if about not in known:
        client.set_logged_model_tags(model.model_id, {_VERSIONS: json.dumps([*known, about])})


def _alias(client: MlflowClient, run_id: str, version: ModelVersion, alias: str) -> str:
    """Move the alias to this version, if it is better than the holder; what became of it."""
    holder = client.get_registered_model(version.name).aliases.get(alias)
    if holder is not None and str(holder) == str(version.version):
        return f"{alias} is this version"
    if holder is None:
        client.set_registered_model_alias(version.name, alias, version.version)
        return f"{alias} is this version, the first to have it"
    other = client.get_model_version(version.name, holder)
    mine, theirs = Standing.of(client.get_run(run_id)), _standing(client, other)
    why_not = mine.why_not_better(theirs) if theirs is not None else "its run is not known"
    if why_not is not None or mine.score is None or theirs is None or theirs.score is None:
        return f"{alias} stays with version {holder}: {why_not}"
    client.set_registered_model_alias(version.name, alias, version.version)
    return f"{alias} moves from version {holder} (score {100 * theirs.score:.2f}) to it ({100 * mine.score:.2f})"


def _standing(client: MlflowClient, version: ModelVersion) -> Standing | None:
    """The standing of a version's run; None if the version is of no run, or its run is gone."""
    try:
        return Standing.of(client.get_run(version.run_id)) if version.run_id else None
    except MlflowException as error:
        if is_outage(error) or is_locked(error):
            raise
        return None


def _identity(dataset: Dataset) -> tuple[Any, ...]:
    """What tells a data set from others: its whole digest, and how much of it was read."""
    try:
        source, profile = json.loads(dataset.source), json.loads(dataset.profile or "{}")
        return str(source["sha256"]), str(profile.get("n_docs")), str(profile.get("n_words"))
    except (ValueError, KeyError, TypeError, AttributeError):  # logged by other software
        return str(dataset.digest), "", ""
