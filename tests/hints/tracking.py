"""Advice about MLflow's stores, and about names of spaCy."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest

import runner
from runner import spacy_names
from runner.config.compose import compose
from runner.tracking.journal import JournalWriter
from runner.tracking.mlflow import delivery
from runner.tracking.mlflow.errors import explained
from runner.tracking.mlflow.moved import store_for
from runner.tracking.mlflow.status import SyncStatus
from runner.tracking.mlflow.store import store_uri
from runner.tracking.mlflow.task import Task
from runner.tracking.mlflow.tracker import MlflowTracker

from .place import TINY, Place
from .story import story


@story("tracking/mlflow/delivery", "or train without: tracking=none")
def the_store_is_of_no_use(at: Place) -> None:
    at.patch.setattr(delivery, "current_follower", lambda: SimpleNamespace(follow=lambda task: None))
    journal = JournalWriter(at.folder / "journal.jsonl")
    task = Task(journal.path, "sqlite:///other.db")
    SyncStatus("", task.uri, task=task.name, error="no such table").write(journal.path)
    error = at.raised(delivery.Delivery(journal, task).look)
    assert error.place == "tracking.uri"
    compose([*TINY, "tracking=mlflow", "tracking.uri=sqlite:///other.db"])
    compose([*TINY, "tracking=none"])


@story(
    "tracking/mlflow/limits", "Name the model too: tracking.register=NAME",
    config__check="Track in MLflow: tracking=mlflow",
)  # fmt: skip
def names_for_the_registry(at: Place) -> None:
    at.raised(MlflowTracker, "sqlite:///mlflow.db", alias="best")
    at.follows("tracking=none", "tracking.register=names")
    at.command(*TINY, "tracking=mlflow", "tracking.register=names", "tracking.alias=best", "output_dir=out")


@story("tracking/mlflow/tracker", "pip install psutil")
def psutil_is_missing(at: Place) -> None:
    at.patch.setattr("importlib.util.find_spec", lambda name: None)
    at.raised(MlflowTracker, "sqlite:///mlflow.db", system_metrics=True)


@story("tracking/mlflow/store", "tracking.uri=sqlite:///PATH/mlflow.db")
def a_store_that_cannot_be_written(at: Place) -> None:
    with at.patch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        at.raised(store_uri, "sqlite:///mlflow.db")
    (at.folder / "here").mkdir()
    config = compose([*TINY, "tracking=mlflow", "tracking.uri=sqlite:///here/mlflow.db"])
    assert store_uri(config.tracking["uri"]) == f"sqlite:///{at.folder}/here/mlflow.db"


@story(
    "tracking/mlflow/tracker", "mlflow experiments restore -x", "Choose another, tracking.experiment=NAME",
    tracking__mlflow__entities="mlflow experiments restore -x", tracking__mlflow__errors="then: mlflow db upgrade",
    tracking__mlflow__runs="--tracking-uri or MLFLOW_TRACKING_URI name another",
)  # fmt: skip
def what_a_store_does_not_have(at: Place) -> None:
    at.command(*TINY, "tracking=mlflow", "output_dir=out")
    at.command(*TINY, "output_dir=other")
    uri = f"sqlite:///{at.folder}/mlflow.db"
    run_id = json.loads((at.folder / "out" / "summary.json").read_text(encoding="utf8"))["run_id"]
    at.command("compare", "0" * 32, "other/", code=2)
    (at.folder / "elsewhere").mkdir()
    os.chdir(at.folder / "elsewhere")
    at.command("compare", run_id, "../other", "--rounds", "9", code=2)
    at.command("compare", run_id, "../other", "--rounds", "9", "--tracking-uri", uri)
    at.patch.setenv("MLFLOW_TRACKING_URI", uri)
    at.command("compare", run_id, "../other", "--rounds", "9")

    from click.testing import CliRunner
    from mlflow import MlflowClient
    from mlflow.cli import cli

    from runner.tracking.mlflow.entities import experiment_id

    client = MlflowClient(tracking_uri=uri)
    number = experiment_id(client, "runner", None)
    client.delete_experiment(number)
    with pytest.raises(ValueError, match="deleted") as caught:  # where the child process finds it out
        experiment_id(client, "runner", None)
    at.told.append(str(caught.value))
    error = at.raised(MlflowTracker, uri)
    MlflowTracker(uri, "another")
    told = str(error.hint).partition("restore it: ")[2]
    variable, *command = shlex.split(told)
    assert (variable, command[0]) == (f"MLFLOW_TRACKING_URI={uri}", "mlflow")
    # a process of its own: another test may have told MLflow of another store in this one
    subprocess.run([sys.executable, "-m", "mlflow", *command[1:]], check=True, capture_output=True)
    MlflowTracker(uri)
    assert experiment_id(client, "runner", None) == number
    hint = explained(Exception("Detected out-of-date database schema (found version 1)"), uri)[1]
    at.told.append(str(hint))
    assert CliRunner().invoke(cli, str(hint).partition("mlflow ")[2].split()).exit_code == 0


@story(
    "spacy_names", "runner bootstrap TEXTS --patterns FILE", "on the command line; `python -m runner --help`",
    "or nlp.add_pipe(NAME, config)",
    'blank("en", seed=0)',
)  # fmt: skip
def names_of_spacy(at: Place) -> None:
    for kind, table in spacy_names._TABLES.items():
        at.told += [str(spacy_names.unknown(kind, object(), name)) for name in table]
    at.write("texts.txt", "Ada met Bo.\n")
    at.write("patterns.jsonl", [{"label": "PER", "pattern": [{"LOWER": "ada"}]}])
    at.command("bootstrap", "texts.txt", "--patterns", "patterns.jsonl")
    at.command("--help")
    assert runner.blank("en", seed=0).seed == 0
    assert runner.blank("en").add_pipe("ner", {"hidden_width": 8}).type == "ner"


@story("tracking/mlflow/moved", "sync --uri sends a run that has ended")
def two_stores_that_both_exist(at: Place) -> None:
    uris = [f"sqlite:///{at.write(name, 'x')}" for name in ("a.db", "b.db")]
    error = at.raised(store_for, *uris, at.folder, "tracking.uri")
    assert f"tracking.uri={uris[0]}" in str(error)
    assert store_for(uris[0], uris[0], at.folder, "tracking.uri") == uris[0]
    assert "--uri URI" in at.command("sync", "--help")
