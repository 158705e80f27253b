"""Fit how sure a trained pipeline is to how often it is right: one temperature per component (Guo et al., 2017).

    temperatures = calibrate(nlp, dev_examples)      {"ner": 1.62}
    nlp.to_disk("model")                             keeps them

The temperature divides a component's scores before they become confidence: above 1 the model is less sure, below 1 surer.
It is the one that makes the gold annotation most probable; of a recognizer, the outcome of its predictions. Predictions
and scores are those of before: they come from the undivided scores. Fit on examples that the model has not learned from,
and measure on others: on its training data every model is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import exp, isfinite, log, sqrt

from runner.components.base import Likelihood
from runner.components.calibration import Calibration, calibration
from runner.components.pipeline import Pipeline
from runner.components.predictor import TEMPERATURES
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.model.blas import blas_threads

LOWEST, HIGHEST = 0.1, 10.0  # temperatures
_N_POINTS = 13  # of the grid
_TOLERANCE = 1e-3  # relative, of a temperature
_SHRINK = (sqrt(5) - 1) / 2


def calibrate(pipeline: Pipeline, examples: Sequence[Example]) -> dict[str, float]:
    """Fit a temperature for each component that has confidence and gold in these examples; set and return them.

    They stand in `pipeline.meta["temperatures"]` until a weight changes. Raises RunnerError if there is no such component.
    """
    losses: dict[str, list[Likelihood]] = {}
    for name, loss in pipeline.likelihoods(examples):
        losses.setdefault(name, []).append(loss)
    if not losses:
        raise RunnerError(
            "the examples have no annotation that a component could be calibrated with",
            hint=f"Give examples with gold annotation for one of: {', '.join(pipeline.pipe_names) or 'no component'}.",
        )
    with blas_threads(pipeline.threads):
        temperatures = {name: lowest(partial(_total, parts)) for name, parts in losses.items()}
    pipeline.meta[TEMPERATURES] = {**pipeline.meta.get(TEMPERATURES, {}), **temperatures}
    return temperatures


def _total(parts: Sequence[Likelihood], temperature: float) -> float:
    return sum(part(temperature) for part in parts)


def calibrations(pipeline: Pipeline, examples: Sequence[Example]) -> dict[str, dict[str, Calibration]]:
    """Component → layer → its calibration on these examples, predicted anew; the examples themselves stay as they are."""
    docs = [example.predicted.copy_unannotated() for example in examples]
    pipeline.predict(docs, confidence=True)
    anew = [Example(doc, example.reference) for doc, example in zip(docs, examples, strict=True)]
    graded = pipeline.graded(anew)
    return {
        name: {layer: calibration(predictions) for layer, predictions in layers.items()}
        for name, layers in graded.items()
    }


def lowest(loss: Likelihood) -> float:
    """The temperature between LOWEST and HIGHEST with the lowest loss, rounded to four decimals.

    The best of a grid over the logarithm, then a golden-section search between its neighbours, to a thousandth.
    Raises RunnerError if a loss is not finite.
    """
    step = (log(HIGHEST) - log(LOWEST)) / (_N_POINTS - 1)
    points = [log(LOWEST) + i * step for i in range(_N_POINTS)]
    losses = [loss(exp(point)) for point in points]
    if not all(map(isfinite, losses)):
        raise RunnerError("the gold annotation has no finite likelihood, so no temperature fits", hint="Train again.")
    best = points[losses.index(min(losses))]
    low, high = max(best - step, points[0]), min(best + step, points[-1])
    left, right = high - _SHRINK * (high - low), low + _SHRINK * (high - low)
    at_left, at_right = loss(exp(left)), loss(exp(right))
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _SHRINK * (high - low)
            at_left = loss(exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + _SHRINK * (high - low)
            at_right = loss(exp(right))
    return round(exp((low + high) / 2), 4)
