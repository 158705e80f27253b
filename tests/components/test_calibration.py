"""Calibration error by hand, and the temperature that mends it."""

from __future__ import annotations

import json
from math import log

import numpy as np
import pytest

import runner
from runner.components.calibrate import HIGHEST, LOWEST, calibrate, calibrations, lowest
from runner.components.calibration import Bin, Graded, calibration
from runner.components.storage import _meta_sha256
from runner.corpus.example import Example
from runner.errors import RunnerError
from tests.components.test_confidence import SMALL, TRAIN, full, several

# The error


def test_two_bins_by_hand():
    """Two bins: .2 and .4 with one right (mean .3, right .5); .6, .8, 1 with two right (mean .8, right 2/3)."""
    graded = Graded.of([(0.2, False), (0.4, True), (0.6, True), (0.8, False), (1.0, True)])
    result = calibration(graded, n_bins=2)
    assert result.ece == pytest.approx((2 * 0.2 + 3 * (0.8 - 2 / 3)) / 5)
    assert result.n == 5
    assert result.bins == [
        Bin(0.0, 0.5, 2, pytest.approx(0.3), 0.5),
        Bin(0.5, 1.0, 3, pytest.approx(0.8), pytest.approx(2 / 3)),
    ]


def test_empty_bins_are_left_out_and_borders_belong_below():
    result = calibration(Graded.of([(0.0, False), (0.5, True), (1.0, True)]), n_bins=4)
    assert [(b.low, b.high, b.n) for b in result.bins] == [(0.0, 0.25, 1), (0.25, 0.5, 1), (0.75, 1.0, 1)]
    assert result.ece == pytest.approx(0.5 / 3)


def test_nothing_predicted_has_no_error():
    assert calibration(Graded.of([])) == (None, 0, [])


def test_guesses_that_are_right_as_often_as_they_say_have_next_to_none():
    rng = np.random.default_rng(0)
    p = rng.random(100_000)
    result = calibration(Graded(p, rng.random(len(p)) < p))
    assert result.ece < 0.01
    assert len(result.bins) == 15
    assert calibration(Graded(p, rng.random(len(p)) < p**2)).ece == pytest.approx(1 / 2 - 1 / 3, abs=0.01)


# The temperature


def test_the_temperature_of_a_coin_by_hand():
    """Scores say 9 : 1, three of four are right: at T the odds are 9^(1/T) = 3, so T = 2."""

    def loss(T):
        p = 9 ** (1 / T) / (1 + 9 ** (1 / T))
        return -3 * log(p) - log(1 - p)

    assert lowest(loss) == pytest.approx(2.0, rel=1e-3)


def test_it_stays_within_bounds():
    assert lowest(lambda T: T) == pytest.approx(LOWEST, rel=1e-3)
    assert lowest(lambda T: -T) == pytest.approx(HIGHEST, rel=1e-3)
    with pytest.raises(RunnerError, match="no finite likelihood"):
        lowest(lambda T: float("inf"))


def recognizer(n_updates):
    nlp = runner.blank("en")
    nlp.add_pipe("ner", SMALL)
    sgd = nlp.initialize(TRAIN)
    for _ in range(n_updates):
        nlp.update(TRAIN, sgd=sgd)
    return nlp


def test_a_recognizer_that_is_right_and_unsure_gets_surer():
    nlp = recognizer(25)
    before = calibrations(nlp, TRAIN)["ner"]["entities"]
    unscored, unsure = nlp.evaluate(TRAIN), [ent.confidence for ent in nlp("Ada met Bo in Rome").ents]
    temperatures = calibrate(nlp, TRAIN)
    assert LOWEST <= temperatures["ner"] < 1
    after = calibrations(nlp, TRAIN)["ner"]["entities"]
    assert before.n == after.n >= 5
    assert after.ece < before.ece
    doc = nlp("Ada met Bo in Rome")
    assert all(later > earlier for later, earlier in zip([e.confidence for e in doc.ents], unsure, strict=True))
    scored = nlp.evaluate(TRAIN)
    assert {**scored, "speed": 0} == {**unscored, "speed": 0}


def test_the_fitted_temperature_has_the_lowest_loss_of_all_layers():
    nlp, examples = full(12), several()
    temperatures = calibrate(nlp, examples)
    assert set(temperatures) == {"tagger", "parser", "textcat"}
    for name, T in temperatures.items():
        losses = [loss for n, loss in nlp.likelihoods(examples) if n == name]
        at = {f: sum(loss(T * f) for loss in losses) for f in (0.8, 1.0, 1.25)}
        assert at[1.0] <= min(at.values()) or T * 0.8 < LOWEST


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_likelihood_is_that_of_the_confidence_if_all_is_right(temperature):
    """-log P = -Σ log confidence, where each prediction is the gold one."""
    nlp, (_, example) = full(40), several()
    likelihoods = dict(nlp.likelihoods([example]))
    nlp.meta["temperatures"] = dict.fromkeys(nlp.components, temperature)
    doc = nlp("Bo slept")
    assert (doc.tags, doc.heads, doc.deps) == (["N", "V"], [1, 1], ["subj", "root"])
    for name, layers in {"tagger": ["tags"], "parser": ["heads", "deps"]}.items():
        expected = -sum(log(p) for layer in layers for p in doc.confidence[layer])
        assert likelihoods[name](temperature) == pytest.approx(expected, rel=1e-4)
    assert likelihoods["textcat"](temperature) == pytest.approx(-log(doc.confidence["cats"]["SLEEP"]), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_likelihood_of_one_entity_alone_is_its_probability(temperature):
    nlp = recognizer(30)
    example = Example.from_dict(nlp.make_doc("Bo"), {"entities": [(0, 2, "PER")]})
    nlp.meta["temperatures"] = {"ner": temperature}
    (ent,) = nlp("Bo").ents
    assert ent.label == "PER"
    assert dict(nlp.likelihoods([example]))["ner"](temperature) == pytest.approx(-log(ent.confidence), rel=1e-4)


def test_it_is_kept_in_the_model_and_lost_with_the_weights(tmp_path):
    nlp = recognizer(3)
    temperatures = calibrate(nlp, TRAIN)
    nlp.to_disk(tmp_path / "model")
    again = runner.load(tmp_path / "model")
    assert again.meta["temperatures"] == temperatures
    text = "Ada met Bo in Rome"
    assert [e.confidence for e in again(text).ents] == [e.confidence for e in nlp(text).ents]
    again.update(TRAIN, sgd=again.resume_training())
    assert "temperatures" not in again.meta


@pytest.mark.parametrize("wrong", [{"ner": 0.0}, {"ner": "1"}, {"tagger": 1.0}, [1.0], {"ner": float("inf")}])
def test_a_model_with_another_kind_of_temperature_is_refused(tmp_path, wrong):
    nlp = recognizer(1)
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "model" / "meta.json"
    meta = {**json.loads(path.read_text(encoding="utf8")), "temperatures": wrong}
    path.write_text(json.dumps({**meta, "meta_sha256": _meta_sha256(meta)}), encoding="utf8")
    with pytest.raises(RunnerError, match="temperatures"):
        runner.load(tmp_path / "model")


def test_examples_without_gold_calibrate_nothing():
    nlp = recognizer(1)
    bare = [Example.from_dict(nlp.make_doc("Bo slept"), {"tags": ["N", "V"]})]
    with pytest.raises(RunnerError, match=r"no annotation .*\n  Give examples with gold annotation for one of: ner"):
        calibrate(nlp, bare)
    assert calibrations(nlp, bare) == {"ner": {"entities": (None, 0, [])}}


def test_labels_that_the_model_does_not_know_do_not_stop_it():
    nlp = recognizer(3)
    foreign = Example.from_dict(nlp.make_doc("Ada met Acme"), {"entities": [(0, 3, "PER"), (8, 12, "ORG")]})
    assert calibrate(nlp, [*TRAIN, foreign])["ner"] > 0
