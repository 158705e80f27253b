"""Dropout: one source of random masks for all layers of a model, reset to a given seed before each update.

No state survives an update, so a run continues from any step as if it had never stopped.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_LEVELS = 65536


class Draws(NamedTuple):
    """A dropout mask before it is made: `scale` where a value is at least `threshold`, else 0."""

    values: NDArray[np.uint16]
    threshold: int
    scale: np.float32

    def mask(self) -> NDArray[np.float32]:
        return np.multiply(self.values >= self.threshold, self.scale)


class Dropout:
    """The current dropout rate, and the generator of masks."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._seed: list[int] = [0]
        self._made: np.random.SFC64 | None = None

    def reset(self, rate: float, *seed: int) -> None:
        """Set the rate. The next masks are a function of `seed` alone."""
        self.rate = float(rate)
        self._seed, self._made = list(seed), None

    @property
    def _bits(self) -> np.random.SFC64:
        if self._made is None:  # made late: not every update draws from every source
            self._made = np.random.SFC64(self._seed)
        return self._made

    def mask(self, *shape: int) -> NDArray[np.float32] | None:
        """Bernoulli dropout with inverse scaling: 0 with probability `rate`, else 1 / (1 - rate); None at rate 0.

        The rate is rounded to 1/65536, and the scale fits the rounded rate.
        """
        draws = self.draw(*shape)
        return draws.mask() if draws is not None else None

    def draw(self, *shape: int) -> Draws | None:
        """The draws of a mask of this shape; None at rate 0."""
        threshold = round(self.rate * _LEVELS)
        if threshold <= 0:
            return None
        size = prod(shape)
        draws = self._bits.random_raw(-(-size // 4)).view("uint16")[:size].reshape(shape)
        return Draws(draws, threshold, np.float32(_LEVELS / (_LEVELS - threshold) if threshold < _LEVELS else 0))

    def uniform(self, size: int) -> NDArray[np.float64]:
        """`size` independent draws from 0 (included) to 1."""
        draws: NDArray[np.uint64] = self._bits.random_raw(size)
        return draws / 2.0**64


class OwnRate(Dropout):
    """The masks of another source at a rate of one's own; none while the other source's rate is 0, as in an update without."""

    def __init__(self, source: Dropout, rate: float) -> None:
        super().__init__()
        self._source, self._own = source, rate

    def draw(self, *shape: int) -> Draws | None:
        rate = self._source.rate
        if not rate:
            return None
        self._source.rate = self._own
        try:
            return self._source.draw(*shape)
        finally:
            self._source.rate = rate
