"""The loop: updates, evaluations, and when to stop. It yields a `Step` and knows nothing of consoles, files or MLflow.

    for step in training_steps(pipeline, train, dev, plan, sgd):
        console.record(step)

Evaluations use the averaged parameters; the raw ones go on training. The order of examples is a function of seed and
epoch, dropout of seed and step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from runner.components.pipeline import Pipeline, final_score
from runner.corpus.batching import Batch, Batcher, shuffled
from runner.corpus.example import Example
from runner.corpus.packed import n_words
from runner.errors import RunFailed
from runner.training.best import Chooser
from runner.training.optimizers import Optimizer
from runner.training.schedules import Schedule
from runner.training.step import Evaluation, Step, Weights


@dataclass(frozen=True)
class Plan:
    """What the loop needs besides the data.

    eval_every: steps between evaluations, None for each epoch. patience: evaluations without a better score before
    the loop stops, None for never. max_steps: None for no limit but the epochs. best_epoch: "shared" or "each", see
    best.py. augment: (example, epoch, its place in
    the training data) → the example to learn from.
    """

    batcher: Batcher
    dropout: Schedule
    score_weights: Mapping[str, float]
    max_epochs: int
    max_steps: int | None = None
    patience: int | None = None
    eval_every: int | None = None
    best_epoch: str = "shared"
    seed: int = 0
    augment: Callable[[Example, int, int], Example] | None = None

    def examples(self, train: Sequence[Example], epoch: int, indices: Sequence[int]) -> list[Example]:
        """What a batch of that epoch learns from."""
        if self.augment is None:
            return [train[i] for i in indices]
        return [self.augment(train[i], epoch, i) for i in indices]


def training_steps(
    pipeline: Pipeline, train: Sequence[Example], dev: Sequence[Example], plan: Plan, sgd: Optimizer
) -> Iterator[Step]:
    """Train until the epochs, the steps or the patience are used up.

    Raises RunFailed where a loss or a gradient is not finite, naming the step.
    """
    words_of = n_words(train)  # (n_examples,)
    epoch_words = int(words_of.sum())
    chooser = Chooser(pipeline, plan.score_weights, plan.best_epoch == "each")
    evaluations_since_best = 0
    since_evaluation: dict[str, float] = {}
    for epoch in range(1, plan.max_epochs + 1):
        order = shuffled(len(train), (plan.seed, epoch))
        words_done = 0
        for batch, is_last in _with_last(plan.batcher(order, words_of, sgd.step)):
            started = time.perf_counter()
            step = sgd.step
            losses: dict[str, float] = {}
            drop = plan.dropout(step)
            if not 0 <= drop < 1:
                raise RunFailed(
                    f"the schedule gives {drop} at step {step}", place="dropout", hint="It must stay from 0 to below 1."
                )
            with np.errstate(all="ignore"):  # what is not finite is looked for, and no business of numpy's warnings
                used = pipeline.update(plan.examples(train, epoch, batch.indices), drop=drop, sgd=sgd, losses=losses)
            seconds = time.perf_counter() - started
            for name, loss in losses.items():
                since_evaluation[name] = since_evaluation.get(name, 0.0) + loss
            words = int(words_of[batch.indices].sum())
            words_done += words
            is_end = (is_last and epoch == plan.max_epochs) or step + 1 == plan.max_steps
            evaluation, is_better = None, False
            if is_end or (is_last if plan.eval_every is None else (step + 1) % plan.eval_every == 0):
                try:
                    evaluation = evaluate(pipeline, dev, plan.score_weights, sgd.averages, since_evaluation)
                    is_better = chooser.is_better(
                        evaluation, step + 1, epoch, sgd.averages, partial(evaluate, pipeline, dev, plan.score_weights)
                    )
                except RunFailed as error:
                    raise RunFailed(f"{error.fact} at step {step + 1}", place=error.place, hint=error.hint) from error
                since_evaluation = {}
                evaluations_since_best = 0 if is_better else evaluations_since_best + 1
            yield Step(
                step=step + 1,
                epoch=epoch,
                losses=losses,
                learn_rate=used.learn_rate,
                L2=used.L2,
                grad_clip=used.grad_clip,
                batch_size=batch.size,
                dropout=drop,
                grad_norm=used.grad_norm,
                words=words,
                seconds=seconds,
                epoch_words_done=words_done,
                epoch_words=epoch_words,
                evaluation=evaluation,
                best=chooser.best if is_better else None,
            )
            if is_end or (plan.patience is not None and evaluations_since_best >= plan.patience):
                return


def evaluate(
    pipeline: Pipeline,
    dev: Sequence[Example],
    score_weights: Mapping[str, float],
    params: Weights,
    losses: Mapping[str, float] = MappingProxyType({}),
) -> Evaluation:
    """Score these parameters, `sgd.averages` as a rule, on the dev set."""
    with pipeline.use_params(params), np.errstate(all="ignore"):
        scores: dict[str, Any] = pipeline.evaluate(dev)
    per_type = scores.pop("per_type")
    speed = scores.pop("speed")
    return Evaluation(
        score=final_score(scores, score_weights),
        scores=scores,
        per_type=per_type,
        losses=dict(losses),
        words_per_second=speed,
        excluded_entities=sum(example.excluded_ents for example in dev),
    )


def _with_last(batches: Iterator[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Each batch, and whether it is the epoch's last."""
    previous = next(batches, None)
    for batch in batches:
        assert previous is not None
        yield previous, False
        previous = batch
    if previous is not None:
        yield previous, True
