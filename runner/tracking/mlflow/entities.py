"""A run in MLflow's own terms: its experiment and its data sets."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException

from runner.files import take_lock
from runner.tracking.metric_names import BEST_SCORE, old_name
from runner.tracking.mlflow.limits import clean_name
from runner.tracking.mlflow.store import sqlite_path
from runner.tracking.mlflow.view import view_tags

_FLAGS = os.O_RDWR | os.O_CREAT | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
LOCK_SECONDS = 20.0  # that a process waits for another to make the store; then it goes on without the lock
# MLflow's pages read from these tags that models are trained here, and which metric compares runs.
PRIMARY_METRIC = "mlflow.experiment.primaryMetric.name"
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    PRIMARY_METRIC: BEST_SCORE,
    "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
}


@functools.cache
def leave_libraries_alone() -> None:
    """Take MLflow's objects out of garbage collection, once, when MLflow has loaded all it needs.

    There are 160,000 and more of them; looking through them again and again took a third of the time that metrics take.
    """
    gc.collect()
    gc.freeze()


def forget_places(ids: Iterable[str | None]) -> None:
    """Let MLflow drop the thread pool and the queue that it keeps for each of the last thousand runs and models."""
    kept = getattr(mlflow.tracking._tracking_service.utils, "_artifact_repos_cache", {})
    for one in ids:
        kept.pop(one, None)


def experiment_id(client: MlflowClient, name: str, root: str | None, columns: Sequence[str] = ()) -> str:
    """The experiment's id; made where it is missing, with its files under `root`.

    columns: of a run that belongs to it, see view.columns_of; the prepared views get them.
    Raises ValueError where it was deleted, and MlflowException.
    """
    known = client.get_experiment_by_name(name)
    if known is None:
        location = (Path(root) / clean_name(name).replace("/", "_").strip(" .")).as_uri() if root else None
        try:
            return str(
                client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS | view_tags(columns))
            )
        except MlflowException:
            known = client.get_experiment_by_name(name)  # made by another machine in this moment
            if known is None:
                raise
    if known.lifecycle_stage != "deleted":
        tags = EXPERIMENT_TAGS | known.tags | view_tags(columns, known.tags)
        if tags[PRIMARY_METRIC] == old_name(BEST_SCORE):
            tags[PRIMARY_METRIC] = BEST_SCORE
        for key in tags:  # those of an older version's experiment, or of one that was made by hand, may lack
            if tags[key] != known.tags.get(key):
                client.set_experiment_tag(known.experiment_id, key, tags[key])
    if known.lifecycle_stage == "deleted":
        raise ValueError(f"the experiment {name!r} was deleted; `mlflow experiments restore -x {known.experiment_id}`")
    return str(known.experiment_id)


@contextlib.contextmanager
def creation_lock(uri: str, tell: Callable[[str], object]) -> Iterator[None]:
    """Held by one process of this machine at a time while it opens a SQLite store: the first to open it makes it."""
    path = sqlite_path(uri)
    if path is None:
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = os.open(lock, _FLAGS, 0o600)
    except OSError:  # another user's, or a link: SQLite's own locks must do
        yield
        return
    try:
        began, is_told = time.monotonic(), False
        with contextlib.suppress(OSError):  # a file system without locks
            while not take_lock(file) and time.monotonic() - began < LOCK_SECONDS:
                if not is_told and time.monotonic() - began > 1.0:
                    is_told = True
                    tell(f"waiting for {lock}, which another process holds; at most {LOCK_SECONDS:.0f} seconds")
                time.sleep(0.05)
        yield
    finally:
        os.close(file)


def dataset_input(info: Mapping[str, Any]) -> DatasetInput:
    """A corpus file as MLflow's data set; its name holds the split, because MLflow merges equal names and digests."""
    name = f"{info['name']}-{info['split']}"
    dataset = Dataset(
        name=name,
        digest=info["digest"][:8],
        source_type="local",
        source=json.dumps({"uri": info["source"], "sha256": info["digest"]}),
        profile=json.dumps({"n_docs": info["n_docs"], "n_words": info["n_words"]}),
    )
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", info["split"])])
