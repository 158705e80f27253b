"""Train what the config describes: load, build, loop, save, track. Readable as a table of contents."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.assemble import make_corpus, make_learner, make_start, make_trackers, run_info, set_compute
from runner.commands.degenerate import check_worth
from runner.commands.ending import ended
from runner.commands.held_out import scores_on_test
from runner.commands.recorders import Checkpoints, Judge, Models
from runner.commands.result import note_kernel
from runner.commands.run_page import write_page
from runner.commands.start import Start, begun
from runner.commands.starting import check_old_dev, starting_point, tell_if_worse
from runner.commands.teaching import taught
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.launch.fingerprint import fingerprint
from runner.launch.folders import remove_empty_run
from runner.launch.pretrained import start_from_pretrained
from runner.launch.prune import make_judge
from runner.launch.taught import pseudo_label_tags
from runner.model.kernel import kernel
from runner.tracking.past_run import BEST, KERNEL
from runner.training.interrupts import Interrupts
from runner.training.loop import Training
from runner.training.old_dev import OldDev
from runner.user_code import load_code


def run(
    config: RunConfig, *, check: Callable[[Corpus], None] | None = None, tags: Mapping[str, str] | None = None
) -> Path:
    """One training, from config to summary.json. Returns the run's folder: with `resume` it may be an earlier run's.

    check: called with the corpus before anything is written; an error that it raises ends the run. tags: further tags for
    the trackers.

    Leaves in `output_dir`: model-best/, model-last/, config.yaml, summary.json, errors.html (and the trackers' files), and
    checkpoint/ if the run did not finish. Raises RunnerError (exit code 2) or RunFailed (1); an interrupt ends the tracked run as
    KILLED and is raised again.
    """
    began = time.perf_counter()
    load_code(config.code)
    set_compute(config)
    try:
        with begun(config, began) as start:
            return _run(start, check, tags or {})
    finally:  # a run that was refused, or has finished before in another folder, leaves none of its own
        remove_empty_run(config.output_dir, has_own_name=config.has_own_folder)


def _run(start: Start, check: Callable[[Corpus], None] | None, tags: Mapping[str, str]) -> Path:
    """`run`, in a folder that is held against other processes."""
    config = start.config
    trackers = make_trackers(config)
    initial, teacher = make_start(config)  # what does not fit is told before anything is read
    corpus = make_corpus(config)
    print_remarks(corpus)
    if (done := start.done_in(corpus)) is not None:
        return done
    if check is not None:
        check(corpus)
    corpus, written = taught(config, corpus, initial, teacher)
    pipeline, sgd, plan = make_learner(config, corpus.train, initial, teacher)
    pipeline.initialize(lambda: corpus.train, sgd=sgd, start_over=False)
    init_tok2vec = start_from_pretrained(config, pipeline)
    check_worth(pipeline, corpus, plan)
    if initial is not None and corpus.old_dev:
        old_dev = OldDev(initial, pipeline.pipe_names, corpus.old_dev, plan.score_weights)
        plan = dataclasses.replace(plan, old_dev=old_dev)
    training = Training(pipeline, corpus.train, corpus.dev, plan, sgd)
    result = start.restore(training)
    check_old_dev(result, plan.old_dev)
    note_kernel(result, kernel(config.compute.ops))
    result.chosen = dict(plan.chosen)
    result.init_tok2vec = init_tok2vec
    result.fingerprint = fingerprint(config, corpus.sources)
    result.pseudo_labels = {name: one.as_dict() for name, one in written.items()} or None
    if initial is not None and start.resumed is None:
        result.init = starting_point(config, initial, pipeline.pipe_names, corpus.dev, plan)
    start.open_folder()
    checkpoints = Checkpoints(start, corpus.digest, training, result, trackers)
    judge = Judge(make_judge(config), result)
    recorders = (result, Models(config, corpus, pipeline, sgd, result), trackers, judge)
    interrupts = Interrupts()
    with ended(start, result, trackers, checkpoints, interrupts):
        checkpoints.start()
        told = {**tags, **pseudo_label_tags(written), KERNEL: result.kernel}
        trackers.start(run_info(config, corpus, pipeline, plan, start.resumed, told))
        with interrupts.deferred():
            for step in judge.until_pruned(checkpoints.steps(plan.max_rollbacks)):
                for recorder in recorders:
                    recorder.record(step)
                interrupts.check()
                checkpoints.record(step)
            tell_if_worse(result.init, result.best)
            interrupts.is_between = True  # trained to its end: an interrupt from here on loses nothing
            if not result.pruned:
                result.test = scores_on_test(config.output_dir / BEST, corpus.test, plan.score_weights, config)
                write_page(config, corpus, result.best)
    return config.output_dir


def print_remarks(corpus: Corpus) -> None:
    """What was left out of the data, and what was read on a guess or looks like a mistake."""
    for what, n in sorted(corpus.left_out.items()):
        print(f"left out of the data: {n:,} {what}")
    for line in corpus.left_out.lines():
        print(line)
