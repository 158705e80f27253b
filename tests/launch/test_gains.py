"""Differences of equal seeds, worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.launch.gains import gains, rows_of_gains
from runner.launch.results import Outcome, Planned, repeats


def points(**scores: list[float | None]):
    outcomes = []
    for variant, values in scores.items():
        for seed, score in enumerate(values):
            job = Planned(len(outcomes), [f"variant={variant}", f"seed={seed}"], "")
            status = "FAILED" if score is None else "FINISHED"
            outcomes.append(Outcome(job, status, Path("x"), score=score))
    return repeats(outcomes)


def test_what_is_left_out_gains_what_it_is_missed_by():
    found = gains(points(recipe=[0.5, 0.6, 0.7], no_averaging=[0.4, 0.52, 0.59], warmup=[0.51, 0.6, 0.72]))
    averaging, warmup = found
    assert (averaging.name, warmup.name) == ("averaging", "warmup")
    assert averaging.spread.mean == pytest.approx(0.29 / 3)  # .10 .08 .11
    assert warmup.spread.mean == pytest.approx(0.01)  # .01 .00 .02
    assert averaging.is_clear
    assert not warmup.is_clear
    half = 4.302653 * 0.01 / 3**0.5  # t of two degrees of freedom
    assert warmup.spread.high == pytest.approx(0.01 + half)


def test_pairs_are_of_equal_seeds():
    found = gains(points(recipe=[None, 0.6, 0.7], warmup=[0.9, 0.61, 0.73]))
    assert found[0].spread.n == 2
    assert found[0].spread.mean == pytest.approx(0.02)


def test_one_pair_tells_nothing():
    assert gains(points(recipe=[0.5, None], warmup=[0.6, 0.7])) == []
    assert gains(points(recipe=[0.5, 0.6])) == []


def test_the_table():
    found = gains(points(recipe=[0.5, 0.5], no_L2=[0.49, 0.51]))
    assert rows_of_gains(found, "recipe")[1] == ["L2", "+0.00", "1.41", "-12.71 to +12.71", ""]
