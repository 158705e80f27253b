"""Everything measured reaches MLflow, and the picture is drawn."""

from __future__ import annotations

import json

import pytest

from benchmarks.report import Table
from benchmarks.track import curve_points, send, tags_of


def record(side, seed, *points):
    curve = [
        {"cpu_seconds": s, "score": score, "words": 100 * (i + 1), "epoch": i + 1}
        for i, (s, score) in enumerate(points)
    ]
    spec = {"kind": "accuracy", "side": side, "job": "ner", "batch": "words", "seed": seed, "settings": [], "limit": None,
            "threads": None, "width": 96, "depth": 4, "evals": 1, "epochs": 2, "words": None}  # fmt: skip
    return {"spec": spec, "curve": curve, "machine": {"cpu": "Z80", "cores": 1}, "commit": "abc"}


RECORDS = [record("ours", 1, (1, 0.2)), record("ours", 0, (1, 0.4), (2, 0.5)), record("spacy", 0, (3, 0.3), (6, 0.45))]


def test_curves_are_those_of_the_first_seed():
    assert curve_points(RECORDS) == [
        ("curve.ner.words.ours", 0.4, 100), ("curve.ner.words.ours", 0.5, 200),
        ("curve.ner.words.spacy", 0.3, 100), ("curve.ner.words.spacy", 0.45, 200),
    ]  # fmt: skip


class Client:
    """Keeps what MLflow's client would send."""

    def __init__(self):
        self.batches, self.files = [], {}

    def log_batch(self, run_id, metrics):
        self.batches.append([(metric.key, metric.value, metric.step) for metric in metrics])

    def log_text(self, run_id, text, path):
        self.files[path] = text

    def log_artifact(self, run_id, path):
        self.files[path] = None


def test_metrics_curves_tables_and_records_are_sent():
    client = Client()
    metrics = {f"m{i}": float(i) for i in range(998)}
    send(client, "id", RECORDS, [Table("T", ["job"], [["ner"]], n_text=1)], metrics, ["a.png"])
    assert [len(batch) for batch in client.batches] == [1000, 2]  # MLflow takes a thousand a request
    assert client.batches[0][997] == ("m997", 997.0, 0)
    assert client.batches[1] == [("curve.ner.words.spacy", 0.3, 100), ("curve.ner.words.spacy", 0.45, 200)]
    assert json.loads(client.files["records.json"])[0]["spec"]["seed"] == 1
    assert client.files["tables.txt"].splitlines()[0] == "T"
    assert set(client.files) == {"tables.txt", "tables.md", "records.json", "a.png"}
    assert tags_of(RECORDS) == {"machine": "Z80, 1 core", "commits": "abc"}


def test_the_picture_is_drawn_where_there_are_curves(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.plots import accuracy_plot

    assert accuracy_plot(RECORDS, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert not accuracy_plot([], tmp_path / "b.png")
