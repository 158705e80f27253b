"""The model registry: one version a run, and an alias that moves to better models alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from runner.errors import RunnerError
from runner.tracking.base import RunEnd
from runner.tracking.mlflow.registered import Standing, register
from runner.tracking.mlflow.status import read_status
from runner.tracking.mlflow.sync import look, send
from runner.tracking.mlflow.tracker import MlflowTracker

from ..conftest import make_evaluation, make_models, make_run, make_step

pytestmark = pytest.mark.mlflow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def client(store: str) -> MlflowClient:
    return MlflowClient(tracking_uri=store, registry_uri=store)


def track(store: str, folder: Path, score: float, *, pruned: bool = False, dev: str = "ab" * 32, **names: Any) -> str:
    """Track a run with one evaluation in a folder; the run's id."""
    run = make_run(folder, pipeline={"score_weights": {"ents_f": 1.0}})
    datasets = [dataclasses.replace(one, digest=dev) if one.split == "dev" else one for one in run.datasets]
    tracker = MlflowTracker(store, **names)
    tracker.start(dataclasses.replace(run, datasets=datasets))
    tracker.record(make_step(1, evaluation=make_evaluation(score), is_best=True))
    run_id = tracker.finish(RunEnd("FINISHED", None, make_models(folder), is_pruned=pruned))
    assert run_id is not None
    return run_id


def versions(client: MlflowClient, name: str) -> dict[str, str]:
    """Version → the id of its run."""
    return {str(one.version): one.run_id for one in client.search_model_versions(f"name = '{name}'")}


@pytest.mark.slow
def test_the_alias_moves_to_better_models_alone(
    store: str, client: MlflowClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def registered(folder: str, score: float, **more: Any) -> str:
        track(store, tmp_path / folder, score, register="names", alias="champion", **more)
        (line,) = (line for line in capfd.readouterr().out.splitlines() if "names" in line and line.startswith("Reg"))
        return line

    assert registered("a", 0.4) == "Registered as names, version 1; champion is this version, the first to have it"
    assert registered("b", 0.3) == (
        "Registered as names, version 2; champion stays with version 1: score 40.00, this one 30.00"
    )
    assert registered("c", 0.5) == (
        "Registered as names, version 3; champion moves from version 1 (score 40.00) to it (50.00)"
    )
    assert registered("d", 0.5).endswith("champion stays with version 3: score 50.00, this one 50.00")
    assert registered("e", 0.9, dev="cd" * 32).endswith(
        "champion stays with version 3: that was scored on other dev data"
    )
    assert client.get_model_version_by_alias("names", "champion").version == 3
    assert client.get_model_version("names", "3").description == "Score 50.00 on tiny-dev (#abababab)."
    model = next(
        model for model in client.search_logged_models(["1"], filter_string="name = 'model-best'")
        if model.source_run_id == versions(client, "names")["1"]
    )  # fmt: skip
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "names", "version": 1}]


@pytest.mark.slow
def test_sending_a_run_again_registers_it_once(store: str, client: MlflowClient, tmp_path: Path) -> None:
    run_id = track(store, tmp_path / "out", 0.4, register="again", alias="best")
    journal = tmp_path / "out" / "journal.jsonl"
    (tmp_path / "out" / "synced.json").unlink()
    status = send(look(journal))
    assert status is not None
    assert status.registered == "Registered as again, version 1; best is this version"
    assert read_status(journal) == status
    assert versions(client, "again") == {"1": run_id}


@pytest.mark.slow
def test_a_run_that_a_search_ended_early_is_not_registered(store: str, client: MlflowClient, tmp_path: Path) -> None:
    track(store, tmp_path / "pruned", 0.4, pruned=True, register="pruned")
    assert versions(client, "pruned") == {}


def test_what_mlflow_refuses_is_told_and_an_outage_is_tried_again() -> None:
    def refuse(error: str) -> Any:
        raise MlflowException(error)

    model = SimpleNamespace(model_id="m-1", artifact_location="/nowhere")
    client: Any = SimpleNamespace(search_model_versions=lambda _: refuse("no permission"))
    assert register(client, "0" * 32, model, "names", None) == "Not registered as names: no permission"
    client = SimpleNamespace(search_model_versions=lambda _: refuse("Max retries exceeded"))
    with pytest.raises(MlflowException):
        register(client, "0" * 32, model, "names", None)


BEST = Standing(0.5, (("ab", "3", "30"),), {"pipeline.score_weights.ents_f": "1.0"})


@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"score": 0.6}, None),
        ({"score": 0.5}, "score 50.00, this one 50.00"),
        ({"score": None}, "this run has no score"),
        ({"score": 0.6, "data": (("ab", "2", "30"),)}, "that was scored on other dev data"),
        ({"score": 0.6, "data": ()}, "that was scored on other dev data"),
        ({"score": 0.6, "weights": {}}, "that was scored by other pipeline.score_weights"),
    ],
    ids=str,
)
def test_only_a_higher_score_on_the_same_data_is_better(changes: dict[str, Any], why_not: str | None) -> None:
    assert dataclasses.replace(BEST, **changes).why_not_better(BEST) == why_not


def test_a_holder_without_a_score_is_kept() -> None:
    assert BEST.why_not_better(dataclasses.replace(BEST, score=None)) == "that has no score to compare with"


@pytest.mark.parametrize(
    ("name", "alias", "place"),
    [
        ("", None, "tracking.register"),
        ("a/b", None, "tracking.register"),
        ("a:b", None, "tracking.register"),
        (None, "best", "tracking.alias"),
        ("names", "v3", "tracking.alias"),
        ("names", "latest", "tracking.alias"),
        ("names", "the best", "tracking.alias"),
    ],
)
def test_names_that_mlflow_does_not_take_are_refused_at_the_start(
    name: str | None, alias: str | None, place: str, tmp_path: Path
) -> None:
    with pytest.raises(RunnerError) as caught:
        MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", register=name, alias=alias)
    assert caught.value.place == place
