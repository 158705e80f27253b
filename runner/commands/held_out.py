"""The test set: scored once, with model-best, when the training is over; no choice depends on it.

The test set is read and checked with the rest of the data before the first step, so that an hour's training does not end
in a misspelt path. With `corpus.score_test=false` not even its files are opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.components.pipeline import load
from runner.config.schema import RunConfig
from runner.corpus.example import Example
from runner.progress import waiting
from runner.training.loop import evaluate


def scores_on_test(
    folder: Path, test: Sequence[Example], weights: Mapping[str, float], config: RunConfig
) -> dict[str, Any] | None:
    """The final score and all scores of the model in the folder; None without test examples.

    weights: score → its weight in the final score. Raises RunnerError if the model cannot be read.
    """
    if not test:
        return None
    with waiting("scoring the test set"):
        evaluation = evaluate(load(folder, config.code, config.compute.ops), test, weights, {})
    return {"score": evaluation.score, "scores": dict(evaluation.scores)}
