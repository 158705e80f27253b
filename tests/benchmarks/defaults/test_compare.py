"""Intervals, verdicts and ratios, with answers worked by hand."""

from __future__ import annotations

import doctest
import importlib
import json
import math

import pytest

from benchmarks.defaults.cells import SCORES, Cell, Run
from benchmarks.defaults.compare import Compared, by_items, compared, difference, middle, welch
from benchmarks.defaults.gaps import choices, gaps, mean_gaps
from benchmarks.defaults.records import is_enough, whole_seconds
from benchmarks.defaults.tables import all_tables, of_component, seconds_summary, summary


def record(side, dev, test, *, seed=0, component="ner", corpus="wnut17", size=100, curve=None, **more):
    """A record whose curve has the dev score after 10 seconds, if nothing else is given."""
    run = Run(side, component, corpus, size, seed)
    points = curve or [(10.0, dev)]
    key = SCORES[component]
    return {
        "name": run.name, **run.as_dict(), "commit": "abcdef0123", "dev": {key: dev}, "test": {key: test},
        "curve": [{"step": 200 * (i + 1), "cpu_seconds": s, "score": score} for i, (s, score) in enumerate(points)],
        "cpu_seconds": points[-1][0], "steps": 200 * len(points), "versions": {}, **more,
    }  # fmt: skip


def cell(*records, n_items=98, is_all=False):
    runs = {}
    for one in records:
        runs.setdefault(one["side"], []).append(one)
    first = records[0]
    return Compared(
        Cell(first["component"], first["corpus"], first["size"]), runs, {"dev": n_items, "test": n_items}, is_all
    )


def test_the_interval_of_two_means_is_welchs():
    # Variances of the means: of a .04/2 = .02, of b .01/2 = .005. Sum .025; degrees .025² / (.02² + .005²) = 1.4706.
    a, b = [1.0, 1.0 + math.sqrt(0.08)], [0.0, math.sqrt(0.02)]
    from scipy import stats

    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert welch(a, b) == pytest.approx((high - low) / 2)
    assert welch([0.5, 0.5], [0.4, 0.4]) == 0
    # Equal variances and numbers: the pooled t with 4 degrees, 2.776445. s² = 1 on both sides, half = t sqrt(2/3).
    assert welch([1.0, 2.0, 3.0], [11.0, 12.0, 13.0]) == pytest.approx(2.776445 * math.sqrt(2 / 3), rel=1e-6)


def test_with_one_seed_the_items_make_the_interval():
    # 98 items, .5 on both sides: (49 + 1) / 100 = .5, half = 1.96 sqrt(2 · .25 / 100) = .1386.
    assert by_items([0.5], [0.5], 98) == pytest.approx(1.959964 * math.sqrt(0.005))
    found = difference([0.65], [0.5], 98)
    assert (found.by, found.verdict) == ("items", "win")
    assert difference([0.6, 0.62], [0.5], 98).by == "items"
    assert difference([0.6, 0.62], [0.5, 0.5], 98).by == "seeds"
    assert by_items([0.0], [0.0], 98) > 0  # none right of 98 is no proof


def test_verdicts():
    assert difference([0.60, 0.61, 0.62], [0.50, 0.51, 0.52], 98).verdict == "win"
    assert difference([0.50, 0.51, 0.52], [0.60, 0.61, 0.62], 98).verdict == "loss"
    assert difference([0.50, 0.60, 0.70], [0.51, 0.61, 0.71], 98).verdict == "tie"
    assert difference([0.5, 0.5], [0.5, 0.5], 98).verdict == "tie"


def test_seconds_to_spacys_best_are_a_ratio():
    ours = [
        record("ours", 0.8, 0.7, seed=i, curve=curve)
        for i, curve in enumerate([[(1, 0.6), (2, 0.8)], [(1, 0.7), (4, 0.7)]])
    ]
    theirs = [record("spacy", 0.7, 0.7, curve=[(10, 0.65), (20, 0.7), (30, 0.6)])]
    one = cell(*ours, *theirs)
    # Target .7: ours after 2 and 1 seconds, 1.5; spaCy's own best after 20.
    assert one.target() == 0.7
    assert one.seconds_ratio() == pytest.approx(1.5 / 20)
    assert [one.total_seconds(side) for side in ("ours", "spacy", "guide")] == [3.0, 30.0, None]
    never = cell(record("ours", 0.5, 0.5), *theirs)
    assert never.seconds_ratio() == math.inf
    assert cell(*ours).seconds_ratio() is None


def test_middle_takes_a_number_that_is_there():
    assert middle([1.0, math.inf]) == 1.0
    assert middle([3, 1, 2]) == 2


def test_the_summary_counts_wins_by_component_size_and_half():
    cells = [
        cell(record("ours", 0.70, 0.60), record("spacy", 0.50, 0.60), n_items=1000),  # win, tie; wnut17 is of half a
        cell(  # tie, loss; wikigold is of half b
            record("ours", 0.496, 0.30, corpus="wikigold", size=1017),
            record("spacy", 0.50, 0.50, corpus="wikigold", size=1017),
            n_items=1000,
            is_all=True,
        ),
        cell(record("ours", 0.9, 0.9, component="tagger", corpus="ewt")),  # spaCy has not run yet
    ]
    table = summary("spacy", cells)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["all cells"] == ["2", "1/1/0", "100", "-0.4", "0", "0/1/1", "50", "-20.0", "1"]
    assert rows["ner"] == rows["all cells"]
    assert rows["100 docs"] == rows["half a"] == ["1", "1/0/0", "100", "+20.0", "0", "0/1/0", "100", "+0.0", "0"]
    assert rows["all docs"] == rows["half b"] == ["1", "0/1/0", "100", "-0.4", "0", "0/0/1", "0", "-20.0", "1"]
    assert "worst on test: ner wikigold 1017, -20.0" in table.notes
    assert summary("guide", cells) is None


def test_never_is_slower_and_not_reached():
    cells = [
        cell(record("ours", 0.7, 0.6, curve=[(5, 0.7)]), record("spacy", 0.7, 0.6, curve=[(10, 0.7)])),  # .5
        cell(record("ours", 0.7, 0.6, curve=[(20, 0.7)]), record("spacy", 0.7, 0.6, curve=[(10, 0.7)])),  # 2
        cell(record("ours", 0.6, 0.6, curve=[(5, 0.6)]), record("spacy", 0.7, 0.6, curve=[(10, 0.7)])),  # never
    ]
    row = seconds_summary(cells).rows[0]
    assert row == ["all cells", "3", "2", "2.00", "2", "30", "30", "1.00"]


def test_a_row_tells_scores_differences_and_seconds():
    ours = [record("ours", 0.30, 0.20, seed=i) for i in range(2)]
    theirs = [record("spacy", 0.25, 0.25, seed=i, curve=[(40, 0.25)], is_cut=True) for i in range(2)]
    scores, to_spacy, seconds = of_component("ner", [cell(*ours, *theirs)], is_wide=False)
    assert scores.rows == [["wnut17", "100", "2/2", "30.0", "25.0", "20.0", "25.0"]]
    assert to_spacy.rows == [["wnut17", "100", "+5.0 (+5.0 to +5.0) win ", "-5.0 (-5.0 to -5.0) loss"]]
    assert seconds.rows == [["wnut17", "100", "10.0", "40.0", "0.25", "10.0", "40.0+"]]
    assert "+ spaCy's training was cut there" in seconds.notes
    (wide,) = of_component("ner", [cell(*ours, *theirs)], is_wide=True)
    assert wide.rows == [[*scores.rows[0], *to_spacy.rows[0][2:], *seconds.rows[0][2:]]]


def test_gaps_are_best_dev_minus_test_and_tell_how_the_epoch_was_picked():
    ours = [record("ours", 0.5, 0.4, seed=0, curve=[(1, 0.3), (2, 0.5), (3, 0.4)]), record("ours", 0.5, 0.3, seed=1)]
    table = gaps("ner", [cell(*ours, record("spacy", 0.4, 0.45))])
    assert table.rows[0] == ["wnut17", "100", "+15.0", "1 of 1", "-5.0", "1 of 1"]
    assert table.rows[-1] == ["mean", "", "+15.0", "", "-5.0", ""]
    assert gaps("ner", [cell(ours[0])]).rows[0][2:] == ["+10.0", "2 of 3"]
    only_ours = cell(record("ours", 0.9, 0.1, corpus="wikigold"))
    assert mean_gaps([cell(*ours, record("spacy", 0.4, 0.45)), only_ours]).rows == [["ner", "1", "+15.0", "-5.0"]]


def test_choices_are_compared_with_the_best_epoch_run_by_run():
    def chosen(seed, **tests):
        scores = {
            name: {"evaluation": 0, "scores": {"dev": {"ents_f": 0.5}, "test": {"ents_f": x}}}
            for name, x in tests.items()
        }
        return record("ours", 0.5, tests["best"], seed=seed, choices=scores, average=3)

    runs = [
        chosen(0, best=0.40, last=0.42, average=0.44, smoothed=0.40),
        chosen(1, best=0.30, last=0.28, average=0.34, smoothed=0.30),
    ]
    scores, gains = choices([cell(*runs)])
    assert scores.rows == [["wnut17", "100", *["50.0"] * 4, "35.0", "35.0", "39.0", "35.0"]]
    # last: +2 and -2, sd 2.828, half 12.706 · 2.828 / sqrt 2 = 25.4; average: +4 twice.
    assert gains.rows == [["ner", "2", "+0.0 (-25.4 to +25.4)", "+4.0 (+4.0 to +4.0)", "+0.0 (+0.0 to +0.0)"]]
    assert choices([cell(record("ours", 0.5, 0.4))]) == []


def test_plain_tables_have_80_columns():
    cells = []
    for component, corpus, size in (
        ("ner", "wikigold", 1017),
        ("textcat_bow", "genres", 12544),
        ("parser", "vietnamese", 100),
    ):
        runs = [
            record(
                side,
                dev,
                dev + 0.1,
                seed=seed,
                component=component,
                corpus=corpus,
                size=size,
                curve=[(12345.6, dev)],
                is_cut=True,
            )
            for side, dev in (("ours", 0.123), ("guide", 0.7), ("spacy", 0.456))
            for seed in range(1)
        ]
        cells.append(cell(*runs, n_items=100, is_all=True))
    for table in all_tables(cells, is_wide=False):
        assert max(map(len, table.plain().splitlines())) <= 80, table.title
    for table in all_tables(cells, is_wide=True):
        assert {line.count("|") for line in table.markdown().splitlines() if line.startswith("|")} == {
            len(table.headings) + 1
        }


def test_records_are_grouped_by_cell(tmp_path):
    (tmp_path / "wnut17").mkdir()
    for part in ("dev", "test"):
        line = json.dumps({"words": ["Ada"], "entities": [[0, 3, "PER"]]})
        (tmp_path / "wnut17" / f"{part}.jsonl").write_text(f"{line}\n" * (2 if part == "dev" else 5))
    from benchmarks.defaults.compare import Counts

    records = [record("spacy", 0.5, 0.5, seed=1), record("ours", 0.5, 0.5), record("spacy", 0.4, 0.4, seed=0)]
    records.append(record("ours", 0.5, 0.5, size=300))
    small, large = compared(records, {"wnut17": [100, 300]}, Counts(tmp_path))
    assert small.scores("spacy", "dev") == [0.4, 0.5]
    assert small.n_items == {"dev": 2, "test": 5}
    assert (small.is_all, large.is_all) == (False, True)


@pytest.mark.parametrize("name", ["cells", "choices", "compare", "corpora", "estimate", "gaps", "records", "tables"])
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"benchmarks.defaults.{name}")).failed == 0


def test_one_seed_is_enough_at_all_docs_for_what_takes_spacy_long():
    short = record("spacy", 0.5, 0.5, size=300, curve=[(599, 0.5)])
    long = record("spacy", 0.5, 0.5, size=300, curve=[(601, 0.5)])
    # Cut at 400 s and 200 steps, the best at step 200: 2 s a step, at least 1,800 steps, 3,600 s.
    cut = record("spacy", 0.5, 0.5, size=300, curve=[(400, 0.5)], is_cut=True)
    assert whole_seconds(cut) == 3600
    run = Run("ours", "ner", "wnut17", 300, 1)
    assert [is_enough(run, 0, 300, [one]) for one in (short, long, cut)] == [False, True, True]
    assert not is_enough(run, 0, 3394, [long])  # not all docs
    assert not is_enough(Run("ours", "ner", "wnut17", 300, 0), 0, 300, [long])  # the one seed
    assert not is_enough(run, 0, 300, [record("ours", 0.5, 0.5, size=300, curve=[(900, 0.5)])])
