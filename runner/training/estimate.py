"""Estimate how long an epoch takes on this machine, and how much memory, from a few real updates.

The batches of all epochs are known without training. The pipeline learns from a few of them, at even distances through
the first epoch, and from the batch with the longest example; weights whose rate is a schedule learn too, as if they never
rested. A straight line (seconds a batch, and seconds a word) through
their times gives the time of every batch. Prediction is timed on a sample of the dev set.

Seconds are CPU seconds, which other processes lengthen little; `slowdown` is the clock's time over the CPU time while the
sample ran. The tracking process is not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from runner.components.pipeline import Pipeline
from runner.corpus.batching import BatchIndices, shuffled
from runner.corpus.example import Example
from runner.training.loop import Plan
from runner.training.optimizers import Optimizer

MAX_BATCHES = 24  # timed
MAX_SECONDS = 3.0  # of timing, past the first few batches
MIN_BATCHES = 4
MAX_DEV_WORDS = 8000
WEIGHT_COPIES = 3  # that evaluating averaged parameters and writing a model take, and the sample does not
MAX_EPOCHS_COUNTED = 3  # from there on, epochs have the same batches as the last one counted


@dataclass(frozen=True)
class Estimate:
    """The time that a run would take, in CPU seconds, and its memory."""

    first_epoch_seconds: float  # updates alone
    evaluation_seconds: float  # of the dev set, once
    run_seconds: float  # all epochs or max_steps, with an evaluation each epoch (or `eval_every`)
    words_per_second: float  # of updates, in the first epoch
    first_epoch_updates: int
    peak_memory: int  # bytes of this process, corpus included
    timed_updates: int
    slowdown: float  # seconds by the clock a CPU second; about 1 on a machine that does nothing else

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    pipeline: Pipeline, train: Sequence[Example], dev: Sequence[Example], plan: Plan, sgd: Optimizer
) -> Estimate:
    """Time a sample of the work. The pipeline learns from the sample. Raises RunnerError and RunFailed as an update does."""
    if scheduled := sgd.scheduled_rates(sgd.step):  # weights that rest in the first updates move in most of the run
        sgd.rates = {**sgd.rates, **dict.fromkeys(scheduled, 1.0)}
    n_words = np.array([len(example.predicted) for example in train])
    epochs = _epochs(plan, n_words)
    first = epochs[0]
    chosen = _sample(first, n_words)
    words, seconds = [], []
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for i, batch in enumerate(chosen):
        started = time.process_time()
        with np.errstate(all="ignore"):
            pipeline.update(plan.examples(train, 1, batch.indices), drop=plan.dropout(sgd.step), sgd=sgd)
        if i:  # the first one pays for what is made once
            seconds.append(time.process_time() - started)
            words.append(int(n_words[batch.indices].sum()))
        if i >= MIN_BATCHES and time.process_time() - begun_cpu > MAX_SECONDS:
            break
    per_batch, per_word = _line(np.array(words, dtype="float64"), np.array(seconds))
    evaluation = _evaluation_seconds(pipeline, dev)
    slowdown = (time.perf_counter() - begun) / max(time.process_time() - begun_cpu, 1e-9)
    totals = [(len(batches), int(sum(n_words[b.indices].sum() for b in batches))) for batches in epochs]
    times = [per_batch * n + per_word * w for n, w in totals]
    steps_left, run_seconds, n_updates = plan.max_steps, 0.0, 0
    for epoch in range(plan.max_epochs):
        n, time_of_epoch = totals[min(epoch, len(totals) - 1)][0], times[min(epoch, len(times) - 1)]
        share = 1.0 if steps_left is None else min(steps_left / max(n, 1), 1.0)
        run_seconds += time_of_epoch * share
        n_updates += round(n * share)
        if steps_left is not None:
            steps_left -= min(n, steps_left)
            if not steps_left:
                break
    n_evaluations = epoch + 1 if plan.eval_every is None else max(n_updates // plan.eval_every, 1)
    return Estimate(
        first_epoch_seconds=times[0],
        evaluation_seconds=evaluation,
        run_seconds=run_seconds + n_evaluations * evaluation,
        words_per_second=totals[0][1] / max(times[0], 1e-9),
        first_epoch_updates=totals[0][0],
        peak_memory=peak_memory() + WEIGHT_COPIES * pipeline.parameters.weights.nbytes,
        timed_updates=len(seconds),
        slowdown=slowdown,
    )


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    if sys.platform == "win32":
        import psutil

        peak_wset: int = psutil.Process().memory_info().peak_wset
        return peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _epochs(plan: Plan, n_words: Any) -> list[list[BatchIndices]]:
    """The batches of the first epochs."""
    epochs: list[list[BatchIndices]] = []
    step = 0
    for epoch in range(1, min(plan.max_epochs, MAX_EPOCHS_COUNTED) + 1):
        order = shuffled(len(n_words), (plan.seed, epoch))
        left = None if plan.max_steps is None else max(plan.max_steps - step, 0)
        batches = list(islice(plan.batcher(order, n_words, step), left if epoch > 1 else None))
        if not batches:
            break
        epochs.append(batches)
        step += len(batches)
    return epochs


def _sample(batches: Sequence[BatchIndices], n_words: Any) -> list[BatchIndices]:
    """The first batch twice (the first time is not counted), the one with most words, and others at even distances."""
    largest = max(batches, key=lambda batch: int(n_words[batch.indices].max()))
    at = np.unique(np.linspace(0, len(batches) - 1, MAX_BATCHES - 2).astype(int))
    rest = [batches[i] for i in at.tolist()]
    mixed = [batch for pair in zip(rest[: len(rest) // 2], rest[len(rest) // 2 :], strict=False) for batch in pair]
    return [batches[0], largest, *mixed, *rest[2 * (len(rest) // 2) :]]


def _line(words: Any, seconds: Any) -> tuple[float, float]:
    """(seconds a batch, seconds a word), neither negative, by least squares."""
    if not len(words):
        return 0.0, 0.0
    mean_words, mean_seconds = words.mean(), seconds.mean()
    spread = ((words - mean_words) ** 2).sum()
    slope = float(((words - mean_words) * (seconds - mean_seconds)).sum() / spread) if spread else 0.0
    start = float(mean_seconds - slope * mean_words)
    if slope <= 0:
        return float(mean_seconds), 0.0
    if start < 0:
        return 0.0, float((words * seconds).sum() / (words * words).sum())
    return start, slope


def _evaluation_seconds(pipeline: Pipeline, dev: Sequence[Example]) -> float:
    """Of the whole dev set, by a sample of its words."""
    total = sum(len(example.predicted) for example in dev)
    sample = list(_first_words(dev, MAX_DEV_WORDS))
    some = sum(len(example.predicted) for example in sample)
    started = time.process_time()
    with np.errstate(all="ignore"):
        pipeline.evaluate(sample)
    return (time.process_time() - started) * total / max(some, 1)


def _first_words(examples: Sequence[Example], limit: int) -> Iterator[Example]:
    words = 0
    for example in examples:
        if words >= limit:
            return
        words += len(example.predicted)
        yield example
