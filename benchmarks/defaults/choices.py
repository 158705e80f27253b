"""Which weights of one training to keep: four choices, each scored on dev and on test (`--choice`).

    best      those of the evaluation with the best dev score; what the train command keeps
    last      those of the last evaluation
    average   the mean of the weights of the last K evaluations (a checkpoint average)
    smoothed  those of the evaluation whose dev score, averaged with both neighbours, is best

The best of many noisy dev scores is too high by the noise; the other three ask whether a choice that listens less to single
scores is better on test. The weights of an evaluation are the averaged ones, those that it scored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]  # by path
CHOICES = ("best", "last", "average", "smoothed")
LAST_EVALUATIONS = 3  # K


class Choices:
    """Keep the weights that the four choices may need: those of the last K evaluations, and two candidates.

    k: evaluations that are averaged, at least 1.
    """

    def __init__(self, k: int = LAST_EVALUATIONS) -> None:
        self.k = k
        self.scores: list[float] = []
        self._last: deque[Weights] = deque(maxlen=max(k, 2))
        self._chosen: dict[str, tuple[float, int, Weights]] = {}  # choice → its score, evaluation and weights

    def record(self, score: float, params: Weights) -> None:
        """Take an evaluation into account. params: its weights, which are copied."""
        self.scores.append(score)
        self._last.append({path: np.array(value) for path, value in params.items()})
        self._offer("best", score, len(self.scores) - 1, self._last[-1])
        if len(self.scores) > 1:  # the one before has now both neighbours
            self._offer_smoothed(len(self.scores) - 2, self._last[-2])

    def weights(self) -> dict[str, tuple[int | None, Weights]]:
        """Return choice → (number of its evaluation, from 0, or None for a mean of several; weights).

        At least one evaluation must have been recorded. Call it once, after the training.
        """
        self._offer_smoothed(len(self.scores) - 1, self._last[-1])
        kept = list(self._last)[-self.k :]
        mean = {path: np.mean([one[path] for one in kept], axis=0, dtype=np.float32) for path in kept[0]}
        return {
            "best": self._chosen["best"][1:],
            "last": (len(self.scores) - 1, self._last[-1]),
            "average": (None, mean),
            "smoothed": self._chosen["smoothed"][1:],
        }

    def scored(self, score_of: Callable[[Weights], Any]) -> dict[str, Any]:
        """Return choice → {"evaluation": its number, "scores": what `score_of` gives for its weights}."""
        return {
            choice: {"evaluation": number, "scores": score_of(params)}
            for choice, (number, params) in self.weights().items()
        }

    def _offer_smoothed(self, number: int, params: Weights) -> None:
        self._offer("smoothed", smoothed(self.scores, number), number, params)

    def _offer(self, choice: str, score: float, number: int, params: Weights) -> None:
        if choice not in self._chosen or score > self._chosen[choice][0]:
            self._chosen[choice] = score, number, params


def smoothed(scores: list[float], number: int) -> float:
    """The mean of a score and its neighbours; the first and the last have one neighbour.

    >>> smoothed([0.3, 0.6, 0.9], 1), smoothed([0.3, 0.6, 0.9], 2)
    (0.6, 0.75)
    """
    near = scores[max(number - 1, 0) : number + 2]
    return round(sum(near) / len(near), 12)
