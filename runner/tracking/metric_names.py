"""The names of a run's numbers in its journal and in MLflow, by groups that MLflow's pages fold.

    dev/…         scores of an evaluation on the dev set; `dev/best_score`, that of the best weights, sorts first
    test/…        scores of model-best on the test set
    old_dev/…     scores on the old dev set, and forgetting/…, what an update forgets of them
    train/…       losses, progress, sizes
    learn/NAME    with a teacher: a component's loss against the annotation, and teach/NAME, against the teacher's beliefs
    schedule/…    the settings that may follow a schedule
    speed/…       words per second, seconds
    sweep/…       of a sweep's own run, and gain/NAME, the gains of its points over the first

Journals and stores of versions before the groups are read too: `renamed` gives each old name its new one. An old name has
no group; every new name has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCORE, EPOCH = "dev/score", "train/epoch"
BEST_SCORE, BEST_EPOCH, BEST_STEP = "dev/best_score", "train/best_epoch", "train/best_step"
BATCH_LOSS, BATCH_WORDS, SPEED = "train/batch_loss", "train/batch_words", "speed/words_per_second"
TRAIN_WORDS, SECONDS = "train/words", "speed/seconds"
TRAIN_SPEED, PREDICTION_SPEED = "speed/train_words_per_second", "speed/prediction_words_per_second"
TRACKING_SHARE = "speed/tracking_share"
EXCLUDED = "dev/excluded_entities"
SWEEP_BEST_SCORE = "sweep/best_score"

_NO_SCORES = {SCORE, EXCLUDED}
_SHORT_GROUPS = ("dev", "test", "old_dev", "forgetting", "sweep", "gain")  # of scores
_LOSS, _LOSS_SUM = "loss_", "_loss"  # before and after a component's name in the old names of its losses

# Old name → new name, but for losses by component and scores.
_RENAMED = {
    "loss": BATCH_LOSS, "words": BATCH_WORDS, "words_per_second": SPEED, "grad_norm": "train/grad_norm",
    **{key: f"schedule/{key}" for key in (
        "learn_rate", "L2", "grad_clip", "batch_size", "dropout", "learn_rate_factor", "teacher_weight",
    )},
    "epoch": EPOCH, "score": SCORE, "best_score": BEST_SCORE, "best_epoch": BEST_EPOCH, "best_step": BEST_STEP,
    "prediction_words_per_second": PREDICTION_SPEED, "excluded_entities": EXCLUDED,
    "train_words": TRAIN_WORDS, "seconds": SECONDS, "train_words_per_second": TRAIN_SPEED,
    "tracking_share": TRACKING_SHARE,
    "sweep_best_score": SWEEP_BEST_SCORE,
    **{key: f"sweep/{key}" for key in (
        "n_jobs", "n_finished", "job_seconds", "best_job", "best_mean_score",
        "n_seeds", "score_mean", "score_sd", "score_low", "score_high",
    )},
}  # fmt: skip
_OLD = {new: old for old, new in _RENAMED.items()}


def renamed(values: Mapping[str, float]) -> Mapping[str, float]:
    """Numbers under their new names. The same mapping if it has no old name.

    >>> renamed({"loss": 8.0, "loss_ner": 5.0, "ner_loss": 99.0, "ents_f": 0.5, "test/ents_f": 0.4})
    {'train/batch_loss': 8.0, 'train/loss_ner': 5.0, 'train/loss_sum_ner': 99.0, 'dev/ents_f': 0.5, 'test/ents_f': 0.4}
    """
    if all("/" in key for key in values):
        return values
    is_sweep = "n_jobs" in values
    return {key if "/" in key else _new_name(key, is_sweep=is_sweep): value for key, value in values.items()}


def renamed_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event of a journal with the new names of metrics wherever it holds numbers."""
    for holder in (event, event.get("best"), *(event.get("models") or ())):
        if isinstance(holder, dict) and isinstance(holder.get("values"), dict):
            holder["values"] = renamed(holder["values"])
    if event["event"] == "finish" and isinstance(event.get("best"), dict):
        event["best"] = renamed(event["best"])
    return event


def value_of(metrics: Mapping[str, float], name: str) -> float | None:
    """A number of a run in MLflow, under its new or else its old name; None if the run has neither."""
    value = metrics.get(name)
    return metrics.get(_OLD[name]) if value is None and name in _OLD else value


def as_shown(key: str, value: float) -> float:
    """A number with the digits that fit a column of MLflow's pages; the journal has all of them.

    >>> as_shown("dev/ents_f", 0.8490566037), as_shown("speed/words_per_second", 4318.29805), as_shown("train/loss", 0.02 / 3)
    (0.849057, 4318.0, 0.006666667)
    """
    group, value = key.split("/")[0], float(value)
    if value.is_integer():
        return value
    if group == "speed":
        return float(f"{value:.4g}") if abs(value) < 1000 else float(f"{value:.0f}")
    return round(value, 6) if group in _SHORT_GROUPS else float(f"{value:.7g}")


def old_name(name: str) -> str:
    """The name that a number had before the groups."""
    return _OLD[name]


def scores_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The scores of an evaluation by their own names, without the final score and those that lack gold.

    metrics: under new or old names.

    >>> scores_of({"dev/score": 0.4, "dev/ents_f": 0.4, "dev/best_score": 0.5, "train/epoch": 2})
    {'ents_f': 0.4}
    """
    return {
        key.removeprefix("dev/"): float(value)
        for key, value in renamed(metrics).items()
        if key.startswith("dev/") and value is not None and key not in _NO_SCORES and not key.startswith("dev/best_")
    }


def _new_name(key: str, *, is_sweep: bool) -> str:
    if key in _RENAMED:
        return _RENAMED[key]
    if key.startswith("gain_"):
        return f"gain/{key.removeprefix('gain_')}"
    if is_sweep:
        return f"sweep/{key}"
    if key.startswith("best_epoch_"):
        return f"train/{key}"
    if key.startswith(_LOSS):
        return f"train/{key}"
    if key.endswith(_LOSS_SUM):
        return f"train/loss_sum_{key.removesuffix(_LOSS_SUM)}"
    return f"dev/{key}"
