"""Names of metrics: those of older journals and stores are read under their present names."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

from runner.tracking import metric_names
from runner.tracking.journal import read_journal
from runner.tracking.metric_names import renamed, scores_of, value_of
from runner.tracking.mlflow import metrics
from runner.tracking.mlflow.metrics import SMOOTHED_UPDATES, RunMetrics, Smoothed
from runner.tracking.past_run import Point, from_folder
from tests.tracking.conftest import make_evaluation, make_step

# What the version before the groups wrote, but for the long values of `start`.
OLD_JOURNAL = [
    {"event": "start", "time": 1, "name": "old", "experiment": "runner", "uri": "sqlite:///a.db", "params": {"seed": "0"},
     "tags": {"journal": "k"}, "datasets": [], "scores": ["ents_f"], "table": []},
    {"event": "metrics", "step": 1, "time": 2, "values": {"loss": 8.0, "learn_rate": 0.1, "words": 2.0, "words_per_second": 9.0}},
    {"event": "metrics", "step": 2, "time": 3, "values": {"loss": 4.0, "learn_rate": 0.1, "words": 4.0, "words_per_second": 9.0}},
    {"event": "evaluation", "step": 2, "time": 4, "epoch": 1, "table": "…", "per_type": [],
     "values": {"epoch": 1.0, "score": 0.5, "ents_f": 0.5, "ner_loss": 12.0, "best_score": 0.5, "best_epoch": 1, "best_step": 2,
                "prediction_words_per_second": 99.0},
     "best": {"values": {"score": 0.5, "ents_f": 0.5}, "per_type": []}},
    {"event": "finish", "step": 2, "time": 5, "status": "FINISHED", "values": {"train_words": 6.0, "seconds": 2.0},
     "best": {"best_score": 0.5, "best_epoch": 1, "best_step": 2}, "models": [{"name": "model-best", "values": {"ents_f": 0.5}}]},
]  # fmt: skip


def write_old(folder: Path) -> None:
    (folder / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in OLD_JOURNAL), encoding="utf8")
    best = {"score": 0.5, "epoch": 1, "step": 2, "scores": {"ents_f": 0.5, "tag_acc": None}}
    (folder / "summary.json").write_text(json.dumps({"status": "FINISHED", "best": best}), encoding="utf8")


def test_an_old_journal_is_read_under_the_present_names(tmp_path: Path) -> None:
    write_old(tmp_path)
    _, step, _, evaluation, finish = read_journal(tmp_path / "journal.jsonl")
    assert step["values"] == {
        "train/batch_loss": 8.0, "schedule/learn_rate": 0.1, "train/batch_words": 2.0, "speed/words_per_second": 9.0,
    }  # fmt: skip
    assert evaluation["values"] == {
        "train/epoch": 1.0, "dev/score": 0.5, "dev/ents_f": 0.5, "train/loss_sum_ner": 12.0, "dev/best_score": 0.5,
        "train/best_epoch": 1, "train/best_step": 2, "speed/prediction_words_per_second": 99.0,
    }  # fmt: skip
    assert evaluation["best"]["values"] == {"dev/score": 0.5, "dev/ents_f": 0.5}
    assert finish["best"] == {"dev/best_score": 0.5, "train/best_epoch": 1, "train/best_step": 2}
    assert finish["models"][0]["values"] == {"dev/ents_f": 0.5}


def test_a_past_run_of_an_old_folder_has_its_curve_and_figures(tmp_path: Path) -> None:
    write_old(tmp_path)
    past = from_folder(tmp_path)
    assert past.points == [Point(2, 1.0, 0.5, 12 / 6)]
    assert past.figures == {"train_words": 6.0, "seconds": 2.0, "prediction_words_per_second": 99.0}
    assert (past.scores, past.final) == ({"ents_f": 0.5}, {"score": 0.5, "epoch": 1.0, "step": 2})


def test_numbers_of_a_sweep_and_its_points() -> None:
    old = {"n_jobs": 4.0, "sweep_best_score": 0.9, "best_ents_f": 0.8, "gain_x": 0.1}
    assert renamed(old) == {"sweep/n_jobs": 4.0, "sweep/best_score": 0.9, "sweep/best_ents_f": 0.8, "gain/x": 0.1}
    assert renamed({"n_seeds": 2.0, "score_mean": 0.7}) == {"sweep/n_seeds": 2.0, "sweep/score_mean": 0.7}


def test_what_has_a_group_is_left_as_it_is() -> None:
    now = {"dev/score": 0.1, "teach/ner": 2.0}
    assert renamed(now) is now
    assert value_of({"best_score": 0.3}, "dev/best_score") == 0.3
    assert value_of({"best_score": 0.3, "dev/best_score": 0.4}, "dev/best_score") == 0.4
    assert value_of({}, "dev/best_score") is None
    assert scores_of({"score": 0.1, "ents_f": 0.2, "ner_loss": 9.0, "epoch": 1.0, "best_tag_acc": 0.3}) == {
        "ents_f": 0.2
    }


def test_every_key_of_a_run_has_a_group() -> None:
    run, step = RunMetrics(), make_step(1, evaluation=make_evaluation(0.4), is_best=True)
    assert step.evaluation is not None
    assert step.best is not None
    keys = [
        *run.of_step(step)[0],
        *run.of_evaluation(step, step.evaluation),
        *run.of_best(step.best),
        *run.of_test({"a": 1}),
    ]
    assert {key.split("/")[0] for key in keys} == {"dev", "test", "train", "schedule", "speed"}
    assert min(keys) == "dev/best_score"


def test_a_loss_is_the_mean_a_word_and_goes_on_from_the_journal() -> None:
    """The first updates count alike, later ones by a part of SMOOTHED_UPDATES."""
    whole, steps = RunMetrics(), [make_step(i) for i in range(1, 2 * SMOOTHED_UPDATES)]
    curve = [dict(zip(*whole.of_step(step), strict=True)) for step in steps]
    losses = [8.0 / step.step / 100 for step in steps]
    assert abs(curve[9]["train/loss"] - sum(losses[:10]) / 10) < 1e-12
    later = SMOOTHED_UPDATES + 4
    expected = curve[later - 1]["train/loss"] * (1 - 1 / SMOOTHED_UPDATES) + losses[later] / SMOOTHED_UPDATES
    assert abs(curve[later]["train/loss"] - expected) < 1e-12
    second = RunMetrics()
    for values in curve[:later]:
        second.know_step(values)
    assert [dict(zip(*second.of_step(step), strict=True)) for step in steps[later:]] == curve[later:]


def test_a_loss_that_is_no_number_is_shown_and_forgotten() -> None:
    loss = Smoothed()
    assert [loss.add(2.0), str(loss.add(float("nan"))), loss.add(4.0)] == [2.0, "nan", 3.0]


def test_docstrings() -> None:
    assert doctest.testmod(metric_names).failed == doctest.testmod(metrics).failed == 0
