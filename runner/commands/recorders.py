"""The parts of the train command that watch its steps: the saved models, the judge of a search, the checkpoints.

Each has `record(step)`, as trackers have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from runner.commands.result import Result
from runner.commands.start import Start
from runner.components import predictions
from runner.components.pipeline import Pipeline
from runner.components.records import record_of
from runner.components.storage import weights_sha256
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.languages import example_text
from runner.launch.fingerprint import settings
from runner.launch.prune import Verdict
from runner.tracking.base import Tracker
from runner.tracking.past_run import BEST, LAST
from runner.training.keeper import Keeper, Snapshot, checkpoints, clear
from runner.training.loop import Training
from runner.training.optimizers import Optimizer
from runner.training.rollback import steps
from runner.training.step import Best, Evaluation, Step


class Models:
    """Saves the averaged parameters of each evaluation as model-last, and the best so far as model-best with its
    predictions; notes both in the result."""

    def __init__(self, config: RunConfig, corpus: Corpus, pipeline: Pipeline, sgd: Optimizer, result: Result) -> None:
        self._folder, self._dev = config.output_dir, corpus.dev
        self._made_from = {"data_digest": corpus.digest, "seed": config.seed}
        self._pipeline, self._sgd, self._result = pipeline, sgd, result

    def record(self, step: Step) -> None:
        if step.evaluation is None:
            return
        pipeline, result = self._pipeline, self._result
        with pipeline.use_params(self._sgd.averages):
            pipeline.meta = {**_about(step, step.evaluation), **self._made_from}
            result.weights_sha256 = weights_sha256(pipeline)
            pipeline.to_disk(self._folder / LAST)
        if step.best is not None:
            with pipeline.use_params(step.best.params):
                result.best = {**_about(step.best, step.best), "epochs": dict(step.best.epochs)}
                pipeline.meta = {**result.best, **self._made_from}
                if step.best.forgetting:
                    result.best |= {"old_dev": dict(step.best.old_scores), "forgetting": dict(step.best.forgetting)}
                pipeline.to_disk(self._folder / BEST)
                predictions.save(self._folder / predictions.FILE_NAME, pipeline, self._dev)
                result.answer = record_of(pipeline, pipeline(example_text(pipeline.lang), confidence=False))


def _about(when: Step | Best, scored: Evaluation | Best) -> dict[str, Any]:
    return {"epoch": when.epoch, "step": when.step, "score": scored.score, "scores": dict(scored.scores)}


class Judge:
    """Notes in the result that a search prunes the run. verdict: None if no search may prune it."""

    def __init__(self, verdict: Verdict | None, result: Result) -> None:
        self._verdict, self._result = verdict, result

    def record(self, step: Step) -> None:
        if self._verdict is not None and step.evaluation is not None:
            self._result.n_evaluations += 1
            self._result.pruned = self._verdict(self._result.n_evaluations, step.evaluation.score)

    def until_pruned(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps up to the one at which the run was pruned; none if that was before an interruption."""
        while not self._result.pruned and (step := next(steps, None)) is not None:
            yield step


class Checkpoints:
    """Writes the state of the training and of the result, as often as the config asks for."""

    def __init__(self, start: Start, data_digest: str, training: Training, result: Result, trackers: Tracker) -> None:
        config = start.config
        self._start, self._training, self._result, self._trackers = start, training, result, trackers
        self._identity = {"fingerprint": settings(config), "data_digest": data_digest}
        self._keeper = Keeper(config.output_dir, config.training.checkpoint_seconds, config.training.checkpoint_steps)
        self._seconds_before = result.checkpoint_seconds

    def start(self) -> None:
        """Write the first checkpoint, if there is none yet. Raises RunFailed if the system refuses."""
        if not checkpoints(self._keeper.folder):
            self._keeper.offer(self._training.n_updates, self._snapshot, force=True)

    def steps(self, max_rollbacks: int) -> Iterator[Step]:
        """The steps of the training, which goes back to its last evaluation when it diverges."""
        return steps(self._training, self._keeper, max_rollbacks)

    def record(self, step: Step) -> None:
        self._keeper.offer(step.step, self._snapshot)

    def keep(self) -> int:
        """Write a checkpoint now, and return its step. Raises RunFailed if the system refuses."""
        self._keeper.offer(self._training.n_updates, self._snapshot, force=True)
        return self._training.n_updates

    def note_seconds(self) -> None:
        """Note in the result how long the training has waited for its checkpoints."""
        self._result.checkpoint_seconds = self._seconds_before + self._keeper.seconds_spent

    def close(self, *, is_finished: bool) -> None:
        """Wait for the checkpoint that is being written. is_finished: remove all, as the run is not to go on."""
        self._keeper.close()
        if is_finished:
            clear(self._keeper.folder)

    def _snapshot(self) -> Snapshot:
        self._trackers.flush()
        about, arrays = self._training.snapshot()
        result = dataclasses.asdict(self._result)
        return {**self._identity, "seconds": self._start.seconds(), "result": result, "training": about}, arrays
