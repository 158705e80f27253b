"""From dev to test: how much of the best dev score is left, and what other choices of the weights would have given.

Scores and gaps are in points: hundredths of a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.defaults.cells import NAMES, SCORES
from benchmarks.defaults.choices import CHOICES
from benchmarks.defaults.compare import PARTS, Compared, middle, sides_in
from benchmarks.defaults.records import Record, dev_of, test_of
from benchmarks.report import Table, best_score, number
from runner.launch.results import spread


def points(score: float | None) -> str:
    """
    >>> points(0.28456), points(None)
    ('28.5', '–')
    """
    return number(None if score is None else 100 * score, 1)


def gaps(component: str, cells: Sequence[Compared]) -> Table:
    """Best dev score minus test score, and how the best epoch was picked: the best of so many evaluations."""
    sides = sides_in(cells)
    made = Table(f"{component}: best dev score minus test score, points", ["corpus", "size"], n_text=1)
    for side in sides:
        made.headings = [*made.headings, NAMES[side], "picked"]
    for one in cells:
        made.rows.append([one.cell.corpus, one.size, *(text for side in sides for text in gap_cells(one, side))])
    means = ["mean", ""]
    for side in sides:
        known = [gap for one in cells if (gap := gap_of(one, side)) is not None]
        means += [f"{100 * sum(known) / len(known):+.1f}", ""]
    made.rows.append(means)
    made.notes = ["picked: which evaluation was the best of how many (median over seeds)"]
    return made


def gap_of(one: Compared, side: str) -> float | None:
    """The mean over seeds; None without runs."""
    runs = one.runs.get(side, ())
    return sum(dev_of(run) - test_of(run) for run in runs) / len(runs) if runs else None


def gap_cells(one: Compared, side: str) -> list[str]:
    gap, runs = gap_of(one, side), one.runs.get(side, ())
    if gap is None:
        return ["–", "–"]
    best, of = middle(best_number(run) for run in runs), middle(len(run["curve"]) for run in runs)
    return [f"{100 * gap:+.1f}", f"{best:.0f} of {of:.0f}"]


def best_number(record: Record) -> int:
    """Which evaluation has the best score, counted from 1."""
    return [point["score"] for point in record["curve"]].index(best_score(record)) + 1


def mean_gaps(cells: Sequence[Compared]) -> Table:
    """Mean gaps by component, over the cells in which every side has runs."""
    sides = sides_in(cells)
    headings = ["component", "cells", *(NAMES[side] for side in sides)]
    made = Table("Best dev score minus test score, mean over cells, points", headings, n_text=1)
    for component in dict.fromkeys(one.cell.component for one in cells):
        found = [[gap_of(one, side) for side in sides] for one in cells if one.cell.component == component]
        whole = [[gap for gap in gaps if gap is not None] for gaps in found if None not in gaps]
        if whole:
            means = [sum(column) / len(whole) for column in zip(*whole, strict=True)]
            made.rows.append([component, str(len(whole)), *(f"{100 * mean:+.1f}" for mean in means)])
    made.notes = ["over the cells in which every side has runs"]
    return made


def choices(cells: Sequence[Compared]) -> list[Table]:
    """The scores of the four choices of the weights, and what three of them gain over the best epoch on dev."""
    chosen = [one for one in cells if choice_records(one)]
    if not chosen:
        return []
    components = list(dict.fromkeys(one.cell.component for one in chosen))
    made = [choice_scores(name, [one for one in chosen if one.cell.component == name]) for name in components]
    headings = ["component", "runs", *(f"{name} - best" for name in CHOICES[1:])]
    gains = Table("Gain on test over the best epoch on dev, points, 95 % interval over runs", headings, n_text=1)
    for component in components:
        some = [scores_of(one, "test") for one in chosen if one.cell.component == component]
        row = [component, str(sum(len(one["best"]) for one in some))]
        for name in CHOICES[1:]:
            around = spread([100 * (a - b) for one in some for a, b in zip(one[name], one["best"], strict=True)])
            interval = f" ({around.low:+.1f} to {around.high:+.1f})" if around.n > 1 else ""
            row.append(f"{around.mean:+.1f}{interval}")
        gains.rows.append(row)
    return [*made, gains]


def choice_scores(component: str, cells: Sequence[Compared]) -> Table:
    """A row a cell: means over seeds, of dev and of test."""
    headings = ["corpus", "size"]
    for part in PARTS:
        headings += [f"{part} B", *(name[0].upper() for name in CHOICES[1:])]
    made = Table(f"{component}: weights kept from one training, points", headings, n_text=1)
    for one in cells:
        means = [sum(some) / len(some) for part in PARTS for some in scores_of(one, part).values()]
        made.rows.append([one.cell.corpus, one.size, *map(points, means)])
    k = ", ".join(sorted({str(record["average"]) for one in cells for record in choice_records(one)}))
    made.notes = [
        "B best epoch on dev, L last, S best of a smoothed dev curve,",
        f"A average of the last {k} evaluations",
    ]
    return made


def scores_of(one: Compared, part: str) -> dict[str, list[float]]:
    """Choice → its scores, a run each."""
    key = SCORES[one.cell.component]
    runs: list[Mapping[str, Any]] = [record["choices"] for record in choice_records(one)]
    return {name: [float(run[name]["scores"][part][key]) for run in runs] for name in CHOICES}


def choice_records(one: Compared) -> list[Record]:
    """Our runs that scored the four choices."""
    return [record for record in one.runs.get("ours", ()) if "choices" in record]
