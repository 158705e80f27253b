"""Schedules: worked values are in the docstrings, which run here; edges follow."""

from __future__ import annotations

import doctest

import pytest

from runner.corpus import batching
from runner.errors import RunnerError
from runner.training import schedules


@pytest.mark.parametrize("module", [schedules, batching])
def test_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_compounding_shrinks_as_well_and_survives_a_million_steps():
    shrink = schedules.compounding(8.0, 1.0, 0.5)
    assert [shrink(step) for step in (0, 1, 3, 9)] == [8.0, 4.0, 1.0, 1.0]
    assert schedules.compounding(1.0, 16.0, 1.001)(10_000_000) == 16.0


def test_a_schedule_that_cannot_arrive_is_refused():
    with pytest.raises(RunnerError, match="away from stop"):
        schedules.compounding(1.0, 8.0, 0.5)
    with pytest.raises(RunnerError, match="leave no room"):
        schedules.warmup_linear(0.1, 10, 10)


def test_decaying_from_below_its_floor_stays_there():
    assert schedules.decaying(start=0.1, stop=0.2, decay=0.01)(50) == 0.1
