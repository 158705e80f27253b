"""Which weights each choice keeps, worked by hand; and both sides of a run on a handful of docs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.defaults.cells import Run
from benchmarks.defaults.choices import CHOICES, Choices, smoothed
from benchmarks.defaults.corpora import prepare
from benchmarks.defaults.ours import Work, measure


def weights(value):
    return {"w": np.array([value], dtype="f")}


def kept(choices):
    return {name: (number, float(params["w"][0])) for name, (number, params) in choices.weights().items()}


def test_each_choice_keeps_its_weights():
    choices = Choices(3)
    # Smoothed: .25, .4, .5333, .6, .6333, .6: a lone peak at 2 loses against the steady end.
    for number, score in enumerate([0.2, 0.3, 0.7, 0.6, 0.5, 0.8, 0.4]):
        choices.record(score, weights(10.0 * number))
    assert kept(choices) == {"best": (5, 50.0), "last": (6, 60.0), "average": (None, 50.0), "smoothed": (4, 40.0)}


def test_a_lone_peak_is_not_chosen_by_the_smoothed_curve():
    choices = Choices(2)
    for number, score in enumerate([0.1, 0.9, 0.1, 0.6, 0.6, 0.6]):
        choices.record(score, weights(float(number)))
    assert [smoothed(choices.scores, i) for i in range(6)] == pytest.approx([0.5, 1.1 / 3, 1.6 / 3, 1.3 / 3, 0.6, 0.6])
    assert kept(choices) == {"best": (1, 1.0), "last": (5, 5.0), "average": (None, 4.5), "smoothed": (4, 4.0)}


def test_one_evaluation_is_all_choices():
    choices = Choices(3)
    choices.record(0.5, weights(7.0))
    assert {params for _, params in kept(choices).values()} == {7.0}


def test_weights_are_copied():
    choices, params = Choices(3), weights(1.0)
    choices.record(0.5, params)
    params["w"][0] = 9.0
    assert kept(choices)["best"] == (0, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("averages", ["true", "false"])
def test_our_side_scores_all_choices_from_one_training(averages, tmp_path):
    prepare("sample", tmp_path)
    settings = ("training.max_epochs=4", f"optimizer.use_averages={averages}")
    work = Work(Run("ours", "textcat_bow", "sample", 100, 0), str(tmp_path), settings, average=2)
    assert Work.from_json(work.to_json()) == work
    found = measure(work)
    assert [point["epoch"] for point in found["curve"]] == [1, 2, 3, 4]
    assert found["choices"].keys() == {*CHOICES}
    best = found["choices"]["best"]
    scores = [point["score"] for point in found["curve"]]
    assert best["evaluation"] == scores.index(max(scores))
    assert best["scores"] == {"dev": found["dev"], "test": found["test"]}
    assert found["choices"]["last"]["scores"]["dev"]["cats_macro_f"] == pytest.approx(scores[-1], abs=1e-6)
    assert 0 < found["curve"][0]["cpu_seconds"] < found["cpu_seconds"]


@pytest.mark.slow
def test_spacys_side_is_trained_on_the_same_docs(tmp_path, monkeypatch):
    pytest.importorskip("spacy")
    from benchmarks.defaults import peer

    monkeypatch.setattr(peer, "EVAL_EVERY", 4)
    monkeypatch.setattr(peer, "MOST_STEPS", 8)
    prepare("sample", tmp_path)
    found = peer.measure(Work(Run("spacy", "ner", "sample", 100, 0), str(tmp_path)))
    assert [point["step"] for point in found["curve"]] == [4, 8]
    assert (found["steps"], found["is_cut"]) == (8, False)
    ours = measure(Work(Run("ours", "ner", "sample", 100, 0), str(tmp_path), ("training.max_steps=2",)))
    assert found["train_words"] == ours["train_words"]
    assert {"ents_f"} <= found["dev"].keys() & found["test"].keys() & ours["test"].keys()
