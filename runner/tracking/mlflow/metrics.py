"""`RunMetrics`: the numbers of steps and evaluations under the names that they have in MLflow, at most 59 names a run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from runner.components.beliefs import taught_key
from runner.tracking.mlflow.limits import clean_name
from runner.training.step import Best, Evaluation, Step

MAX_KEYS = 59  # metric keys a run
MAX_FORGETTING_KEYS = 12  # of these for labels, the most frequent ones
MAX_EXTRA_KEYS = 20  # of these for losses by component and `Step.extra`

STEP_KEYS = ("loss", "learn_rate", "L2", "grad_clip", "batch_size", "dropout", "grad_norm", "words", "words_per_second")
EVALUATION_KEYS = ("epoch", "score", "prediction_words_per_second", "excluded_entities")
BEST_KEYS = ("best_score", "best_epoch", "best_step")
FINAL_KEYS = ("train_words", "seconds", "train_words_per_second", "tracking_share")


class RunMetrics:
    """The metric keys of one run. Keys past the limit are left out, the same ones every time."""

    def __init__(self) -> None:
        self._keys: set[str] = {*STEP_KEYS, *EVALUATION_KEYS, *BEST_KEYS, *FINAL_KEYS}
        self._keys_of: dict[tuple[str, ...], tuple[str, ...]] = {}

    def know(self, keys: Iterable[str]) -> None:
        """Count keys that the run has already, from a process before this one."""
        self._keys.update(keys)

    def of_step(self, step: Step) -> tuple[tuple[str, ...], list[float]]:
        """Keys of a step's metrics, and their values in the same order."""
        names = (*step.losses, *step.extra)
        keys = self._keys_of.get(names)
        if keys is None:
            keys = self._keys_of[names] = self._step_keys(step)
        values = [
            step.loss, step.learn_rate, step.L2, step.grad_clip, step.batch_size, step.dropout, step.grad_norm,
            step.words, step.words / step.seconds if step.seconds > 0 else 0.0,
        ]  # fmt: skip
        if len(step.losses) > 1:
            values += step.losses.values()
        values += step.extra.values()
        return keys, values[: len(keys)]  # those past the limit have no key

    def of_evaluation(self, step: Step, evaluation: Evaluation) -> dict[str, float]:
        """Scores, losses on dev and figures of an evaluation; scores without gold are absent."""
        return self._admitted({
            "epoch": step.epoch,
            **_scores(evaluation),
            **{clean_name(f"{name}_loss"): loss for name, loss in evaluation.losses.items()},
            "prediction_words_per_second": evaluation.words_per_second,
            "excluded_entities": evaluation.excluded_entities,
            **_old(evaluation),
        })  # fmt: skip

    def of_best(self, best: Best) -> dict[str, float]:
        """Score, epoch and step of the best parameters; the epoch of each component too where they differ."""
        epochs = best.epochs if len(set(best.epochs.values())) > 1 else {}
        return {
            **({"best_score": best.score} if best.score is not None else {}),
            "best_epoch": best.epoch,
            "best_step": best.step,
            **self._admitted({clean_name(f"best_epoch_{name}"): epoch for name, epoch in epochs.items()}),
        }

    def of_best_model(self, best: Best, values: Mapping[str, float]) -> dict[str, float]:
        """The metrics of model-best. values: of the evaluation at the same step, with the scores of model-last.

        Scores that differ from those in `values` (every component of model-best is of its own epoch) are renamed to
        `best_…`: MLflow counts a model's metrics as the run's too, and the run has these keys at this step already.
        """
        scores = {key: value for key, value in _scores(best).items() if key in values}
        others = {key: value for key, value in scores.items() if value != values[key]}
        same = {key: value for key, value in values.items() if key not in others}
        return {**same, **self._admitted({f"best_{key}": value for key, value in others.items()})}

    def of_test(self, test: Mapping[str, float | None]) -> dict[str, float]:
        """The scores of model-best on the test set."""
        return self._admitted({clean_name(f"test/{key}"): value for key, value in test.items() if value is not None})

    def _step_keys(self, step: Step) -> tuple[str, ...]:
        more = list(map(clean_name, _loss_keys(step.losses))) if len(step.losses) > 1 else []
        more = [*more, *map(clean_name, step.extra)][:MAX_EXTRA_KEYS]
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


def _loss_keys(losses: Mapping[str, float]) -> list[str]:
    """The metrics of the losses by component. A component with a teacher has two, learn/NAME and teach/NAME.

    >>> _loss_keys({"ner": 1.0, "teach/tagger": 0.2, "tagger": 0.5})
    ['loss_ner', 'teach/tagger', 'learn/tagger']
    """
    taught = {taught_key(name): name for name in losses if taught_key(name) in losses}
    learn = {name: f"learn/{name}" for name in taught.values()}
    return [name if name in taught else learn.get(name, f"loss_{name}") for name in losses]


def _scores(scored: Evaluation | Best) -> dict[str, float]:
    """The final score, and every other; those without gold are absent."""
    scores = {"score": scored.score, **{clean_name(key): value for key, value in scored.scores.items()}}
    return {key: value for key, value in scores.items() if isinstance(value, int | float)}


def _old(evaluation: Evaluation) -> dict[str, float]:
    """Scores on the old dev data, and what was forgotten: of the final score, and of the most frequent labels."""
    lost = list(evaluation.forgetting.items())[: MAX_FORGETTING_KEYS + 1]
    named = [("old_dev", evaluation.old_scores.items()), ("forgetting", lost)]
    return {clean_name(f"{what}/{key}"): value for what, items in named for key, value in items if value is not None}
