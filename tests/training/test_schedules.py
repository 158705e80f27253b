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
    with pytest.raises(RunnerError, match=r"share is 1\.5; it must be from 0 to 1"):
        schedules.delayed(0.1, 1.5, 10)
    with pytest.raises(RunnerError, match="total_steps is 0; it must be at least 1"):
        schedules.delayed(0.1, 0.5, 0)


def test_a_delay_of_everything_never_ends_and_one_of_nothing_is_none():
    assert [schedules.delayed(0.1, share, 4)(step) for share in (1.0, 0.0) for step in (0, 3)] == [0.0, 0.0, 0.1, 0.1]


def test_decaying_from_below_its_floor_stays_there():
    assert schedules.decaying(start=0.1, stop=0.2, decay=0.01)(50) == 0.1


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.constant(0.5),
        schedules.compounding(1.0, 8.0, 2.0),
        schedules.decaying(0.6, 0.2, 0.1),
        schedules.linear(1.0, 0.0, 4),
        schedules.warmup_linear(1.0, 2, 6),
        schedules.delayed(1.0, 0.5, 6),
    ],
)
def test_a_schedule_is_a_function_and_an_iterator(schedule):
    values = [schedule(step) for step in range(6)]
    assert [next(schedule) for _ in range(4)] == values[:4]
    assert schedule(0) == values[0]
    assert [value for value, _ in zip(schedule, range(2), strict=False)] == values[4:6]


def test_a_schedule_that_epochs_share_goes_on():
    sizes = schedules.compounding(1.0, 8.0, 2.0)
    epochs = [[len(batch) for batch in batching.minibatch(range(7), size=sizes)] for _ in range(3)]
    assert epochs == [[1, 2, 4], [7], [7]]  # 8 and 8 are asked for
    by_number = [[len(batch) for batch in batching.minibatch(range(7), size=lambda i: 2**i)] for _ in range(2)]
    assert by_number == [[1, 2, 4], [1, 2, 4]]


@pytest.mark.parametrize("size", ["3", None, float("nan"), True])
def test_a_size_that_is_no_number_is_refused(size):
    with pytest.raises(RunnerError, match="the size of a batch is"):
        list(batching.minibatch(range(3), size=size))
