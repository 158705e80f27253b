"""What a component advises for data on which nobody has tuned it. `auto` in a config stands for these numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The size of the training data. labels: of the component that is asked."""

    examples: int
    words: int

    @property
    def words_each(self) -> float:
        """Words in an example, on average."""
        return self.words / max(self.examples, 1)


@dataclass(frozen=True)
class Advice:
    """Settings that go together.

    learn_rate: the largest, of Adam; it rises to it and falls to 0. dropout: the rates of the first and the last update;
    in between it is a straight line. batch_words: of one update. epochs: passes over the data. width, depth: of the token
    vectors, and of the convolutions that make them. max_order: words of the longest n-gram.
    """

    learn_rate: float
    dropout: tuple[float, float]
    batch_words: int
    epochs: int
    width: int = 96
    depth: int = 4
    max_order: int = 2


def between(low: float, value: float, high: float) -> int:
    """`value` as a whole number from `low` to `high`.

    >>> between(50, 7.6, 600), between(50, 99.7, 600)
    (50, 100)
    """
    return round(max(low, min(value, high)))
