"""What a run forgets of what the model that it started from knew: old dev data, scored beside the new at each evaluation.

    forgetting = F of the initial model - F now        above 0: forgotten; below: better than before

For each label of the old dev data, and for the final score. It decides nothing: the best epoch is picked on the dev data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.corpus.example import Example
from runner.errors import RunnerError

SCORE = "score"  # the key of the final score, among scores and labels
Numbers = Mapping[str, float | None]


class Old(NamedTuple):
    """Scores on the old dev data, the final one under `SCORE`; and what has been forgotten, by label and of `SCORE`."""

    scores: Numbers
    forgetting: Numbers


class OldDev:
    """The old dev data, and what the initial model scored on them before the first step.

    before: as `scores`. before_of: label → F; the most frequent label first. A label is written as COMPONENT/LABEL where
    two components of the initial model learn on.
    """

    def __init__(
        self, initial: Pipeline, learning: Sequence[str], examples: Sequence[Example], weights: Mapping[str, float]
    ) -> None:
        """initial: is scored here. learning: components of the run that learn. weights: score → its weight in the final score.

        Raises RunnerError if the initial model has nothing of what learns, or the examples no gold for it.
        """
        self._examples = examples
        self._names = [name for name in learning if initial.has_pipe(name) and initial.components[name].has_weights]
        self._weights = weights
        place = "corpus.old_dev"
        if not self._names:
            fact = (
                "the model that the run starts from has none of the components that learn: there is nothing to forget"
            )
            raise RunnerError(fact, place=place, hint="Leave corpus.old_dev out.")
        with initial.select_pipes(enable=self._names), np.errstate(all="ignore"):
            self.before, self.before_of = self._measure(initial)
        if not any(value is not None for value in self.before.values()):
            what = ", ".join(self._names)
            raise RunnerError(f"the old dev data have no gold for {what}", place=place, hint="Annotate some of them.")

    def record(self) -> dict[str, Any]:
        """For summary.json."""
        return {"scores": dict(self.before), "by_label": dict(self.before_of)}

    def score(self, pipeline: Pipeline) -> Old:
        """Score the pipeline's weights as they are."""
        now, now_of = self._measure(pipeline)
        lost = {SCORE: _less(self.before.get(SCORE), now.get(SCORE))}
        lost |= {label: _less(f, now_of.get(label)) for label, f in self.before_of.items()}
        return Old(now, {label: value for label, value in lost.items() if value is not None})

    def _measure(self, pipeline: Pipeline) -> tuple[dict[str, float | None], dict[str, float]]:
        """(scores of the components that the initial model has, F by label)."""
        found: dict[str, Any] = pipeline.evaluate(self._examples)
        keys = [key for name in self._names for key in pipeline.components[name].score_weights]
        keys += [key for name in self._names for key in pipeline.components[name].columns]
        scores = {key: found[key] for key in dict.fromkeys(keys) if key in found}
        weights = {key: weight for key, weight in self._weights.items() if key in scores}
        rows = [
            (f"{name}/{label}" if len(self._names) > 1 else label, row)
            for name in self._names
            for label, row in found["per_type"].get(name, {}).items()
            if row.get("support") and row.get("f") is not None
        ]
        rows.sort(key=lambda item: (-item[1]["support"], item[0]))
        return {SCORE: final_score(scores, weights), **scores}, {label: float(row["f"]) for label, row in rows}


def _less(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else before - now
