"""The encoder beside PyTorch: which processes are made, what one measures, and what the table says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.encoder import clock, command, ours, texts
from runner.errors import RunnerError
from tests.model.encoder.small import write_encoder

SENTENCES = [["the", "cat", "sat"], ["dogs", "!"], ["a"], ["unbelievable", "mats", "."]]
MACHINE = {"cpu": "X", "cores": 2}


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "small", "bert")


def record(side: str, seconds: float, phase: str = "train", order: str = "corpus", peak: float = 100.0) -> dict:
    ours = side != command.PEER
    spec = {"kind": "encoder", "side": "ours" if ours else side, "ops": side if ours else "", "phase": phase}
    spec |= {"order": order, "encoder": "small"}
    return {"spec": spec, "n_words": 1000, "cpu_seconds": seconds, "peak_mb": peak, "machine": MACHINE}


def difference(value: float) -> dict:
    spec = {"kind": "encoder", "phase": "difference", "sentences": 4, "encoder": "small"}
    return {"spec": spec, "largest": {"numpy": value}, "n_words": 9, "machine": MACHINE}


def test_the_table_has_medians_over_turns_and_ratios_to_pytorch() -> None:
    records = [record("numpy", seconds) for seconds in (1.0, 0.5, 2.0)]
    records += [record("numba", 0.5), record(command.PEER, 4.0, peak=500.0), difference(1e-5)]
    shown = command.table(records)
    assert shown.rows == [
        ["forward and backward", "corpus", "1,000", "2,000", "250", "4.00", "8.00", "100", "100", "500"]
    ]
    assert "vectors of 9 words (4 sentences): 1.0e-05 (numpy)" in shown.notes[0]
    assert command.metrics(records[-1]) == {"encoder.difference.numpy": 1e-5}
    assert command.metrics(records[0])["encoder.train.corpus.numpy.words_per_second"] == 1000


def test_the_table_without_pytorch_has_no_ratios() -> None:
    assert command.table([record("numpy", 1.0)]).rows[0][2:7] == ["1,000", "–", "–", "–", "–"]


def test_sentences_are_cut_into_batches_of_at_most_so_many_words() -> None:
    assert texts.batches(SENTENCES, "corpus", 5) == [SENTENCES[:2], SENTENCES[2:]]
    assert texts.batches(SENTENCES, "length", 3) == [[["a"], ["dogs", "!"]], [SENTENCES[0]], [SENTENCES[3]]]
    assert texts.batches(SENTENCES, "corpus", 1) == [[one] for one in SENTENCES]


def test_without_pytorch_the_reason_is_told_and_ours_is_measured(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = []

    def in_process(module, arguments, *_, **__):
        if module.endswith("inputs"):
            return {"texts": "t", "encoder": str(encoder)}
        task = json.loads(arguments[0])
        steps.append((module.rpartition(".")[2], task["phase"], task["order"], task["ops"]))
        return {"n_words": 10, "cpu_seconds": 1.0, "peak_mb": 1.0, "machine": MACHINE}

    monkeypatch.setattr(command, "in_process", in_process)
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    monkeypatch.setattr(command, "why_no_peer", lambda python, data: "No module named 'torch'")
    assert main(["encoder", "--turns", "2", "--no-mlflow", "--save", str(tmp_path / "kept")]) == 0
    wanted = [("ours", phase, order, "numpy") for phase in ("predict", "train") for order in texts.ORDERS for _ in "12"]
    assert steps == wanted
    shown = capsys.readouterr()
    assert "PyTorch is not measured: No module named 'torch'" in shown.err
    assert 'pip install -e ".[bench-encoder]"' in shown.err
    assert "largest difference" not in shown.out
    assert main(["report", "--save", str(tmp_path / "kept")]) == 0
    assert "small, words per CPU second" in capsys.readouterr().out
    assert len(steps) == len(wanted)


def test_a_python_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunnerError, match="cannot run /nowhere/python"):
        command.why_no_peer("/nowhere/python", "")


def test_a_python_without_the_peer_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no wheel fits')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(command, "environment", lambda *_: {"PYTHONPATH": str(tmp_path)})
    assert command.why_no_peer(sys.executable, "") == "ImportError: no wheel fits"


@pytest.mark.parametrize("phase", ["predict", "train"])
def test_one_measurement_counts_words_and_keeps_the_vectors(phase: str, encoder: Path, tmp_path: Path) -> None:
    path, outputs = tmp_path / "sentences.jsonl", tmp_path / "outputs.npy"
    texts.write(path, SENTENCES)
    task = {"texts": str(path), "phase": phase, "order": "length", "words": 4, "outputs": str(outputs)}
    made = ours.make(str(encoder), "numpy")
    weights = made.parameters.weights.copy()
    found = clock.measured(lambda: made, task)
    assert found["n_words"] == 5  # the first two sentences
    assert found["cpu_seconds"] > 0 < found["peak_mb"]
    rows = np.load(outputs)
    assert rows.shape == (9, 12)
    np.testing.assert_allclose(rows[5:6], made.predict(made.prepare([["a"]])), atol=1e-5)
    np.testing.assert_array_equal(made.parameters.weights, weights)
    assert not made.parameters.gradient.any()
