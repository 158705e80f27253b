"""Everything measured reaches MLflow, and the picture is drawn."""

from __future__ import annotations

import pytest

from benchmarks.report import Table
from benchmarks.track import curve_points, log


def record(side, seed, *points):
    curve = [
        {"cpu_seconds": s, "score": score, "words": 100 * (i + 1), "epoch": i + 1}
        for i, (s, score) in enumerate(points)
    ]
    spec = {"kind": "accuracy", "side": side, "job": "ner", "batch": "words", "seed": seed, "settings": [], "limit": None,
            "threads": None, "width": 96, "depth": 4, "epochs": 2, "words": None}  # fmt: skip
    return {"spec": spec, "curve": curve, "machine": {"cpu": "Z80", "cores": 1}, "commit": "abc"}


RECORDS = [record("ours", 1, (1, 0.2)), record("ours", 0, (1, 0.4), (2, 0.5)), record("spacy", 0, (3, 0.3), (6, 0.45))]


def test_curves_are_those_of_the_first_seed():
    assert curve_points(RECORDS) == [
        ("curve.ner.words.ours", 0.4, 100), ("curve.ner.words.ours", 0.5, 200),
        ("curve.ner.words.spacy", 0.3, 100), ("curve.ner.words.spacy", 0.45, 200),
    ]  # fmt: skip


def test_a_run_holds_metrics_tables_and_records(tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run_id = log(
        "bench", RECORDS, [Table("T", ["job"], [["ner"]], n_text=1)], {"speed.ner.words.train_ratio": 5.5}, [], uri
    )
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["machine"] == "Z80, 1 core"
    assert run.data.metrics["speed.ner.words.train_ratio"] == 5.5
    history = client.get_metric_history(run_id, "curve.ner.words.spacy")
    assert [(point.step, point.value) for point in history] == [(100, 0.3), (200, 0.45)]
    assert {file.path for file in client.list_artifacts(run_id)} == {"tables.txt", "tables.md", "records.json"}


def test_the_picture_is_drawn_where_there_are_curves(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.plots import accuracy_plot

    assert accuracy_plot(RECORDS, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert not accuracy_plot([], tmp_path / "b.png")
