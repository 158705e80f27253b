"""Groups of weights that an optimizer treats alike: the weights of one component with one factor of the learning rate.

    rates = {"tok2vec/encoder": 0.05, "encoder/layer[0-3]": 0.01}

A pattern names parts of a path that follow each other; each part may hold the wildcards of fnmatch. Of several patterns
that fit a path, the last one counts. A factor is a number or a schedule; while it is 0, its weights rest: they, their moments
and their averages stay as they are (gradual unfreezing: Howard and Ruder, 2018). Each group is clipped by its own norm: a
pretrained encoder's gradient is many times as long as that of the head behind it, and would else hold the head back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from math import inf, prod
from numbers import Real
from typing import Any, NamedTuple

from runner.errors import RunFailed, RunnerError
from runner.model.parameters import Parameters
from runner.training.schedules import Constant

_PLACE = "optimizer.rates"
_IN_RANGE = "it must be a number of at least 0"


class Factor(NamedTuple):
    """Of a learning rate. key: its number as text, or the pattern whose schedule it is. schedule: of the step."""

    key: str
    schedule: Callable[[int], float]

    @property
    def is_number(self) -> bool:
        return isinstance(self.schedule, Constant)

    def at(self, step: int) -> float:
        """The value at that step. Raises RunFailed if a schedule gives no number of at least 0."""
        value = self.schedule(step)
        if not self.is_number and not _is_factor(value):
            raise RunFailed(
                f"the factor of {self.key!r:.60} is {value!r:.40} at step {step}; {_IN_RANGE}", place=_PLACE
            )
        return value


WHOLE = Factor("1.0", Constant(1.0))  # of weights that no pattern fits


class Group(NamedTuple):
    """owner: the component, or "tok2vec". factor: of the learning rate. spans: of the flat arrays, in order, not touching."""

    owner: str
    factor: Factor
    spans: list[slice]

    def without(self, places: list[slice]) -> list[slice]:
        """The parts of the spans that are outside these places."""
        return [part for span in self.spans for part in outside(places, span)]


def checked_rates(rates: Any) -> dict[str, Any]:
    """A copy of `rates`, pattern → schedule. Raises RunnerError unless they map patterns to factors of at least 0."""
    if not isinstance(rates, Mapping):
        hint = "Give a mapping such as {tok2vec/encoder: 0.05}."
        raise RunnerError(f"rates is {rates!r:.80}, which is no mapping", place=_PLACE, hint=hint)
    for pattern, factor in rates.items():
        first = factor(0) if callable(factor) else factor
        if not _is_factor(first):
            fact = f"the factor of {pattern!r:.60} is {first!r:.40}; {_IN_RANGE}"
            raise RunnerError(fact, place=_PLACE)
    return {str(pattern): f if callable(f) else Constant(f) for pattern, f in rates.items()}


def _is_factor(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < inf


def groups(parameters: Parameters, rates: Mapping[str, Any]) -> dict[str, Group]:
    """The groups by name, in the order of their first weights. Raises RunnerError if a pattern fits no weight's path."""
    factors = {path: _factor(path, rates) for path in parameters.layout}
    for pattern in rates:
        if not any(_fits(pattern, path) for path in (*factors, *parameters.fixed)):
            beginnings = list(dict.fromkeys("/".join(path.split("/")[:3]) for path in factors))[:4]
            hint = f"Paths of this model begin with {', '.join(beginnings)}."
            raise RunnerError(f"no weight's path fits {pattern!r:.60}", place=_PLACE, hint=hint)
    made: dict[str, Group] = {}
    for path, (offset, shape) in parameters.layout.items():
        owner, factor = path.partition("/")[0], factors[path]
        name = owner if factor.key == WHOLE.key else f"{owner} × {factor.key}"
        spans = made.setdefault(name, Group(owner, factor, [])).spans
        stop = offset + prod(shape)
        if spans and spans[-1].stop == offset:
            spans[-1] = slice(spans[-1].start, stop)
        else:
            spans.append(slice(offset, stop))
    return made


def name_of(path: str, made: Mapping[str, Group], rates: Mapping[str, Any]) -> str:
    """The name of the group that a path belongs to."""
    owner, key = path.partition("/")[0], _factor(path, rates).key
    return next(name for name, group in made.items() if (group.owner, group.factor.key) == (owner, key))


def resting(parameters: Parameters, rates: Mapping[str, Any], step: int) -> list[str]:
    """The paths of the weights whose factor is 0 in the update after `step` updates."""
    if not any(Factor(pattern, schedule).at(step) == 0 for pattern, schedule in rates.items()):
        return []
    return [path for path in parameters.layout if _factor(path, rates).at(step) == 0]


def _factor(path: str, rates: Mapping[str, Any]) -> Factor:
    for pattern, schedule in reversed([*rates.items()]):
        if _fits(pattern, path):
            is_number = isinstance(schedule, Real)
            return Factor(repr(float(schedule)), Constant(schedule)) if is_number else Factor(pattern, schedule)
    return WHOLE


def _fits(pattern: str, path: str) -> bool:
    """Whether parts of the path that follow each other fit the pattern's parts.

    >>> _fits("encoder/layer[0-3]", "ner/tok2vec/encoder/layer2/attention/W"), _fits("layer", "ner/layer2/W")
    (True, False)
    """
    wanted, parts = pattern.strip("/").split("/"), path.split("/")
    return any(
        all(fnmatchcase(part, want) for part, want in zip(parts[i:], wanted, strict=False))
        for i in range(len(parts) - len(wanted) + 1)
    )


def outside(places: list[slice], within: slice) -> list[slice]:
    """The parts of the slice `within` that are outside the places, which may reach over its ends.

    >>> outside([slice(0, 3), slice(5, 6), slice(9, 20)], slice(2, 10))
    [slice(3, 5, None), slice(6, 9, None)]
    """
    spans, start = [], within.start
    for at in sorted(places, key=lambda at: at.start):
        if at.stop <= start or at.start >= within.stop:
            continue
        if at.start > start:
            spans.append(slice(start, at.start))
        start = at.stop
    if start < within.stop:
        spans.append(slice(start, within.stop))
    return spans
