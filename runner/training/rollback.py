"""After a divergence, go back to the last evaluation and on with half the learning rate, a few times at most.

    for step in steps(training, keeper, max_rollbacks=3):
        ...

The state to go back to is written beside the checkpoints, before the first step and after every evaluation. Checkpoints
cannot serve: they go by the clock, and a run that is repeated or resumed must go back to the same step. Steps count on
after a rollback; the metric learn_rate shows where it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Diverged, RunFailed, RunnerError
from runner.training import checkpoint
from runner.training.keeper import Keeper, Snapshot
from runner.training.loop import Training
from runner.training.step import Step


def steps(training: Training, keeper: Keeper, max_rollbacks: int) -> Iterator[Step]:
    """The steps of the training. Raises Diverged at a divergence after `max_rollbacks` rollbacks."""
    if not max_rollbacks:
        yield from training
        return
    if training.n_updates == 0:
        keeper.keep_point(training.snapshot)
    while True:
        try:
            for step in training:
                if step.evaluation is not None:  # kept before anybody hears of the step: checkpoints of it come later
                    keeper.keep_point(training.snapshot)
                yield step
            return
        except Diverged as error:
            if training.n_rollbacks >= max_rollbacks:
                raise _given_up(error, training.n_rollbacks) from None
            training.roll_back(*_point(training, keeper, error), error.fact)


def _point(training: Training, keeper: Keeper, error: Diverged) -> Snapshot:
    """The state after the last evaluation. Raises RunFailed if it cannot be read or is of another evaluation."""
    try:
        about, arrays = checkpoint.load(keeper.point())
        if int(about["n_undone"]) + int(about["sgd"]["step"]) != training.evaluated_at:
            raise RunnerError("the saved state belongs to another evaluation")
    except (RunnerError, KeyError, TypeError, ValueError) as problem:
        fact = problem.fact if isinstance(problem, RunnerError) else "the saved state is damaged"
        raise RunFailed(f"{error.fact}, and there is nothing to go back to ({fact})", hint=error.hint) from error
    return about, arrays


def _given_up(error: Diverged, n: int) -> Diverged:
    times = "once" if n == 1 else f"{n} times"
    hint = f"It has gone back {times} already: lower optimizer.learn_rate or optimizer.grad_clip, or look at the data."
    return Diverged(error.fact, place=error.place, hint=hint)
