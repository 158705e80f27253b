"""Which weights are the best so far: those of one evaluation, or of each component's own best evaluation.

Components that each have a tok2vec learn side by side and need not peak together. A pipeline put together from their own
best epochs is as good as each alone; it is scored again before it counts.

A score without gold (None) is never compared. Where the final score is None, the last evaluation counts as the best; a
component whose own score is None takes the weights of the evaluation at which another one became better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.training.step import Best, Evaluation, Weights


class Chooser:
    """is_each: choose component by component; else choose the one evaluation with the best final score."""

    def __init__(self, pipeline: Pipeline, score_weights: Mapping[str, float], *, is_each: bool) -> None:
        self.best: Best | None = None
        self._pipeline = pipeline
        self._own_scores: dict[str, float] = {}  # component → its best
        self._weights_of: dict[str, Mapping[str, float]] = {}  # component → its part of the final score
        for name, component in ((name, pipeline.components[name]) for name in pipeline.pipe_names) if is_each else ():
            own = {key: score_weights[key] for key in component.score_weights if score_weights.get(key)}
            if component.has_weights:
                self._weights_of[name] = own or component.score_weights

    def is_better(
        self, evaluation: Evaluation, step: int, epoch: int, params: Weights, evaluate: Callable[[Weights], Evaluation]
    ) -> bool:
        """Take an evaluation of the weights `params` into account; `evaluate` scores other weights.

        Returns whether `best` changed. `best` then holds `params` themselves, or a copy of the weights put together.
        """
        if not self._weights_of:
            before = self.best.score if self.best is not None else None
            if before is not None and (evaluation.score is None or not evaluation.score > before):
                return False
            epochs = {name: epoch for name in self._pipeline.pipe_names if self._pipeline.components[name].has_weights}
            self.best = _best(step, epoch, evaluation, epochs, params)
            return True
        own = {name: final_score(evaluation.scores, weights) for name, weights in self._weights_of.items()}
        known = {name: score for name, score in own.items() if score is not None}
        better = [name for name, score in known.items() if score > self._own_scores.get(name, -math.inf)]
        if known and not better:
            return False
        self._own_scores |= {name: known[name] for name in better}
        better += [name for name in own if name not in known]
        epochs = {**(self.best.epochs if self.best is not None else {}), **dict.fromkeys(better, epoch)}
        params = params or self._pipeline.parameters.views(self._pipeline.parameters.weights)  # no averages are kept
        mixed = dict(self.best.params) if self.best is not None else {}
        mixed |= {path: np.array(value) for path, value in params.items() if path.partition("/")[0] in better}
        if len(better) < len(own):
            evaluation = evaluate(mixed)
        self.best = _best(step, epoch, evaluation, epochs, mixed)
        return True

    def snapshot(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The state that later choices depend on: plain values, and the weights put together."""
        if self.best is None:
            return {}, {}
        values = {f.name: getattr(self.best, f.name) for f in fields(self.best) if f.name != "params"}
        mixed = self.best.params if self._weights_of else {}
        about = {"own_scores": self._own_scores, "values": values}
        return about, {f"best/{path}": np.array(value) for path, value in mixed.items()}

    def restore(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        self.best = None
        if about:
            params = {path.removeprefix("best/"): array for path, array in arrays.items() if path.startswith("best/")}
            self.best = Best(**about["values"], params=params)
            self._own_scores = dict(about["own_scores"])


def _best(step: int, epoch: int, evaluation: Evaluation, epochs: Mapping[str, int], params: Weights) -> Best:
    return Best(
        step=step,
        epoch=epoch,
        score=evaluation.score,
        scores=evaluation.scores,
        per_type=evaluation.per_type,
        epochs=epochs,
        params=params,
        old_scores=evaluation.old_scores,
        forgetting=evaluation.forgetting,
    )
