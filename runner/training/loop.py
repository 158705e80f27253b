"""The loop: updates, evaluations, and when to stop. It yields a `Step` and knows nothing of consoles, files or MLflow.

    for step in training_steps(pipeline, train, dev, plan, sgd):
        console.record(step)

Evaluations use the averaged parameters; the raw ones go on training. The order of examples is a function of seed and
epoch, dropout of seed and step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.components.teacher import Teacher
from runner.corpus.batching import Batcher, BatchIndices, shuffled
from runner.corpus.example import Example
from runner.corpus.packed.examples import n_words
from runner.errors import AFTER_DIVERGENCE, Diverged, RunFailed, RunnerError
from runner.registry import Schedule
from runner.training.best import Chooser
from runner.training.old_dev import Old, OldDev
from runner.training.optimizers import Optimizer
from runner.training.step import Evaluation, Rollback, Step, Weights


@dataclass(frozen=True)
class Plan:
    """The settings of the loop.

    eval_every: steps between evaluations, None for each epoch. patience: evaluations without a better score before
    the loop stops, None for never. max_steps: None for no limit but the epochs. best_epoch: "shared" or "each", see
    best.py. max_rollbacks: see rollback.py. augment: (example, epoch, its place in the training data) → the example to
    learn from. teacher: a trained model to learn from too. old_dev: scored beside the dev data, see old_dev.py. chosen: key
    of the config → what the run chose, in words.
    """

    batcher: Batcher
    dropout: Schedule
    score_weights: Mapping[str, float]
    max_epochs: int
    max_steps: int | None = None
    patience: int | None = None
    eval_every: int | None = None
    best_epoch: str = "shared"
    max_rollbacks: int = 0
    seed: int = 0
    augment: Callable[[Example, int, int], Example] | None = None
    teacher: Teacher | None = None
    old_dev: OldDev | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)

    def examples(self, train: Sequence[Example], epoch: int, indices: Sequence[int]) -> list[Example]:
        """The examples of a batch of that epoch, augmented."""
        if self.augment is None:
            return [train[i] for i in indices]
        return [self.augment(train[i], epoch, i) for i in indices]


class Training:
    """A training that can be left between any two steps and resumed in another process as if it had never stopped.

        training = Training(pipeline, train, dev, plan, sgd)
        for step in training:
            about, arrays = training.snapshot()

    The pipeline is initialized. Iterating trains until the epochs, the steps or the patience are used up; it raises
    Diverged, which names the step, if a loss, a gradient or a weight is not finite. After `roll_back` it may be iterated
    again: steps are counted on, so that no number is used twice, while schedules and `max_steps` go by the updates
    that the weights have seen.
    """

    def __init__(
        self, pipeline: Pipeline, train: Sequence[Example], dev: Sequence[Example], plan: Plan, sgd: Optimizer
    ) -> None:
        self.pipeline, self.train, self.dev, self.plan, self.sgd = pipeline, train, dev, plan, sgd
        self._chooser = Chooser(pipeline, plan.score_weights, is_each=plan.best_epoch == "each")
        self._words_of = n_words(train)  # (n_examples,)
        self._epoch = 1
        self._first_step = sgd.step  # updates done before this epoch
        self._evaluations_since_best = 0
        self._losses: dict[str, float] = {}  # since the last evaluation
        self._words, self._seconds = 0, 0.0  # of the updates since then, in this process
        self._is_over = False
        self._learn_rate = sgd.learn_rate  # the schedule, before it is halved
        self._learned = set(pipeline.parameters.learned)  # before the first update
        self._n_undone = 0  # updates that were rolled back
        self._n_rollbacks = 0
        self._evaluated = 0  # the step of the last evaluation, see n_updates
        self._untold: list[Rollback] = []  # since the last step

    @property
    def n_updates(self) -> int:
        """Updates done, those that were rolled back included; the number of the last step."""
        return self.sgd.step + self._n_undone

    @property
    def evaluated_at(self) -> int:
        """The number of the step of the last evaluation; 0 before the first."""
        return self._evaluated

    @property
    def n_rollbacks(self) -> int:
        return self._n_rollbacks

    def __iter__(self) -> Iterator[Step]:
        plan, sgd = self.plan, self.sgd
        epoch_words = int(self._words_of.sum())
        while self._epoch <= plan.max_epochs and not self._is_over:
            order = shuffled(len(self.train), (plan.seed, self._epoch))
            words_done = 0
            batches = plan.batcher(order, self._words_of, self._first_step)
            for number, (batch, is_last) in enumerate(_with_last(batches), self._first_step):
                words = int(self._words_of[batch.indices].sum())
                words_done += words
                if number < sgd.step:  # done before this training was taken up again
                    continue
                step = self._step(batch, words, is_last=is_last)
                yield replace(step, epoch_words_done=words_done, epoch_words=epoch_words)
                if self._is_over:
                    return
            self._epoch += 1
            self._first_step = sgd.step

    def _step(self, batch: BatchIndices, words: int, *, is_last: bool) -> Step:
        """One update, and an evaluation where it is due."""
        plan, sgd = self.plan, self.sgd
        started = time.perf_counter()
        step = sgd.step
        losses: dict[str, float] = {}
        drop = plan.dropout(step)
        if not 0 <= drop < 1:
            raise RunFailed(
                f"the schedule gives {drop} at step {step}", place="dropout", hint="It must stay from 0 to below 1."
            )
        examples = plan.examples(self.train, self._epoch, batch.indices)
        try:
            with np.errstate(all="ignore"):  # what is not finite is looked for, and no business of numpy's warnings
                used = self.pipeline.update(examples, drop=drop, sgd=sgd, losses=losses, teacher=plan.teacher)
        except Diverged as error:
            raise error.at_step(self.n_updates + 1) from None
        seconds = time.perf_counter() - started
        self._words, self._seconds = self._words + words, self._seconds + seconds
        for name, loss in losses.items():
            self._losses[name] = self._losses.get(name, 0.0) + loss
        is_end = (is_last and self._epoch == plan.max_epochs) or step + 1 == plan.max_steps
        evaluation, is_better = None, False
        if is_end or (is_last if plan.eval_every is None else (step + 1) % plan.eval_every == 0):
            evaluation, is_better = self._evaluate(self.n_updates)
        self._is_over = is_end or (plan.patience is not None and self._evaluations_since_best >= plan.patience)
        rollbacks, self._untold = tuple(self._untold), []
        return Step(
            step=self.n_updates,
            epoch=self._epoch,
            losses=losses,
            learn_rate=used.learn_rate,
            L2=used.L2,
            grad_clip=used.grad_clip,
            batch_size=batch.size,
            dropout=drop,
            grad_norm=used.grad_norm,
            words=words,
            seconds=seconds,
            epoch_words_done=0,
            epoch_words=0,
            evaluation=evaluation,
            best=self._chooser.best if is_better else None,
            rollbacks=rollbacks,
            extra=self._extra(step),
        )

    def _extra(self, step: int) -> dict[str, float]:
        """Further values that this update used. step: updates before it."""
        factor = {"learn_rate_factor": 0.5**self._n_rollbacks} if self.plan.max_rollbacks else {}
        taught = {"teacher_weight": self.plan.teacher.weight_at(step)} if self.plan.teacher else {}
        return {**factor, **taught, **{f"rate/{name}": value for name, value in self.sgd.scheduled_rates(step).items()}}

    def _evaluate(self, step: int) -> tuple[Evaluation, bool]:
        """The evaluation at that step, and whether it changed the best weights. Raises Diverged."""
        self._check_weights(step)
        score = partial(evaluate, self.pipeline, self.dev, self.plan.score_weights, old_dev=self.plan.old_dev)
        try:
            evaluation = score(self.sgd.averages, self._losses)
            is_better = self._chooser.is_better(evaluation, step, self._epoch, self.sgd.averages, score)
        except Diverged as error:
            raise error.at_step(step) from None
        except RunFailed as error:
            raise RunFailed(f"{error.fact} at step {step}", place=error.place, hint=error.hint) from error
        evaluation = replace(evaluation, trained_words_per_second=self._words / max(self._seconds, 1e-9))
        self._losses, self._words, self._seconds, self._evaluated = {}, 0, 0.0, step
        self._evaluations_since_best = 0 if is_better else self._evaluations_since_best + 1
        return evaluation, is_better

    def _check_weights(self, step: int) -> None:
        """Raise Diverged if a weight is not finite: it must not be scored, saved or gone back to."""
        self.sgd.settle()
        for values in (self.pipeline.parameters.weights, *self.sgd.state.values()):
            if not np.isfinite(values).all():
                raise Diverged("a weight is not finite", hint=AFTER_DIVERGENCE).at_step(step)

    def snapshot(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The state that the next steps depend on: plain values, and copies of arrays."""
        sgd, arrays = self.sgd.snapshot()
        best, best_arrays = self._chooser.snapshot()
        if self.sgd.step or self.plan.max_rollbacks:  # else they follow from the seed
            arrays["weights"] = self.pipeline.parameters.arrays()[0].copy()
        about = {
            "parameters": _places(self.pipeline),
            "sgd": sgd,
            "epoch": self._epoch,
            "first_step": self._first_step,
            "evaluations_since_best": self._evaluations_since_best,
            "losses": self._losses,
            "best": best,
            "is_over": self._is_over,
            "n_undone": self._n_undone,
            "n_rollbacks": self._n_rollbacks,
            "evaluated": self._evaluated,
        }
        return about, {**arrays, **best_arrays}

    def restore(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a snapshot of a training with the same data, plan and initial weights.

        Raises RunnerError if the snapshot does not fit.
        """
        parameters = self.pipeline.parameters
        if about["parameters"] != _places(self.pipeline):
            raise RunnerError("the checkpoint belongs to another model")
        parameters.forget_gradient()
        parameters.detach()
        if "weights" in arrays:
            weights, _ = parameters.arrays()
            if arrays["weights"].shape != weights.shape:
                raise RunnerError("the checkpoint belongs to another model")
            weights[...] = arrays["weights"]
        self.sgd.restore(parameters, about["sgd"], arrays)
        if not self.sgd.step:  # back at the beginning, where averages begin anew
            parameters.learned = set(self._learned)
        self._chooser.restore(about["best"], arrays)
        self._epoch, self._first_step = int(about["epoch"]), int(about["first_step"])
        self._evaluations_since_best = int(about["evaluations_since_best"])
        self._losses = {str(name): float(loss) for name, loss in about["losses"].items()}
        self._is_over = bool(about["is_over"])
        self._n_undone, self._evaluated = int(about["n_undone"]), int(about["evaluated"])
        self._halve(int(about["n_rollbacks"]))

    def roll_back(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], fact: str) -> None:
        """Go back to a snapshot of this very training, and on with half the learning rate. fact: what has diverged."""
        n_updates, n_rollbacks = self.n_updates, self._n_rollbacks + 1
        self.restore(about, arrays)
        self._untold.append(Rollback(fact, self.n_updates, n_rollbacks, 0.5**n_rollbacks))
        self._n_undone = n_updates - self.sgd.step
        self._halve(n_rollbacks)

    def _halve(self, times: int) -> None:
        self._n_rollbacks, factor = times, 0.5**times
        self.sgd.learn_rate = (lambda step: factor * self._learn_rate(step)) if times else self._learn_rate


def training_steps(
    pipeline: Pipeline, train: Sequence[Example], dev: Sequence[Example], plan: Plan, sgd: Optimizer
) -> Iterator[Step]:
    """The steps of a training from its beginning, see Training."""
    return iter(Training(pipeline, train, dev, plan, sgd))


def _places(pipeline: Pipeline) -> dict[str, list[int]]:
    return {path: [offset, *shape] for path, (offset, shape) in pipeline.parameters.layout.items()}


def evaluate(
    pipeline: Pipeline,
    dev: Sequence[Example],
    score_weights: Mapping[str, float],
    params: Weights,
    losses: Mapping[str, float] = MappingProxyType({}),
    old_dev: OldDev | None = None,
) -> Evaluation:
    """Score these parameters, `sgd.averages` as a rule, on the dev set, and on the old one if there is one."""
    with pipeline.use_params(params), np.errstate(all="ignore"):
        scores: dict[str, Any] = pipeline.evaluate(dev)
        old = old_dev.score(pipeline) if old_dev is not None else Old({}, {})
    per_type = scores.pop("per_type")
    speed = scores.pop("speed")
    return Evaluation(
        score=final_score(scores, score_weights),
        scores=scores,
        per_type=per_type,
        losses=dict(losses),
        words_per_second=speed,
        excluded_entities=sum(example.excluded_ents for example in dev),
        old_scores=old.scores,
        forgetting=old.forgetting,
    )


def _with_last(batches: Iterator[BatchIndices]) -> Iterator[tuple[BatchIndices, bool]]:
    """Each batch, and whether it is the epoch's last."""
    previous = next(batches, None)
    for batch in batches:
        assert previous is not None
        yield previous, False
        previous = batch
    if previous is not None:
        yield previous, True
