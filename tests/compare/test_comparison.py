"""Runs side by side: what differs, which is best, and when a test can be made and when not."""

from __future__ import annotations

import pytest

from runner.compare.comparison import compare_runs
from runner.compare.page import page
from runner.compare.text import markdown, p_value, plain, points, table
from runner.errors import RunnerError
from runner.tracking.past_run import Point

BAD = [{"ents_f": [0, 1, 1]}] * 10
GOOD = [{"ents_f": [1, 1, 1]}] * 10
MIXED = [*GOOD[:5], *BAD[:5]]


def compared(*runs):
    return compare_runs(runs, rounds=2000)


def test_settings_that_differ_and_no_others(past_run):
    found = compared(
        past_run("a", GOOD),
        past_run("b", GOOD, params={"seed": "1", "optimizer.type": "adam", "tracking.run_name": "b", "resume": "auto"}),
    )
    assert [(row.name, row.cells) for row in found.settings] == [("seed", ("0", "1"))]


def test_the_best_of_each_row_is_marked(past_run):
    faster = {"train_words": 3000, "seconds": 9.5, "train_words_per_second": 1000}
    found = compared(past_run("a", MIXED), past_run("b", GOOD, figures=faster))
    rows = {row.name: (row.cells, set(row.best)) for row in found.metrics}
    assert rows["best score"] == (("50.00", "100.00"), {1})
    assert rows["ents_f"] == (("50.00", "100.00"), {1})
    assert rows["final score"] == (("25.00", "50.00"), {1})
    assert rows["best epoch"] == (("2", "2"), set())
    assert rows["training words/s"] == (("1,000", "1,000"), set())  # equal: none is best
    assert rows["seconds"] == (("12.5", "9.5"), {1})  # less is better


def test_a_clear_difference_is_significant_and_said(past_run):
    found = compared(past_run("a", BAD), past_run("b", GOOD))
    (one,) = found.tested
    assert one.difference.difference == 1
    assert one.p < 0.01  # exactly 2 of 1024 exchanges
    assert "B is better than A in ents_f: +100.00 points, p = 0.00" in markdown(found)


def test_a_small_difference_is_not(past_run):
    found = compared(past_run("a", GOOD), past_run("b", [*GOOD[:9], BAD[0]]))
    assert found.tested[0].p == 1
    assert "B and A do not differ significantly in ents_f: −10.00 points, p = 1.000" in markdown(found)


def test_with_three_runs_each_is_held_against_the_first_and_p_values_are_adjusted(past_run):
    two = compared(past_run("a", BAD), past_run("b", MIXED))
    found = compared(past_run("a", BAD), past_run("b", MIXED), past_run("c", MIXED))
    assert [one.run for one in found.tested] == [1, 2]
    assert [one.p for one in found.tested] == [pytest.approx(2 * two.tested[0].p)] * 2
    assert "adjusted" in markdown(found)
    assert "adjusted" not in markdown(two)


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"docs": None}, "No significance test with B: it has no predictions.jsonl"),
        ({"texts": ["another", *map(str, range(9))]}, "No significance test between A and B: their dev texts differ"),
        ({"docs": GOOD[:9]}, "their dev texts differ (10 and 9"),
        ({"docs": [{"ents_f": [1, 1, 2]}] * 10}, "other annotation for ents_f"),
        ({"scores": {"ents_f": 0.7}}, "its predictions give ents_f 100.00, its model-best had 70.00"),
        ({"docs": [{"tag_acc": [1, 1, 1]}] * 10}, "have no score in common"),
    ],
    ids=["no predictions", "other texts", "fewer texts", "other gold", "of another model", "other components"],
)
def test_why_there_is_no_test(past_run, other, note):
    docs = other.pop("docs", GOOD)
    found = compared(past_run("a", GOOD), past_run("b", docs, **other))
    assert found.tested == []
    assert note in " ".join(found.notes)
    assert note in markdown(found)


def test_other_data_is_told_with_its_digests(past_run):
    def data(train, dev):
        return [{"split": "train", "digest": train * 16}, {"split": "dev", "digest": dev * 16}]

    trained_otherwise = compared(
        past_run("a", BAD, datasets=data("aa", "dd")), past_run("b", GOOD, datasets=data("bb", "dd"))
    )
    assert trained_otherwise.notes == ["The train data differs: A aaaaaaaa, B bbbbbbbb."]
    assert len(trained_otherwise.tested) == 1  # scored on the same texts
    scored_otherwise = compared(
        past_run("a", BAD, datasets=data("aa", "dd")), past_run("b", GOOD, datasets=data("aa", "ee"))
    )
    assert "The dev data differs; their scores cannot be compared: A dddddddd, B eeeeeeee." in scored_otherwise.notes
    assert scored_otherwise.tested == []


def test_damaged_predictions_are_no_reason_to_stop(past_run, tmp_path):
    a, b = past_run("a", GOOD), past_run("b", GOOD)
    (tmp_path / "b.jsonl").write_text('{"text": "cut', encoding="utf8")
    assert "No significance test with B: its predictions cannot be read" in compared(a, b).notes[0]


def test_a_run_that_failed_says_so(past_run):
    found = compared(
        past_run("a", GOOD), past_run("b", None, status="FAILED", best={}, final={}, points=[], figures={})
    )
    assert found.notes[0] == "B ended FAILED."
    assert {row.cells[1] for row in found.metrics} == {"–"}


def test_one_run_or_the_same_twice_is_refused(past_run):
    with pytest.raises(RunnerError, match="nothing to compare it with"):
        compared(past_run("a", GOOD))
    with pytest.raises(RunnerError, match="run A is named twice"):
        compared(past_run("a", GOOD), past_run("a", GOOD))


def test_tables_are_aligned_and_hold_what_markdown_would_read():
    assert table(["", "A"], [["key", plain("x|y")], ["longer key", "1"]], "lr").splitlines() == [
        "|            |    A |",
        "|------------|-----:|",
        "| key        | x\\|y |",
        "| longer key |    1 |",
    ]


def test_numbers():
    assert [points(x) for x in (0.0123, -0.2, 0.0)] == ["+1.23", "−20.00", "0.00"]
    assert [p_value(0.04, rounds) for rounds in (10_000, 100, 10)] == ["0.040", "0.04", "< 0.1"]


def test_a_score_without_gold_is_not_compared(past_run):
    """Dev texts that are annotated and hold no entity: a predicts none, b some; neither has an F."""
    a = past_run("a", [{"ents_f": [0, 0, 0], "tag_acc": [1, 1, 1]}] * 3, scores={"tag_acc": 1.0})
    b = past_run("b", [{"ents_f": [0, 2, 0], "tag_acc": [1, 1, 1]}] * 3, scores={"tag_acc": 1.0})
    assert [one.difference.key for one in compared(a, b).tested] == ["tag_acc"]
    without = {"best": {"epoch": 2, "step": 20}, "final": {"epoch": 3, "step": 30}}
    found = compared(past_run("c", None, points=[Point(10, 1, None, 8.0)], **without), past_run("d", GOOD))
    assert next(row.cells for row in found.metrics if row.name == "best score") == ("–", "100.00")
    assert "Comparison of A, B" in page(found)
