"""Prediction from raw text: which processes are made, what they measure, and what the table says."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks import predict
from benchmarks.__main__ import main
from benchmarks.jobs import Spec
from benchmarks.turns import Options
from runner.errors import RunnerError

needs_data = pytest.mark.skipif(
    not os.environ.get("RUNNER_DATA_MIRROR"), reason="RUNNER_DATA_MIRROR names no folder with the data sets"
)


def record(ops, seconds, turn=0, peak=100.0):
    spec = {"kind": "predict", "job": "ner", "texts": "long", "side": "ours" if ops else "spacy", "ops": ops}
    spec |= {"words": 1000, "turn": turn, "settings": []}
    machine = {"cpu": "X", "cores": 2}
    return {"spec": spec, "predict_words": 1000, "predict_cpu_seconds": seconds, "peak_mb": peak, "machine": machine}


def test_the_table_has_medians_over_turns_and_ratios_to_spacy():
    records = [record("numpy", s, turn) for turn, s in enumerate((0.01, 0.02, 0.1))]
    records += [record("numba", 0.01, peak=300.0), record("", 0.1, peak=500.0)]
    assert predict.table(records).rows == [
        ["ner", "long", "50,000", "100,000", "10,000", "5.0", "10.0", "100", "300", "500"]
    ]
    assert predict.metrics(records[-1]) == {
        "predict.ner.long.spacy.words_per_second": 10_000,
        "predict.ner.long.spacy.peak_mb": 500.0,
    }


def test_the_table_without_spacy_has_no_ratios():
    assert predict.table([record("numpy", 0.01)]).rows[0][2:7] == ["100,000", "–", "–", "–", "–"]


def test_sides_take_turns_and_what_is_kept_is_not_repeated(tmp_path, monkeypatch):
    steps = []

    def step(task, options):
        steps.append((task["step"], task.get("texts"), task.get("ops")))
        return {"predict_words": 10}

    monkeypatch.setattr(predict, "_step", step)
    monkeypatch.setattr(predict, "_sides", lambda sides: [("ours", "numpy"), ("ours", "numba")])
    options = Options(jobs=["ner"], sides=["ours"], turns=2, words=10, save=tmp_path)
    records = predict.run(options)
    measured = [step for step in steps if step[0] == "measure"]
    assert measured == [("measure", kind, ops) for kind in predict.TEXTS for ops in ("numpy", "numba") * 2]
    assert [r["spec"]["turn"] for r in records[:4]] == [0, 0, 1, 1]
    steps.clear()
    assert predict.run(options) == records
    assert steps == []


def test_an_unknown_job_is_told_before_anything_is_measured(capsys):
    assert main(["predict", "--jobs", "nerr", "--sides", "ours", "--no-mlflow"]) == RunnerError.exit_code
    assert "did you mean 'ner'" in capsys.readouterr().err


@needs_data
def test_texts_model_and_measurement(tmp_path):
    sentences, long, model = tmp_path / "sentences.jsonl", tmp_path / "long.jsonl", tmp_path / "model"
    predict.write_texts("sentences", 20, sentences)
    predict.write_texts("long", 20, long)
    texts = [json.loads(line) for line in sentences.read_text("utf8").splitlines()]
    assert len(texts) == 20
    (joined,) = [json.loads(line) for line in long.read_text("utf8").splitlines()]
    assert joined == [" ".join(text for text, _ in texts), sum(words for _, words in texts)]
    predict.train(Spec("speed", "ours", "tagger", "words", epochs=1, limit=20, width=8, depth=1), model)
    words = joined[1] + texts[0][1] + 1  # all texts, the first again, and as much of the next as it has
    task = {
        "side": "ours",
        "ops": "numpy",
        "threads": None,
        "model": str(model),
        "path": str(sentences),
        "words": words,
    }
    found = predict.measure(task)
    assert found["predict_docs"] == 22
    assert found["predict_words"] == joined[1] + texts[0][1] + texts[1][1]
    assert found["predict_cpu_seconds"] > 0 < found["peak_mb"]
