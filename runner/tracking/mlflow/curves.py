"""`Curves`: what a run's learning curves are drawn from, and the picture of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.tracking.drawing import Panel, line_picture
from runner.tracking.metric_names import SCORE
from runner.tracking.mlflow.limits import clean_name

FILE = "learning_curves.svg"
LOSS = "train/loss"
MOST_POINTS = 400  # of the loss; of more, every second one is dropped
MOST_LINES = 5  # scores beside the final one


class Curves:
    """The scores of a run's evaluations, and the loss of its updates."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._scores: dict[str, list[tuple[float, float]]] = {}
        self._loss: list[tuple[float, float]] = []
        self._every = 1  # so many updates to a point

    def begin(self, scores: Sequence[str]) -> None:
        """scores: that make up the final score, by their own names."""
        self._names = list(scores)[:MOST_LINES]

    def add_step(self, event: Mapping[str, Any]) -> None:
        """Take in the metrics of an update, as the journal has them."""
        loss, step = event["values"].get(LOSS), event["step"]
        if loss is None or step % self._every or loss - loss != 0.0:
            return
        self._loss.append((step, loss))
        if len(self._loss) > MOST_POINTS:
            self._every *= 2
            self._loss = [point for point in self._loss if point[0] % self._every == 0]

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in an evaluation, as the journal has it."""
        for name, key in [("score", SCORE), *((name, clean_name(f"dev/{name}")) for name in self._names)]:
            if key in event["values"]:
                self._scores.setdefault(name, []).append((event["step"], 100 * event["values"][key]))

    def picture(self) -> str:
        """An SVG; empty if nothing was scored. A final score that is one score alone is one line."""
        same = [
            name for name, points in self._scores.items() if name != "score" and points == self._scores.get("score")
        ]
        lines = [(name, points) for name, points in self._scores.items() if not (same and name == "score")]
        if not lines:
            return ""
        return line_picture([
            Panel("Scores on the dev set", "updates", lines, " %"),
            Panel("Loss per word, smoothed", "updates", [("train/loss", self._loss)]),
        ])  # fmt: skip
