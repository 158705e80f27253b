"""A store in which a version before the groups of metrics has written: its runs are read, ranked and shown beside new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.tracking.base import RunEnd
from runner.tracking.mlflow.registered import Standing
from runner.tracking.mlflow.runs import Store
from runner.tracking.mlflow.tracker import MlflowTracker
from runner.tracking.mlflow.view import _packed, _unpacked
from runner.tracking.past_run import Point

from ..conftest import make_run, three_steps

pytestmark = [pytest.mark.mlflow, pytest.mark.usefixtures("clean_environment", "fresh_mlflow")]

VIEW = "mlflow.sharedViewState.runner"
PRIMARY = "mlflow.experiment.primaryMetric.name"


def write_old(uri: str) -> tuple[Any, str]:
    """A run as that version wrote it; the client, and the run's id."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    view = _packed({"selectedColumns": ["metrics.`best_score`", "params.`mine`"]})
    experiment = client.create_experiment("runner", tags={PRIMARY: "best_score", VIEW: view})
    run_id = client.create_run(experiment, run_name="old").info.run_id
    numbers = [
        (1, {"loss": 8.0, "words": 2.0, "learn_rate": 0.1}),
        (
            2,
            {"loss": 4.0, "words": 4.0, "learn_rate": 0.1, "score": 0.5, "ents_f": 0.5, "epoch": 1.0, "ner_loss": 12.0},
        ),
        (2, {"best_score": 0.5, "best_epoch": 1.0, "best_step": 2.0, "prediction_words_per_second": 99.0}),
        (2, {"train_words": 6.0, "seconds": 2.0, "train_words_per_second": 3.0, "test/ents_f": 0.4}),
    ]
    metrics = [Metric(key, value, 1000 + step, step) for step, values in numbers for key, value in values.items()]
    client.log_batch(run_id, metrics=metrics)
    client.set_terminated(run_id)
    return client, run_id


def test_an_old_run_is_read_as_a_new_one(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client, run_id = write_old(uri)
    with Store(uri) as store:
        past = store.read(run_id)
    assert past.points == [Point(2, 1.0, 0.5, 12 / 6)]
    assert past.best == {"score": 0.5, "epoch": 1.0, "step": 2.0}
    assert past.figures == {
        "train_words": 6.0, "seconds": 2.0, "train_words_per_second": 3.0, "prediction_words_per_second": 99.0,
    }  # fmt: skip
    assert Standing.of(client.get_run(run_id)).score == 0.5


def test_a_new_run_joins_the_old_experiment_whose_view_goes_on(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client, old_id = write_old(uri)
    tracker = MlflowTracker(uri)
    tracker.start(make_run(tmp_path / "new"))
    for step in three_steps():
        tracker.record(step)
    run_id = tracker.finish(RunEnd("FINISHED"))
    experiment = client.get_experiment_by_name("runner")
    assert client.get_run(run_id).info.experiment_id == client.get_run(old_id).info.experiment_id
    assert experiment.tags[PRIMARY] == "dev/best_score"
    state = _unpacked(experiment.tags[VIEW])
    assert state is not None
    assert {"metrics.`dev/best_score`", "metrics.`best_score`", "params.`mine`"} <= set(state["selectedColumns"])
    with Store(uri) as store:
        past, old = store.read(str(run_id)), store.read(old_id)
    assert (past.best["score"], past.final["score"], old.best["score"]) == (0.4, 0.3, 0.5)
    assert [point.step for point in past.points] == [2, 3]
    assert past.points[0].loss == pytest.approx((8 + 8 / 2) / 200)
