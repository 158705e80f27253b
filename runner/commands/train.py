"""Train what the config describes: load, build, loop, save, track. Readable as a table of contents."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.blocks import load_code, resolve, resolve_argument
from runner.commands.degenerate import check_worth
from runner.commands.folder import make_room
from runner.commands.held_out import scores_on_test
from runner.commands.result import Result, note_kernel, write_summary
from runner.commands.resume import Found, begun, has_finished
from runner.compare.reproduction import code_tags
from runner.components import predictions
from runner.components.base import max_batch_size
from runner.components.pipeline import Pipeline
from runner.components.storage import weights_sha256
from runner.config.schema import RunConfig
from runner.corpus.augment import Augmentation
from runner.corpus.datasets import Corpus, load_corpus
from runner.corpus.digests import sha256_of
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.files import write_file
from runner.launch.fingerprint import fingerprint, settings
from runner.launch.program import remove_empty_run
from runner.launch.prune import make_judge
from runner.model.allocator import keep_freed_memory
from runner.model.kernel import kernel
from runner.model.ops import make_ops
from runner.registry import Schedule
from runner.tracking.base import DatasetInfo, Resumed, RunInfo, ScoreColumns, Status, Tracker
from runner.tracking.past_run import BEST, KERNEL, LAST
from runner.tracking.provenance import provenance_tags
from runner.training.interrupts import Interrupts, deferred
from runner.training.keeper import FOLDER, Keeper, Snapshot, clear
from runner.training.loop import Plan, Training
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
    pipeline = make_pipeline(config)
    sgd: Optimizer = resolve(config.optimizer, "optimizers", "optimizer")
    plan = make_plan(config, pipeline, corpus.train)
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


def set_compute(config: RunConfig) -> None:
    """What computes in this process: its library, BLAS threads, memory. Raises RunnerError where the library is missing.

    Called before anything is read, which may take minutes. More than one thread a job is many times slower on a busy
    machine.
    """
    from threadpoolctl import threadpool_limits

    make_ops(config.compute.ops)
    threadpool_limits(config.compute.threads)
    keep_freed_memory()


def make_trackers(config: RunConfig) -> list[Tracker]:
    """The console always, and what `tracking` names."""
    trackers: list[Tracker] = [resolve({"type": "console"}, "trackers", "tracking")]
    if config.tracking["type"] != "console":
        trackers.append(resolve(config.tracking, "trackers", "tracking"))
    return trackers


def make_corpus(config: RunConfig) -> Corpus:
    """The data sets, read and checked."""
    corpus = {field.name: getattr(config.corpus, field.name) for field in dataclasses.fields(config.corpus)}
    corpus["reader"] = resolve(corpus["reader"], "readers", "corpus.reader")
    corpus["tokenizer"] = resolve(config.pipeline.tokenizer, "tokenizers", "pipeline.tokenizer")
    corpus["recipe"] = reading_recipe(config)
    loaded = load_corpus(**corpus)
    return loaded


def print_remarks(corpus: Corpus) -> None:
    """What was left out of the data, and what was read on a guess or looks like a mistake."""
    for what, n in sorted(corpus.left_out.items()):
        print(f"left out of the data: {n:,} {what}")
    for line in corpus.left_out.lines():
        print(line)


def reading_recipe(config: RunConfig) -> str:
    """What decides, beside files, which docs they give: reader, tokenizer, and the code that may hold either."""
    code = [sha256_of(Path(path).expanduser()) for path in config.code]
    return json.dumps([config.corpus.reader, config.pipeline.tokenizer, code], sort_keys=True, default=str)


def make_pipeline(config: RunConfig) -> Pipeline:
    """The components, not yet initialized."""
    pipeline = Pipeline(
        config.pipeline.lang,
        tokenizer=config.pipeline.tokenizer,
        seed=config.seed,
        shared_tok2vec=config.pipeline.shared_tok2vec,
        ops=config.compute.ops,
        threads=config.compute.threads,
    )
    for name, block in config.pipeline.components.items():
        pipeline.add_pipe(name, block)
    return pipeline


def make_plan(config: RunConfig, pipeline: Pipeline, train: Sequence[Example] = ()) -> Plan:
    """Batches, dropout, augmenters, and when to stop. train: for augmenters that learn from it."""
    batch = dict(config.batch)
    if batch["type"] == "auto" and batch.get("stop") is None:
        batch.setdefault("max_size", max_batch_size(pipeline.components.values(), batch.get("component")))
    weights: Mapping[str, float] = config.pipeline.score_weights or {
        key: weight for component in pipeline.components.values() for key, weight in component.score_weights.items()
    }
    return Plan(
        batcher=resolve(batch, "batchers", "batch"),
        dropout=resolve_argument(config.dropout, Schedule, "dropout"),
        score_weights=weights,
        max_epochs=config.training.max_epochs,
        max_steps=config.training.max_steps,
        patience=config.training.patience,
        eval_every=config.training.eval_every,
        best_epoch=config.training.best_epoch,
        max_rollbacks=config.training.max_rollbacks,
        seed=config.seed,
        augment=make_augmentation(config, train),
    )


def make_augmentation(config: RunConfig, train: Sequence[Example]) -> Augmentation | None:
    """What `augmenters` names; None where it names nothing."""
    if not config.augmenters:
        return None
    steps = {name: resolve(block, "augmenters", f"augmenters.{name}") for name, block in config.augmenters.items()}
    augmentation = Augmentation(steps, config.seed)
    if train:
        augmentation.prepare(train)
    return augmentation


def run_info(
    config: RunConfig,
    corpus: Corpus,
    pipeline: Pipeline,
    resumed: Resumed | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunInfo:
    """What the trackers are told before the first step."""
    components = list(config.pipeline.components)
    what_differs = [str(config.optimizer["type"]), *_changes(config.overrides)]  # first: lists cut long names
    name = config.run_name or "-".join([*what_differs, *components, corpus.name, f"seed{config.seed}"])
    return RunInfo(
        name=name,
        experiment=config.experiment,
        output_dir=config.output_dir,
        config=config.as_dict(),
        tags={
            **provenance_tags(Path.cwd()),
            "component": ",".join(components),
            "corpus": corpus.name,
            "data_digest": corpus.digest,
            "fingerprint": fingerprint(config, corpus.sources),
            "overrides": " ".join(config.overrides),
            **code_tags(config),
            **(tags or {}),
        },
        datasets=[
            DatasetInfo(
                name=source.name,
                split=source.split,
                source=str(source.path),
                digest=source.sha256,
                n_docs=source.n_docs,
                n_words=source.n_words,
            )
            for source in corpus.sources
        ],
        components=components,
        columns=[
            ScoreColumns(component.name, component.heading, component.columns)
            for component in pipeline.components.values()
            if component.has_weights
        ],
        max_epochs=config.training.max_epochs,
        max_steps=config.training.max_steps,
        resumed=resumed,
        parent=config.sweep.key if config.sweep is not None else None,
    )


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


def _changes(overrides: list[str]) -> list[str]:
    """The overrides that tell sibling runs apart, short: `dropout.start=0.2` → `start0.2`."""
    told = ("pipeline", "optimizer", "corpus", "seed", "output_dir")
    parts = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key in told or key.split(".")[0] in ("tracking", "hydra") or "/" in value:
            continue
        parts.append(f"{key.split('.')[-1]}{value}"[:24])
    return parts[:4]
