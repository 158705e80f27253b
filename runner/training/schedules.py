"""Schedules are functions of the step, so that a run can resume from any step with the same values.

Steps are counted from 0: `schedule(0)` is the value of the first update. `next(schedule)` returns the next
value, for loops that count no steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from runner import registry
from runner.errors import RunnerError


class Schedule(Iterator[float]):
    """A function of the step, and an endless iterator of its own values from step 0 on.

    `schedule(step)` does not advance the iterator, and `next` does not change the result of `schedule(step)`.

    >>> size = Schedule(lambda step: 2.0**step)
    >>> next(size), next(size), size(0), next(size)
    (1.0, 2.0, 1.0, 4.0)
    """

    def __init__(self, value_at: Callable[[int], float]) -> None:
        self._value_at = value_at
        self._steps = count()

    def __call__(self, step: int) -> float:
        return self._value_at(step)

    def __next__(self) -> float:
        return self._value_at(next(self._steps))


class Constant(float):
    """A number that is a schedule too: `sgd.learn_rate *= 0.5` and `sgd.learn_rate(step)` both work."""

    def __call__(self, step: int) -> float:
        return float(self)

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        return float(self)


@registry.schedules("constant")
def constant(value: float) -> Constant:
    """Return a schedule that is always `value`.

    >>> constant(0.001)(5000)
    0.001
    """
    return Constant(value)


@registry.schedules("compounding")
def compounding(start: float, stop: float, compound: float) -> Schedule:
    """Grow (or shrink) geometrically from `start` towards `stop`, then stay there.

    >>> size = compounding(start=1.0, stop=8.0, compound=2.0)
    >>> [size(step) for step in (0, 1, 2, 3, 4)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    """
    if compound <= 0:
        raise RunnerError(f"compound is {compound}; it must be more than 0", hint="1.001 grows by 0.1 % a step.")
    if compound != 1 and (stop > start) != (compound > 1) and stop != start:
        raise RunnerError(f"compound {compound} leads from start {start} away from stop {stop}")

    def value_at(step: int) -> float:
        try:
            value = start * compound**step
        except OverflowError:
            return stop
        return min(value, stop) if stop >= start else max(value, stop)

    return Schedule(value_at)


@registry.schedules("decaying")
def decaying(start: float, stop: float, decay: float) -> Schedule:
    """Fall linearly from `start` by `decay` a step, never below `stop`.

    If `start` is at or below `stop`, the value stays `start`.

    >>> drop = decaying(start=0.6, stop=0.2, decay=1e-4)
    >>> [round(drop(step), 2) for step in (0, 1000, 4000, 9000)]
    [0.6, 0.5, 0.2, 0.2]
    """
    if decay < 0:
        raise RunnerError(f"decay is {decay}; it must not be negative", hint="It is what is taken off each step.")
    floor = min(start, stop)
    return Schedule(lambda step: max(start - decay * step, floor))


@registry.schedules("linear")
def linear(start: float, stop: float, steps: int) -> Schedule:
    """Go from `start` to `stop` in a straight line of `steps` steps, then stay there.

    >>> rate = linear(start=1.0, stop=0.0, steps=4)
    >>> [rate(step) for step in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """
    if steps < 1:
        raise RunnerError(f"steps is {steps}; it must be at least 1")
    return Schedule(lambda step: start + (stop - start) * min(step / steps, 1.0))


@registry.schedules("warmup_linear")
def warmup_linear(initial_rate: float, warmup_steps: int, total_steps: int) -> Schedule:
    """Rise from 0 to `initial_rate` in `warmup_steps`, then fall to 0 at `total_steps`, both in a straight line.

    >>> rate = warmup_linear(initial_rate=1.0, warmup_steps=2, total_steps=6)
    >>> [rate(step) for step in (0, 1, 2, 4, 6, 8)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    if warmup_steps < 0 or total_steps <= warmup_steps:
        raise RunnerError(
            f"warmup_steps {warmup_steps} and total_steps {total_steps} leave no room",
            hint="total_steps must be more than warmup_steps, and neither negative.",
        )

    def value_at(step: int) -> float:
        if step < warmup_steps:
            return initial_rate * step / warmup_steps
        return initial_rate * max(0.0, (total_steps - step) / (total_steps - warmup_steps))

    return Schedule(value_at)


@registry.schedules("delayed")
def delayed(value: float, share: float, total_steps: int) -> Schedule:
    """0 for a share of all steps, then `value`. total_steps: of the training; auto: as many as it has.

    >>> factor = delayed(value=0.05, share=0.5, total_steps=4)
    >>> [factor(step) for step in (0, 1, 2, 9)]
    [0.0, 0.0, 0.05, 0.05]
    """
    if not 0 <= share <= 1:
        raise RunnerError(f"share is {share}; it must be from 0 to 1")
    if total_steps < 1:
        raise RunnerError(f"total_steps is {total_steps}; it must be at least 1")
    return Schedule(lambda step: value if step >= share * total_steps else 0.0)
