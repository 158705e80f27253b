"""How much each point of a sweep gains over the first point: differences between equal seeds, their mean and interval.

Comparing equal seeds takes out the luck that both points share. A variant called `no_x` measures what x is worth, so its sign is
turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.launch.report import swept, value_of
from runner.launch.results import Outcome, Repeats, Spread, spread

_WITHOUT = "no_"


class Gain(NamedTuple):
    """name: of the point, or of the element that a variant switches off. spread: of its gains in score."""

    name: str
    spread: Spread

    @property
    def is_clear(self) -> bool:
        """Whether the 95 % interval excludes 0."""
        return self.spread.n > 1 and not self.spread.low <= 0 <= self.spread.high


def gains(points: Sequence[Repeats]) -> list[Gain]:
    """The gain of each later point that shares at least two scored seeds with the first point."""
    if len(points) < 2:
        return []
    keys = swept(point.overrides for point in points)
    first = _by_seed(points[0].outcomes)
    all_gains = []
    for point in points[1:]:
        own = _by_seed(point.outcomes)
        pairs = [own[seed] - first[seed] for seed in own if seed in first]
        if len(pairs) < 2:
            continue
        name = " ".join(value_of(point.overrides, key) for key in keys)
        if keys == ["variant"] and name.startswith(_WITHOUT):
            name, pairs = name.removeprefix(_WITHOUT), [-pair for pair in pairs]
        all_gains.append(Gain(name, spread(pairs)))
    return all_gains


def rows_of_gains(gained: Sequence[Gain], first: str) -> list[list[str]]:
    """Heading and a row a gain. first: name of the point that the others are compared with."""
    rows = [[f"Over {first}", "Gain", "SD", "95 % interval", "Clear"]]
    for gain in gained:
        s = gain.spread
        interval = f"{100 * s.low:+.2f} to {100 * s.high:+.2f}"
        rows.append([gain.name, f"{100 * s.mean:+.2f}", f"{100 * s.sd:.2f}", interval, "*" if gain.is_clear else ""])
    return rows


def name_of_first(points: Sequence[Repeats]) -> str:
    """The first point by the values of its swept keys."""
    keys = swept(point.overrides for point in points)
    return " ".join(value_of(points[0].overrides, key) for key in keys)


def _by_seed(outcomes: Sequence[Outcome]) -> dict[str, float]:
    return {
        value_of(one.job.overrides, "seed"): one.score
        for one in outcomes
        if one.status == "FINISHED" and one.score is not None
    }
