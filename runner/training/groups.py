"""Groups of weights that an optimizer treats alike: the weights of one component with one factor of the learning rate.

    rates = {"tok2vec/encoder": 0.05, "encoder/layer[0-3]": 0.01}

A pattern names parts of a path that follow each other; each part may hold the wildcards of fnmatch. Of several patterns
that fit a path, the last one counts. Each group is clipped by its own norm: a pretrained encoder's gradient is many times
as long as that of the head behind it, and would else hold the head back.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from math import isfinite, prod
from numbers import Real
from typing import Any, NamedTuple

from runner.errors import RunnerError
from runner.model.parameters import Parameters

_PLACE = "optimizer.rates"


class Group(NamedTuple):
    """owner: the component, or "tok2vec". factor: of the learning rate. spans: of the flat arrays, in order, not touching."""

    owner: str
    factor: float
    spans: list[slice]

    def without(self, places: list[slice]) -> list[slice]:
        """The parts of the spans that are outside these places."""
        return [part for span in self.spans for part in outside(places, span)]


def checked_rates(rates: Any) -> dict[str, float]:
    """A copy of `rates`. Raises RunnerError unless they are a mapping of patterns to factors of at least 0."""
    if not isinstance(rates, Mapping):
        hint = "Give a mapping such as {tok2vec/encoder: 0.05}."
        raise RunnerError(f"rates is {rates!r:.80}, which is no mapping", place=_PLACE, hint=hint)
    for pattern, factor in rates.items():
        if isinstance(factor, bool) or not isinstance(factor, Real) or not isfinite(factor) or factor < 0:
            fact = f"the factor of {pattern!r:.60} is {factor!r:.40}; it must be a number of at least 0"
            raise RunnerError(fact, place=_PLACE)
    return {str(pattern): float(factor) for pattern, factor in rates.items()}


def groups(parameters: Parameters, rates: Mapping[str, float]) -> dict[str, Group]:
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
        name = owner if factor == 1.0 else f"{owner} × {factor!r}"
        spans = made.setdefault(name, Group(owner, factor, [])).spans
        stop = offset + prod(shape)
        if spans and spans[-1].stop == offset:
            spans[-1] = slice(spans[-1].start, stop)
        else:
            spans.append(slice(offset, stop))
    return made


def name_of(path: str, made: Mapping[str, Group], rates: Mapping[str, float]) -> str:
    """The name of the group that a path belongs to."""
    owner, factor = path.partition("/")[0], _factor(path, rates)
    return next(name for name, group in made.items() if (group.owner, group.factor) == (owner, factor))


def _factor(path: str, rates: Mapping[str, float]) -> float:
    return next((factor for pattern, factor in reversed(list(rates.items())) if _fits(pattern, path)), 1.0)


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
