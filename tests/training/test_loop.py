"""A training that is left between two steps and taken up in a new pipeline ends with the same bits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from runner.assemble import make_corpus, make_pipeline, make_plan
from runner.blocks import resolve
from runner.config.compose import compose
from runner.training.checkpoint import load, save
from runner.training.loop import Training

TINY = (
    "corpus.limit=40", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=300",
    "training.max_epochs=3", "optimizer.learn_rate=0.01",
)  # fmt: skip
KINDS = {
    "ner": ["pipeline=ner", "augmenters=noise"],
    "tagger": ["pipeline=tagger", "training.eval_every=7", "batch=words", "batch.size=100"],
    "parser": ["pipeline=parser", "optimizer=radam"],
    "textcat": ["pipeline=textcat", "optimizer.use_averages=false"],
    "full": ["pipeline=full", "training.best_epoch=each", "dropout=constant"],
    "shared": ["pipeline=full", "pipeline.shared_tok2vec=true", "optimizer.L2_is_weight_decay=false"],
    "sgd": ["pipeline=ner", "optimizer=sgd"],
}


def begin(*overrides: str) -> Training:
    config = compose([*TINY, *overrides])
    corpus = make_corpus(config)
    pipeline, sgd = make_pipeline(config), resolve(config.optimizer, "optimizers", "optimizer")
    plan = make_plan(config, pipeline, corpus.train)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    return Training(pipeline, corpus.train, corpus.dev, plan, sgd)


def seen(step: Any) -> Any:
    """Of a step, what must be the same."""
    scored = step.evaluation and (step.evaluation.score, step.evaluation.losses)
    best = step.best and (step.best.score, step.best.epochs, {k: v.tobytes() for k, v in step.best.params.items()})
    return step.step, step.epoch, step.losses, step.grad_norm, step.epoch_words_done, scored, best


def bits(training: Training) -> str:
    about, arrays = training.snapshot()
    digest = hashlib.sha256(repr(sorted((k, v) for k, v in about.items() if k != "best")).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_wherever_it_was_left(kind, tmp_path):
    whole = begin(*KINDS[kind])
    told = [seen(step) for step in whole]
    for at in {1, len(told) // 3, len(told) // 2, len(told) - 1}:
        first = begin(*KINDS[kind])
        steps = iter(first)
        assert [seen(next(steps)) for _ in range(at)] == told[:at]
        save(tmp_path / "checkpoint", *first.snapshot())
        second = begin(*KINDS[kind])
        second.restore(*load(tmp_path / "checkpoint"))
        assert [seen(step) for step in second] == told[at:]
        assert bits(second) == bits(whole)


def test_taking_a_snapshot_changes_nothing():
    plain, watched = begin("pipeline=ner"), begin("pipeline=ner")
    for one, other in zip(plain, watched, strict=True):
        assert seen(one) == seen(other)
        watched.snapshot()
    assert bits(plain) == bits(watched)


def test_a_finished_training_has_no_more_steps(tmp_path):
    first = begin("pipeline=ner", "training.max_steps=3")
    assert len(list(first)) == 3
    second = begin("pipeline=ner", "training.max_steps=3")
    second.restore(*first.snapshot())
    assert list(second) == []


def test_another_model_is_refused():
    first = begin("pipeline=ner")
    next(iter(first))
    with pytest.raises(Exception, match="another model"):
        begin("pipeline=ner", "tok2vec.width=8").restore(*first.snapshot())
    assert np.isfinite(first.pipeline.parameters.weights).all()
