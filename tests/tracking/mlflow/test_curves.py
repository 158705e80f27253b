"""Learning curves: which lines are drawn, and how many points of the loss are kept."""

from __future__ import annotations

import doctest

import pytest

from runner.tracking.mlflow import rank
from runner.tracking.mlflow.curves import MOST_POINTS, Curves
from runner.tracking.mlflow.note import Links, note

pytestmark = pytest.mark.mlflow


def drawn(scores: list[str], evaluations: list[dict[str, float]], n_steps: int = 3) -> Curves:
    curves = Curves()
    curves.begin(scores)
    for step in range(1, n_steps + 1):
        curves.add_step({"step": step, "values": {"train/loss": 1.0 / step}})
    for step, values in enumerate(evaluations, 1):
        curves.add({"step": step, "values": values})
    return curves


def test_a_score_that_is_the_final_score_is_one_line() -> None:
    picture = drawn(
        ["ents_f"], [{"dev/score": 0.2, "dev/ents_f": 0.2}, {"dev/score": 0.4, "dev/ents_f": 0.4}]
    ).picture()
    assert ">ents_f<" in picture
    assert ">score<" not in picture
    assert ">train/loss<" in picture


def test_of_two_components_the_final_score_is_drawn_too() -> None:
    picture = drawn(["ents_f", "tag_acc"], [{"dev/score": 0.3, "dev/ents_f": 0.2, "dev/tag_acc": 0.4}]).picture()
    assert all(f">{name}<" in picture for name in ("score", "ents_f", "tag_acc"))


def test_nothing_scored_is_no_picture() -> None:
    assert drawn(["ents_f"], []).picture() == ""


def test_the_loss_of_a_long_run_is_thinned_evenly() -> None:
    steps = [step for step, _ in drawn([], [], 10 * MOST_POINTS)._loss]
    assert MOST_POINTS / 2 <= len(steps) <= MOST_POINTS
    assert {b - a for a, b in zip(steps[:-1], steps[1:], strict=True)} == {steps[0]}


START = {
    "tags": {"command_line": "python -m runner", "init.model": "outputs/a", "init.run_id": "r1"},
    "datasets": [{"split": "train", "n_docs": 3, "n_words": 30, "source": "https://example.org/a b.jsonl"},
                 {"split": "dev", "n_docs": 1, "n_words": 10, "source": "https://example.org/dev.jsonl"}],
}  # fmt: skip


def test_a_description_links_what_the_run_belongs_to() -> None:
    links = Links("7", "r2", start_model=("5", "r1"), sweep="s", models={"model-best": "m-1"}, files=["errors.html"])
    lines = note(START, links=links).splitlines()
    assert "- Goes on from: [outputs/a](#/experiments/5/runs/r1)" in lines
    assert "- Part of: [its sweep](#/experiments/7/runs/s)" in lines
    assert "- Models: [model-best](#/experiments/7/models/m-1)" in lines
    assert "- To look at: [its errors on the dev set](#/experiments/7/runs/r2/artifacts/errors.html)" in lines
    assert "- Train: 3 texts, 30 words, `https://example.org/a b.jsonl`" in lines  # a blank ends a link
    assert "- Dev: 1 texts, 10 words, [dev.jsonl](https://example.org/dev.jsonl)" in lines
    assert "- Goes on from: `outputs/a`" in note(START, links=Links("7", "r2"))


def test_a_description_that_is_too_long_keeps_its_first_parts_whole() -> None:
    rows = [{"component": f"c{i}", "type": f"L{j}", "p": 0.5, "support": 3.0} for i in range(40) for j in range(12)]
    text = note(START, {"best": {"dev/best_score": 0.5, "train/best_epoch": 2}}, ["a line"], rows)
    assert text.startswith("Best score **50.00** at epoch 2.")
    assert 4000 < len(text) <= 5000
    assert text.endswith("| L11 | 50.00 | 3 |")


def test_a_label_without_gold_has_a_dash_and_the_rest_is_counted() -> None:
    rows = [{"step": 1, "component": "ner", "type": f"L{i}", "f": None, "support": 0} for i in range(20)]
    lines = note({"tags": {}}, {"status": "FINISHED"}, per_label=rows).splitlines()
    assert lines[:3] == ["| ner | F | support |", "| --- | ---: | ---: |", "| L0 | – | 0 |"]
    assert lines[-1] == "and 8 more, see per_type_scores.json"


def test_docstrings() -> None:
    assert doctest.testmod(rank).failed == 0
