"""What a point of a sweep gains over the first one, seed by seed: the differences of equal seeds, their mean and interval.

Pairs leave the luck of a seed out of the comparison as far as both points share it. A variant called `no_x` tells what x is
worth: its own sign is turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.launch.report import swept, value_of
from runner.launch.results import Outcome, Repeats, Spread, spread

_WITHOUT = "no_"


class Gain(NamedTuple):
    """The name of an element or of a point, and the spread of what it gains in score."""

    name: str
    spread: Spread

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.spread.n > 1 and not self.spread.low <= 0 <= self.spread.high


def gains(points: Sequence[Repeats]) -> list[Gain]:
    """Of every point but the first that has at least two seeds with a score in common with it."""
    if len(points) < 2:
        return []
    keys = swept(point.overrides for point in points)
    first = _by_seed(points[0].outcomes)
    found = []
    for point in points[1:]:
        own = _by_seed(point.outcomes)
        pairs = [own[seed] - first[seed] for seed in own if seed in first]
        if len(pairs) < 2:
            continue
        name = " ".join(value_of(point.overrides, key) for key in keys)
        if keys == ["variant"] and name.startswith(_WITHOUT):
            name, pairs = name.removeprefix(_WITHOUT), [-pair for pair in pairs]
        found.append(Gain(name, spread(pairs)))
    return found


def rows_of_gains(found: Sequence[Gain], first: str) -> list[list[str]]:
    """A table. first: what they are held against."""
    rows = [[f"Over {first}", "Gain", "SD", "95 % interval", "Clear"]]
    for gain in found:
        s = gain.spread
        interval = f"{100 * s.low:+.2f} to {100 * s.high:+.2f}"
        rows.append([gain.name, f"{100 * s.mean:+.2f}", f"{100 * s.sd:.2f}", interval, "*" if gain.is_clear else ""])
    return rows


def name_of_first(points: Sequence[Repeats]) -> str:
    keys = swept(point.overrides for point in points)
    return " ".join(value_of(points[0].overrides, key) for key in keys)


def _by_seed(outcomes: Sequence[Outcome]) -> dict[str, float]:
    return {
        value_of(one.job.overrides, "seed"): one.score
        for one in outcomes
        if one.status == "FINISHED" and one.score is not None
    }
