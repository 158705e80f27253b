"""Outcomes read from folders, and the spread of repeats against worked answers."""

from __future__ import annotations

import json
import math

import pytest

from runner.launch.results import Outcome, Planned, best_of, finished, outcome, repeats, spread


def job(number: int = 0, *overrides: str, fingerprint: str = "f") -> Planned:
    return Planned(number, list(overrides), fingerprint)


def test_spread_by_hand():
    found = spread([0.80, 0.82, 0.81, 0.83, 0.84])
    sd = math.sqrt(0.001 / 4)  # squared distances from .82: .0004 + 0 + .0001 + .0001 + .0004
    assert found.mean == pytest.approx(0.82)
    assert found.sd == pytest.approx(sd)
    half = 2.776445 * sd / math.sqrt(5)  # Student's t with 4 degrees of freedom, 97.5 %, from a printed table
    assert (found.low, found.high) == (pytest.approx(0.82 - half), pytest.approx(0.82 + half))


def test_one_value_has_no_spread():
    assert spread([0.5]) == (1, 0.5, 0.0, 0.5, 0.5)


def write(folder, **summary):
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_an_outcome_is_what_the_summary_says(tmp_path):
    best = {"epoch": 3, "score": 0.5, "scores": {"ents_f": 0.5, "per_type": {}}}
    folder = write(tmp_path / "0", status="FINISHED", fingerprint="f", best=best, seconds=2.5, run_id="r", error=None)
    found = outcome(job(), folder)
    assert (found.status, found.score, found.epoch, found.seconds, found.run_id) == ("FINISHED", 0.5, 3, 2.5, "r")
    assert found.scores == {"ents_f": 0.5}


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"status": "FINISHED", "fingerprint": "another"}'])
def test_nothing_of_this_job(tmp_path, text):
    if text is not None:
        (tmp_path / "summary.json").write_text(text)
    assert outcome(job(), tmp_path).status == "not started"


def test_finished_but_killed_over_its_last_words(tmp_path):
    folder = write(tmp_path / "0", status="FINISHED", fingerprint="f")
    assert finished(folder) == "f"
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "step-000000120.ckpt").write_bytes(b"x")
    from runner.training.keeper import checkpoints

    assert checkpoints(folder / "checkpoint"), "the name of a checkpoint has changed"
    assert finished(folder) is None


def test_failed_runs_are_not_finished(tmp_path):
    assert finished(write(tmp_path / "0", status="FAILED", fingerprint="f")) is None


def test_the_best_is_the_first_of_equal_finished_ones(tmp_path):
    def one(number, status, score):
        return Outcome(job(number), status, tmp_path, score=score)

    outcomes = [one(0, "FAILED", 0.9), one(1, "FINISHED", 0.5), one(2, "FINISHED", 0.7), one(3, "FINISHED", 0.7)]
    assert best_of(outcomes).job.number == 2
    assert best_of(outcomes[:1]) is None


def test_repeats_differ_in_the_seed_alone(tmp_path):
    words = [("optimizer=adam", "seed=0"), ("optimizer=adam", "seed=1"), ("optimizer=sgd", "seed=0")]
    outcomes = [
        Outcome(job(i, *each), "FINISHED", tmp_path, score=score)
        for i, (each, score) in enumerate(zip(words, (0.1, 0.3, 0.5), strict=True))
    ]
    points = repeats(outcomes)
    assert [point.overrides for point in points] == [("optimizer=adam",), ("optimizer=sgd",)]
    assert points[0].spread.mean == pytest.approx(0.2)
    assert points[1].spread.n == 1


def test_a_run_without_a_score_takes_no_part_in_the_choice(tmp_path):
    absent = write(
        tmp_path / "0", status="FINISHED", fingerprint="f", best={"epoch": 1, "score": None, "scores": {"ents_f": None}}
    )
    poor = write(tmp_path / "1", status="FINISHED", fingerprint="f", best={"epoch": 1, "score": 0.0, "scores": {}})
    outcomes = [outcome(job(0, "seed=0"), absent), outcome(job(1, "seed=1"), poor)]
    assert best_of(outcomes) is outcomes[1]
    assert (outcomes[0].score, outcomes[0].scores) == (None, {})
    assert repeats(outcomes)[0].spread == (1, 0.0, 0.0, 0.0, 0.0)
