"""`RunMetrics`: the numbers of steps and evaluations under the names that they have in MLflow, at most 59 names a run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from math import isfinite

from runner.components.beliefs import taught_key
from runner.tracking.metric_names import (
    BATCH_LOSS,
    BATCH_WORDS,
    BEST_EPOCH,
    BEST_SCORE,
    BEST_STEP,
    EPOCH,
    EXCLUDED,
    PREDICTION_SPEED,
    SCORE,
    SECONDS,
    SPEED,
    TRACKING_SHARE,
    TRAIN_SPEED,
    TRAIN_WORDS,
)
from runner.tracking.mlflow.limits import clean_name
from runner.training.step import Best, Evaluation, Step

MAX_KEYS = 59  # metric keys a run
MAX_FORGETTING_KEYS = 12  # of these for labels, the most frequent ones
MAX_EXTRA_KEYS = 20  # of these for losses by component and `Step.extra`
SMOOTHED_UPDATES = 50  # about as many updates stand in a smoothed loss

LOSS = "train/loss"
_SMOOTHED = (LOSS, "learn/", "teach/")  # what the keys of smoothed losses begin with, among those of a step
STEP_KEYS = (
    LOSS, BATCH_LOSS, BATCH_WORDS, "train/grad_norm", "schedule/learn_rate", "schedule/L2", "schedule/grad_clip",
    "schedule/batch_size", "schedule/dropout", SPEED,
)  # fmt: skip
EVALUATION_KEYS = (EPOCH, SCORE, PREDICTION_SPEED, EXCLUDED)
BEST_KEYS = (BEST_SCORE, BEST_EPOCH, BEST_STEP)
FINAL_KEYS = (TRAIN_WORDS, SECONDS, TRAIN_SPEED, TRACKING_SHARE)


class RunMetrics:
    """The metric keys of one run. Keys past the limit are left out, the same ones every time."""

    def __init__(self) -> None:
        self._keys: set[str] = {*STEP_KEYS, *EVALUATION_KEYS, *BEST_KEYS, *FINAL_KEYS}
        self._keys_of: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._smoothed: dict[str, Smoothed] = {}

    def know(self, keys: Iterable[str]) -> None:
        """Count keys that the run has already, from a process before this one."""
        self._keys.update(keys)

    def know_step(self, values: Mapping[str, float]) -> None:
        """Take in the metrics of a step that a process before this one has recorded: smoothed losses go on from them."""
        self.know(values)
        if LOSS in values:  # else a version has written them that did not smooth
            for key, value in values.items():
                if key.startswith(_SMOOTHED):
                    self._smoothed.setdefault(key, Smoothed()).go_on_from(value)

    def of_step(self, step: Step) -> tuple[tuple[str, ...], list[float]]:
        """Keys of a step's metrics, and their values in the same order."""
        names = (*step.losses, *step.extra)
        keys = self._keys_of.get(names)
        if keys is None:
            keys = self._keys_of[names] = self._step_keys(step)
        words = step.words or 1
        values = [
            self._smooth(LOSS, step.loss / words), step.loss, step.words, step.grad_norm, step.learn_rate, step.L2,
            step.grad_clip, step.batch_size, step.dropout, step.words / step.seconds if step.seconds > 0 else 0.0,
        ]  # fmt: skip
        if len(step.losses) > 1:
            more = keys[len(STEP_KEYS) :]
            values += [self._smooth(key, loss / words) for key, loss in zip(more, step.losses.values(), strict=False)]
        values += step.extra.values()
        return keys, values[: len(keys)]  # those past the limit have no key

    def of_evaluation(self, step: Step, evaluation: Evaluation) -> dict[str, float]:
        """Scores, summed losses and figures of an evaluation; scores without gold are absent."""
        return self._admitted({
            **_scores(evaluation),
            EPOCH: step.epoch,
            **{clean_name(_sum_key(name)): loss for name, loss in evaluation.losses.items()},
            PREDICTION_SPEED: evaluation.words_per_second,
            **({EXCLUDED: evaluation.excluded_entities} if evaluation.excluded_entities else {}),
            **_old(evaluation),
        })  # fmt: skip

    def of_best(self, best: Best) -> dict[str, float]:
        """Score, epoch and step of the best parameters; the epoch of each component too where they differ."""
        epochs = best.epochs if len(set(best.epochs.values())) > 1 else {}
        return {
            **({BEST_SCORE: best.score} if best.score is not None else {}),
            BEST_EPOCH: best.epoch,
            BEST_STEP: best.step,
            **self._admitted({clean_name(f"{BEST_EPOCH}_{name}"): epoch for name, epoch in epochs.items()}),
        }

    def of_best_model(self, best: Best, values: Mapping[str, float]) -> dict[str, float]:
        """The metrics of model-best. values: of the evaluation at the same step, with the scores of model-last.

        Scores that differ from those in `values` (every component of model-best is of its own epoch) are renamed to
        `dev/best_…`: MLflow counts a model's metrics as the run's too, and the run has these keys at this step already.
        """
        scores = {key: value for key, value in _scores(best).items() if key in values}
        others = {key: value for key, value in scores.items() if value != values[key]}
        same = {key: value for key, value in values.items() if key not in others}
        best_names = {key.replace("dev/", "dev/best_", 1): value for key, value in others.items()}
        return {**same, **self._admitted(best_names)}

    def of_test(self, test: Mapping[str, float | None]) -> dict[str, float]:
        """The scores of model-best on the test set."""
        return self._admitted({clean_name(f"test/{key}"): value for key, value in test.items() if value is not None})

    def _smooth(self, key: str, value: float) -> float:
        smoothed = self._smoothed.get(key)
        if smoothed is None:
            smoothed = self._smoothed[key] = Smoothed()
        return smoothed.add(value)

    def _step_keys(self, step: Step) -> tuple[str, ...]:
        more = list(map(clean_name, _loss_keys(step.losses))) if len(step.losses) > 1 else []
        more = [*more, *(clean_name(f"schedule/{key}") for key in step.extra)][:MAX_EXTRA_KEYS]
        admitted = self._admitted(dict.fromkeys(more, 0.0))
        return (*STEP_KEYS, *itertools.takewhile(lambda key: key in admitted, more))  # values are matched by position

    def _admitted(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The numbers whose keys still fit under the limit, or are known already."""
        admitted: dict[str, float] = {}
        for key, value in numbers.items():
            if key in self._keys or len(self._keys) < MAX_KEYS:
                self._keys.add(key)
                admitted[key] = float(value)
        return admitted


class Smoothed:
    """A moving mean: the plain mean of the first SMOOTHED_UPDATES values, then each new value weighs one part of as many.

    The mean and the number of values are all of its state, so that it goes on from a journal.

    >>> loss = Smoothed()
    >>> [loss.add(value) for value in (4.0, 2.0, 3.0)]
    [4.0, 3.0, 3.0]
    """

    def __init__(self) -> None:
        self._mean, self._n = 0.0, 0

    def add(self, value: float) -> float:
        """Take in a value; returns the mean. A value that is not finite is returned and not taken in."""
        if not isfinite(value):
            return value
        self._n = min(self._n + 1, SMOOTHED_UPDATES)
        self._mean += (value - self._mean) / self._n
        return self._mean

    def go_on_from(self, mean: float) -> None:
        """Take in a mean that `add` returned in an earlier process."""
        if isfinite(mean):
            self._mean, self._n = mean, min(self._n + 1, SMOOTHED_UPDATES)


def _loss_keys(losses: Mapping[str, float]) -> list[str]:
    """The metrics of an update's losses by component. A component with a teacher has two, learn/NAME and teach/NAME.

    >>> _loss_keys({"ner": 1.0, "teach/tagger": 0.2, "tagger": 0.5})
    ['train/loss_ner', 'teach/tagger', 'learn/tagger']
    """
    taught = {taught_key(name): name for name in losses if taught_key(name) in losses}
    learn = {name: f"learn/{name}" for name in taught.values()}
    return [name if name in taught else learn.get(name, f"train/loss_{name}") for name in losses]


def _sum_key(loss: str) -> str:
    """The metric of a loss, summed since the last evaluation.

    >>> _sum_key("ner"), _sum_key("teach/ner")
    ('train/loss_sum_ner', 'teach/loss_sum_ner')
    """
    group, _, name = loss.rpartition("/")
    return f"{group or 'train'}/loss_sum_{name}"


def _scores(scored: Evaluation | Best) -> dict[str, float]:
    """The final score, and every other; those without gold are absent."""
    scores = {SCORE: scored.score, **{clean_name(f"dev/{key}"): value for key, value in scored.scores.items()}}
    return {key: value for key, value in scores.items() if isinstance(value, int | float)}


def _old(evaluation: Evaluation) -> dict[str, float]:
    """Scores on the old dev data, and what was forgotten: of the final score, and of the most frequent labels."""
    lost = list(evaluation.forgetting.items())[: MAX_FORGETTING_KEYS + 1]
    named = [("old_dev", evaluation.old_scores.items()), ("forgetting", lost)]
    return {clean_name(f"{what}/{key}"): value for what, items in named for key, value in items if value is not None}
