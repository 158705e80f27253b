"""A run with a teacher from the command line: its weight as a schedule, its losses apart."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from runner.assemble import make_corpus, make_learner, make_start
from runner.config.compose import compose
from runner.launch.initial import with_pipeline_of_model
from runner.tracking.mlflow import metrics
from runner.tracking.mlflow.metrics import RunMetrics
from runner.training.loop import Training
from tests.commands.test_init_model import TINY, data, place, train

__all__ = ["place"]  # a fixture
FALL = "teacher.weight={type: linear, start: 1, stop: 0, steps: auto}"


def training(place: Path, *words: str) -> Training:
    config = compose(
        with_pipeline_of_model(
            [*TINY, "init.model=first", "teacher=itself", *data("people"), "training.max_epochs=4", *words]
        )
    )
    initial, teacher = make_start(config)
    corpus = make_corpus(config)
    nlp, sgd, plan = make_learner(config, corpus.train, initial, teacher)
    nlp.initialize(lambda: corpus.train, sgd=sgd, start_over=False)
    return Training(nlp, corpus.train, corpus.dev, plan, sgd)


def test_the_weight_of_every_update_is_recorded_and_falls_to_its_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    weights = [step.extra["teacher_weight"] for step in training(place, FALL)]
    n = len(weights)
    assert n > 5
    assert weights == pytest.approx([1 - i / n for i in range(n)])
    constant = [step.extra["teacher_weight"] for step in training(place, "teacher.weight=0.25")]
    assert constant == [0.25] * n


def test_a_weight_that_falls_has_the_same_bits_when_the_training_is_taken_up_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    whole, first, second = training(place, FALL), training(place, FALL), training(place, FALL)
    for _ in whole:
        pass
    steps = iter(first)
    for _ in range(3):
        next(steps)
    second.restore(*first.snapshot())
    for _ in second:
        pass
    ends = [one.pipeline.parameters.weights.tobytes() for one in (whole, second)]
    assert ends[0] == ends[1]
    other = training(place)
    for _ in other:
        pass
    assert other.pipeline.parameters.weights.tobytes() != ends[0], "the schedule has made no difference"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("teacher.weight={type: linear, start: 2, stop: 0, steps: 9}", "teacher.weight: must be from 0 to 1, got 2"),
        ("teacher.weight={type: lienar}", "did you mean 'linear'?"),
        (
            "teacher.weight={type: linear, start: 1, stop: -1, steps: 2}",
            "teacher.weight: the schedule gives -1.0 at step 2",
        ),
    ],
)
def test_a_weight_out_of_range_is_refused(place: Path, word: str, told: str) -> None:
    ended = train(place, "refused", "init.model=first", "teacher=itself", *data("people"), word)
    assert ended.code in (1, 2)
    assert told in " ".join(ended.stderr.split())


def test_the_losses_stand_apart_in_the_table_and_in_the_metrics(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    ended = train(place, "apart", "init.model=first", "teacher=itself", *data("both"))
    assert ended.code == 0, ended.stderr
    head = next(line for line in ended.stdout.splitlines() if line.startswith("Epoch"))
    assert [head.split().count(kind) for kind in ("Learn", "Teach", "Loss")] == [2, 2, 0]
    last = list(training(place))[-1]
    assert last.evaluation is not None
    keys, values = RunMetrics().of_step(last)
    numbers = dict(zip(keys, values, strict=True))
    for name in ("ner", "tagger"):
        assert numbers[f"learn/{name}"] == last.losses[name] / last.words > 0
        assert numbers[f"teach/{name}"] == last.losses[f"teach/{name}"] / last.words > 0
    assert not {key for key in keys if key.startswith("train/loss_")}
    assert numbers["train/batch_loss"] == pytest.approx(sum(last.losses.values()))
    assert {"train/loss_sum_ner", "teach/loss_sum_ner"} <= RunMetrics().of_evaluation(last, last.evaluation).keys()


def test_docstrings() -> None:
    assert doctest.testmod(metrics).failed == 0
