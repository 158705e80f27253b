"""Train what the config describes: load, build, loop, save, track. Readable as a table of contents."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from runner.assemble import make_corpus, make_learner, make_trackers, run_info, set_compute
from runner.blocks import load_code
from runner.commands.degenerate import check_worth
from runner.commands.folder import make_room
from runner.commands.held_out import scores_on_test
from runner.commands.result import Result, note_kernel, write_summary
from runner.commands.resume import Found, begun, has_finished
from runner.components import predictions
from runner.components.pipeline import Pipeline
from runner.components.storage import weights_sha256
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.errors import RunnerError
from runner.files import write_file
from runner.launch.fingerprint import fingerprint, settings
from runner.launch.program import remove_empty_run
from runner.launch.prune import make_judge
from runner.model.kernel import kernel
from runner.tracking.base import Status, Tracker
from runner.tracking.past_run import BEST, KERNEL, LAST
from runner.training.interrupts import Interrupts, deferred
from runner.training.keeper import FOLDER, Keeper, Snapshot, clear
from runner.training.loop import Training
from runner.training.optimizers import Optimizer
from runner.training.rollback import steps
from runner.training.step import Best, Evaluation, Step

RESERVE = 1 << 22  # bytes that are given back where memory has run out, to end the run in order


def run(
    config: RunConfig, *, check: Callable[[Corpus], None] | None = None, tags: Mapping[str, str] | None = None
) -> None:
    """One training, from config to summary.json.

    check: called with the corpus before anything is written; what it raises ends the run. tags: more for the trackers.

    Leaves in `output_dir`: model-best/, model-last/, config.yaml, summary.json (and the trackers' files), and checkpoint/
    where the run did not finish. Raises RunnerError (exit code 2), RunFailed (1); an interrupt ends the tracked run as
    KILLED and goes on up.
    """
    started = time.perf_counter()
    load_code(config.code)
    set_compute(config)
    try:
        with begun(config) as (config, found):
            _run(config, found, started, check, tags or {})
    finally:  # of a run that was refused, or has finished elsewhere before
        remove_empty_run(config.output_dir, has_own_name=config.has_own_folder)


def _run(
    config: RunConfig,
    found: Found | None,
    started: float,
    check: Callable[[Corpus], None] | None,
    tags: Mapping[str, str],
) -> None:
    """`run`, in a folder that is held. found: where an interrupted run goes on. started: by the clock perf_counter."""
    if found is not None:
        with found.fitting():
            started -= found.resumed.seconds
    trackers = make_trackers(config)
    corpus = make_corpus(config)
    print_remarks(corpus)
    if found is not None:
        found.check_data(corpus.digest)
    elif config.resume == "auto" and has_finished(config, fingerprint(config, corpus.sources)):
        return
    if check is not None:
        check(corpus)
    pipeline, sgd, plan = make_learner(config, corpus.train)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    check_worth(pipeline, corpus, plan.score_weights)
    result = Result()
    training = Training(pipeline, corpus.train, corpus.dev, plan, sgd)
    if found is not None:
        with found.fitting():
            result = Result(**found.about["result"])
            training.restore(found.about["training"], found.arrays)
    note_kernel(result, kernel(config.compute.ops))
    result.fingerprint = fingerprint(config, corpus.sources)
    begin_folder(config, training.n_updates if found is not None else None)
    keeper = Keeper(config.output_dir, config.training.checkpoint_seconds, config.training.checkpoint_steps)
    checkpoint_seconds = result.checkpoint_seconds
    identity = {"fingerprint": settings(config), "data_digest": corpus.digest}

    def snapshot() -> Snapshot:
        for tracker in trackers:
            tracker.flush()
        about, arrays = training.snapshot()
        seconds = time.perf_counter() - started
        return {**identity, "seconds": seconds, "result": dataclasses.asdict(result), "training": about}, arrays

    all_tags = {**tags, KERNEL: result.kernel}
    judge = make_judge(config)
    interrupts = Interrupts()
    reserve = bytearray(RESERVE)
    try:
        if found is None:
            keeper.offer(0, snapshot, force=True)
        for tracker in trackers:
            tracker.start(run_info(config, corpus, pipeline, found.resumed if found is not None else None, all_tags))
        with deferred() as interrupts:
            for step in () if result.pruned else steps(training, keeper, plan.max_rollbacks):
                result.rollbacks += len(step.rollbacks)
                keep(step, pipeline, sgd, corpus, config, result)
                for tracker in trackers:
                    tracker.record(step)
                if judge is not None and step.evaluation is not None:
                    result.n_evaluations += 1
                    result.pruned = judge(result.n_evaluations, step.evaluation.score)
                interrupts.check()
                keeper.offer(step.step, snapshot)
                if result.pruned:
                    break
            interrupts.is_between = True  # trained to its end: an interrupt from here on loses nothing
            if not result.pruned:
                result.test = scores_on_test(config.output_dir / BEST, corpus.test, plan.score_weights, config)
        result.checkpoint_seconds = checkpoint_seconds + keeper.seconds_spent
        seconds = time.perf_counter() - started
        write_summary(config, result, "FINISHED", None, seconds)  # kept, should the process be killed now
        run_id = finish(trackers, "FINISHED", None, config, result)
        write_summary(config, result, "FINISHED", run_id, seconds)
    except BaseException as error:
        del reserve
        if interrupts.is_between and isinstance(error, KeyboardInterrupt):
            keep_for_resume(keeper, training.n_updates, snapshot, config)
        keeper.close()
        result.checkpoint_seconds = checkpoint_seconds + keeper.seconds_spent
        finish_early(error, trackers, config, result, time.perf_counter() - started)
        raise
    keeper.close()
    clear(keeper.folder)


def begin_folder(config: RunConfig, step: int | None) -> None:
    """The first write: the config and Hydra's notes. step: where the run goes on; None for a new run, which gets the
    folder for itself."""
    if step is not None:
        print(f"goes on after step {step:,} in {config.output_dir}", flush=True)
    else:
        clear(config.output_dir / FOLDER)
        if (place := make_room(config.output_dir)) is not None:
            print(f"the run that was in {config.output_dir} is kept in {place}", flush=True)
    for name, text in config.notes.items():
        write_file(config.output_dir / name, text)
    write_file(config.output_dir / "config.yaml", yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True))


def keep_for_resume(keeper: Keeper, n: int, snapshot: Callable[[], Snapshot], config: RunConfig) -> None:
    """Keep what an interrupt between two steps leaves behind, and say how it goes on."""
    try:
        keeper.offer(n, snapshot, force=True)
        how = "the same command" if config.sweep is not None else "the same command with resume=auto"
        print(f"kept at step {n:,}: {how} goes on from there", file=sys.stderr)
    except RunnerError as problem:  # the interrupt is what is to be told, and this beside it
        print(problem, file=sys.stderr)


def finish_early(
    error: BaseException, trackers: list[Tracker], config: RunConfig, result: Result, seconds: float
) -> None:
    """Tell trackers and summary what has ended the run."""
    status: Status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
    message = str(error) if isinstance(error, RunnerError | KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    with contextlib.suppress(RunnerError):  # on a full disk these fail too; what has ended the run is to be told
        run_id = finish(trackers, status, message, config, result)
        write_summary(config, result, status, run_id, seconds, message)


def print_remarks(corpus: Corpus) -> None:
    """What was left out of the data, and what was read on a guess or looks like a mistake."""
    for what, n in sorted(corpus.left_out.items()):
        print(f"left out of the data: {n:,} {what}")
    for line in corpus.left_out.lines():
        print(line)


def keep(step: Step, pipeline: Pipeline, sgd: Optimizer, corpus: Corpus, config: RunConfig, result: Result) -> None:
    """After each evaluation: the averaged parameters as model-last, and as model-best, with its predictions, where they
    are the best so far."""
    result.train_words += step.words
    result.train_seconds += step.seconds
    if step.evaluation is None:
        return
    made_from = {"data_digest": corpus.digest, "seed": config.seed}
    with pipeline.use_params(sgd.averages):
        pipeline.meta = {**_about(step, step.evaluation), **made_from}
        result.weights_sha256 = weights_sha256(pipeline)
        pipeline.to_disk(config.output_dir / LAST)
    if step.best is not None:
        with pipeline.use_params(step.best.params):
            result.best = {**_about(step.best, step.best), "epochs": dict(step.best.epochs)}
            pipeline.meta = {**result.best, **made_from}
            pipeline.to_disk(config.output_dir / BEST)
            predictions.save(config.output_dir / predictions.FILE_NAME, pipeline, corpus.dev)


def _about(when: Step | Best, scored: Evaluation | Best) -> dict[str, Any]:
    return {"epoch": when.epoch, "step": when.step, "score": scored.score, "scores": dict(scored.scores)}


def finish(trackers: list[Tracker], status: Status, error: str | None, config: RunConfig, result: Result) -> str | None:
    """Tell the trackers how it ended; the MLflow run's id where there is one."""
    models = {name: config.output_dir / name for name in (BEST, LAST) if (config.output_dir / name).is_dir()}
    test = {"test": {"score": result.test["score"], **result.test["scores"]}} if result.test is not None else {}
    run_id = None
    for tracker in trackers:
        run_id = tracker.finish(status, error, models, **test) or run_id
    return run_id
