"""model-best: of one epoch, or put together from every component's own best one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from runner.training.best import Chooser
from runner.training.step import Evaluation

WEIGHTS = {"tag_acc": 0.5, "ents_f": 0.5}


def pipeline(*names: str) -> Any:
    own = {"tagger": {"tag_acc": 1.0}, "ner": {"ents_f": 1.0}}
    parts = {name: SimpleNamespace(score_weights=own[name], has_weights=True) for name in names}
    return SimpleNamespace(components=parts, pipe_names=list(names))


def scored(tag_acc: float, ents_f: float) -> Evaluation:
    scores = {"tag_acc": tag_acc, "ents_f": ents_f}
    return Evaluation((tag_acc + ents_f) / 2, scores, {}, {}, 1.0)


def params(value: float) -> dict[str, Any]:
    return {path: np.full(2, value, dtype="float32") for path in ("tagger/W", "ner/W")}


def never(_: Any) -> Evaluation:
    raise AssertionError("no further evaluation is needed here")


def test_shared_takes_the_one_epoch_with_the_best_final_score():
    chooser = Chooser(pipeline("tagger", "ner"), WEIGHTS, is_each=False)
    assert chooser.is_better(scored(0.5, 0.3), 10, 1, params(1), never)
    assert not chooser.is_better(scored(0.4, 0.4), 20, 2, params(2), never)  # as good: the earlier one stays
    assert chooser.is_better(scored(0.6, 0.29), 30, 3, params(3), never)
    assert chooser.best is not None
    assert (chooser.best.step, chooser.best.score) == (30, (0.6 + 0.29) / 2)
    assert chooser.best.epochs == {"tagger": 3, "ner": 3}


def test_each_puts_the_best_epochs_together_and_scores_the_result():
    chooser = Chooser(pipeline("tagger", "ner"), WEIGHTS, is_each=True)
    live = params(1)
    assert chooser.is_better(scored(0.5, 0.3), 10, 1, live, never)  # all are better: what was scored is what is kept
    for value in live.values():
        value[...] = 2  # training goes on in the same arrays
    assert chooser.is_better(scored(0.6, 0.2), 20, 2, live, evaluate_mixed := Recorder(scored(0.61, 0.31)))
    assert chooser.best is not None
    assert chooser.best.score == (0.61 + 0.31) / 2  # as scored together, not as added up
    assert chooser.best.epochs == {"tagger": 2, "ner": 1}
    assert {path: value.tolist() for path, value in evaluate_mixed.seen.items()} == {
        "tagger/W": [2.0, 2.0],
        "ner/W": [1.0, 1.0],
    }
    assert not chooser.is_better(scored(0.6, 0.3), 30, 3, params(3), never)


def test_a_score_without_gold_is_never_compared():
    chooser = Chooser(pipeline("tagger"), {"tag_acc": 1.0}, is_each=False)
    absent = Evaluation(None, {"tag_acc": None}, {}, {}, 1.0)
    assert chooser.is_better(absent, 10, 1, params(1), never)
    assert chooser.is_better(absent, 20, 2, params(2), never)  # nothing tells them apart: the last one counts
    assert chooser.is_better(scored(0.0, 0.0), 30, 3, params(3), never)
    assert not chooser.is_better(absent, 40, 4, params(4), never)


def test_each_takes_a_component_without_gold_along_with_the_others():
    chooser = Chooser(pipeline("tagger", "ner"), WEIGHTS, is_each=True)

    def of_tags(tag_acc: float) -> Evaluation:
        return Evaluation(tag_acc, {"tag_acc": tag_acc, "ents_f": None}, {}, {}, 1.0)

    assert chooser.is_better(of_tags(0.5), 10, 1, params(1), never)
    assert not chooser.is_better(of_tags(0.4), 20, 2, params(2), never)
    assert chooser.is_better(of_tags(0.6), 30, 3, params(3), never)
    assert chooser.best is not None
    assert chooser.best.epochs == {"tagger": 3, "ner": 3}
    again = Chooser(pipeline("tagger", "ner"), WEIGHTS, is_each=True)
    again.restore(*chooser.snapshot())
    assert not again.is_better(of_tags(0.6), 40, 4, params(4), never)


class Recorder:
    def __init__(self, answer: Evaluation) -> None:
        self.answer = answer
        self.seen: dict[str, Any] = {}

    def __call__(self, given: Any) -> Evaluation:
        self.seen = dict(given)
        return self.answer
