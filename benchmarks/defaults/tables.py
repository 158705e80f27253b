"""Cells → tables. A component's rows have three groups of columns: three tables of 80 columns, or one in Markdown.

Scores and differences are in points: hundredths of a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from benchmarks.defaults.cells import NAMES, SCORES
from benchmarks.defaults.compare import PARTS, Compared, Difference, middle, sides_in
from benchmarks.defaults.gaps import choices, gaps, mean_gaps, points
from benchmarks.defaults.records import Record
from benchmarks.measure import describe
from benchmarks.report import Table, number, times

Column = tuple[str, Callable[[Compared], str]]


class Group(NamedTuple):
    """Columns that stand in one plain table."""

    about: str
    columns: Sequence[Column]
    notes: Sequence[str]


def of_component(component: str, cells: Sequence[Compared], *, is_wide: bool) -> list[Table]:
    """The cells of a component: a table for each group of columns, or (is_wide) one table with all of them."""
    groups = [scores(cells), *(differences(cells, other) for other in opponents(cells)), seconds(cells)]
    title = f"{component} ({SCORES[component]})"
    if not is_wide:
        return [
            table(f"{title}: {group.about}", group.columns, cells, group.notes) for group in groups if group.columns
        ]
    columns = [column for group in groups for column in group.columns]
    return [table(title, columns, cells, [note for group in groups for note in group.notes])]


def table(title: str, columns: Sequence[Column], cells: Sequence[Compared], notes: Sequence[str]) -> Table:
    first: list[Column] = [("corpus", lambda one: one.cell.corpus), ("size", lambda one: one.size)]
    headings = [heading for heading, _ in (*first, *columns)]
    rows = [[show(one) for _, show in (*first, *columns)] for one in cells]
    return Table(title, headings, rows, [*notes], n_text=1)


def scores(cells: Sequence[Compared]) -> Group:
    sides = sides_in(cells)
    columns: list[Column] = [("seeds", lambda one: "/".join(str(len(one.runs.get(side, ()))) for side in sides))]
    for part in PARTS:
        for number_of, side in enumerate(sides):
            heading = f"{part} {NAMES[side]}" if not number_of else NAMES[side]
            columns.append((heading, lambda one, side=side, part=part: points(one.mean(side, part))))  # type: ignore[misc]
    order = ", ".join(NAMES[side] for side in sides)
    return Group("best epoch on dev, and its test score, points", columns, [f"seeds: {order}; means over them"])


def differences(cells: Sequence[Compared], other: str) -> Group:
    columns: list[Column] = []
    has_items = False
    for part in PARTS:
        columns.append((f"{part} - {NAMES[other]}", lambda one, p=part: signed(one.difference(other, p))))  # type: ignore[misc]
        has_items = has_items or any(d.by == "items" for one in cells if (d := one.difference(other, part)))
    notes = ["* a side has one seed: the interval is that of the scored items"] if has_items else []
    return Group(f"ours minus {NAMES[other]}, points, 95 % interval", columns, notes)


def opponents(cells: Sequence[Compared]) -> list[str]:
    sides = sides_in(cells)
    return [side for side in ("spacy", "guide") if side in sides and "ours" in sides]


def seconds(cells: Sequence[Compared]) -> Group:
    sides = sides_in(cells)
    columns: list[Column] = []
    notes = []
    if "spacy" in sides and "ours" in sides:
        columns.append(("to: ours", lambda one: short(one.seconds_to_target("ours"))))
        columns.append(("spaCy", lambda one: short(one.seconds_to_target("spacy"))))
        columns.append(("ratio", lambda one: times(one.seconds_ratio())))
        notes.append("to: until spaCy's best dev score was reached; ratio: ours/spaCy")
    for i, side in enumerate(sides):
        heading = f"all: {NAMES[side]}" if not i else NAMES[side]
        columns.append((heading, lambda one, side=side: total(one, side)))  # type: ignore[misc]
    notes.append("all: of the whole training")
    notes += ["+ spaCy's training was cut there"] if any(one.is_cut() for one in cells) else []
    return Group("CPU seconds of training", columns, notes)


def total(one: Compared, side: str) -> str:
    return short(one.total_seconds(side)) + ("+" if side == "spacy" and one.is_cut() else "")


def short(seconds: float | None) -> str:
    """
    >>> short(12.34), short(1234.5), short(None)
    ('12.3', '1,234', '–')
    """
    return number(seconds, 1 if seconds is not None and seconds < 1000 else 0)


def signed(one: Difference | None) -> str:
    """
    >>> signed(Difference(0.012, -0.003, 0.027, "items"))
    '+1.2 (-0.3 to +2.7)* tie '
    """
    if one is None:
        return "–"
    mark = "*" if one.by == "items" else ""
    return f"{100 * one.mean:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f}){mark} {one.verdict:<4}"


def groups_of(cells: Sequence[Compared]) -> dict[str, list[Compared]]:
    """All cells; those of each component; of each size; of each half of the corpora."""
    groups: dict[str, list[Compared]] = {"all cells": list(cells)}
    for one in cells:
        groups.setdefault(one.cell.component, []).append(one)
    sizes = sorted({(one.is_all, 0 if one.is_all else one.cell.size) for one in cells})
    for is_all, size in sizes:
        name = "all docs" if is_all else f"{size:,} docs"
        groups[name] = [one for one in cells if one.is_all == is_all and (is_all or one.cell.size == size)]
    for half in ("a", "b"):
        groups[f"half {half}"] = [one for one in cells if one.half == half]
    return {name: some for name, some in groups.items() if some}


def summary(other: str, cells: Sequence[Compared]) -> Table | None:
    """Wins, ties and losses of ours against the other side, by group. None without a cell that both sides have."""
    cells = [one for one in cells if one.difference(other, "dev") is not None]
    if not cells:
        return None
    headings = ["group", "cells"]
    for part in PARTS:
        headings += [f"{part} w/t/l", "w+t %", "worst", ">.5"]
    made = Table(f"Ours against {NAMES[other]}: wins, ties, losses", headings, n_text=1)
    for name, some in groups_of(cells).items():
        row = [name, str(len(some))]
        for part in PARTS:
            row += tally([one.difference(other, part) for one in some])
        made.rows.append(row)
    for part in PARTS:
        worst = min(cells, key=lambda one: mean_of(one, other, part))
        made.notes.append(f"worst on {part}: {worst.cell}, {100 * mean_of(worst, other, part):+.1f}")
    halves = {half: ", ".join(sorted({one.cell.corpus for one in cells if one.half == half})) for half in ("a", "b")}
    made.notes += [f"half {half}: {names}" for half, names in halves.items() if names]
    made.notes += ["half b checks rules chosen on half a, and half a those chosen on half b"]
    made.notes += [
        "w+t %: not lost; worst: lowest difference of means, points;",
        ">.5: cells more than half a point behind",
    ]
    return made


def mean_of(one: Compared, other: str, part: str) -> float:
    found = one.difference(other, part)
    assert found is not None
    return found.mean


def tally(differences: Iterable[Difference | None]) -> list[str]:
    """
    >>> tally([Difference(0.02, 0.01, 0.03, ""), Difference(-0.006, -0.02, 0.01, ""), Difference(-0.1, -0.2, -0.05, "")])
    ['1/1/1', '67', '-10.0', '2']
    """
    known = [one for one in differences if one is not None]
    verdicts = [one.verdict for one in known]
    wins, ties, losses = (verdicts.count(name) for name in ("win", "tie", "loss"))
    behind = sum(one.mean < -0.005 for one in known)
    worst = min(one.mean for one in known)
    return [f"{wins}/{ties}/{losses}", f"{100 * (wins + ties) / len(known):.0f}", f"{100 * worst:+.1f}", str(behind)]


def seconds_summary(cells: Sequence[Compared]) -> Table | None:
    """The ratio of CPU seconds to spaCy's best score, by group."""
    cells = [one for one in cells if one.seconds_ratio() is not None]
    if not cells:
        return None
    headings = ["group", "cells", "reached", "median", "slower", "in all: ours", "spaCy", "ratio"]
    made = Table("CPU seconds to spaCy's best dev score, ours/spaCy", headings, n_text=1)
    for name, some in groups_of(cells).items():
        ratios = sorted(one.seconds_ratio() or 0.0 for one in some)
        reached = sum(math.isfinite(value) for value in ratios)
        ours, theirs = (sum(one.total_seconds(side) or 0.0 for one in some) for side in ("ours", "spacy"))
        row = [name, str(len(some)), str(reached), times(middle(ratios)), str(sum(value > 1 for value in ratios))]
        made.rows.append([*row, number(ours, 0), number(theirs, 0), times(ours / theirs if theirs else None)])
    made.notes += ["median: of the cells' ratios; slower: cells with a ratio over 1, those never", "reached among them"]
    return made


def heading(records: Sequence[Record]) -> str:
    """What was measured: how many runs, of which states of the code, beside which spaCy, on which machines."""
    commits = sorted({record["commit"][:7] for record in records if record["side"] != "spacy" and record.get("commit")})
    spacy = sorted({record["versions"]["spacy"] for record in records if "spacy" in record["versions"]})
    machines = sorted({describe(record["machine"]) for record in records if "machine" in record})
    settings = sorted({" ".join(record["settings"]) for record in records if record.get("settings")})
    parts = [f"{len(records):,} runs", *(f"ours at {name}" for name in commits), *(f"spaCy {name}" for name in spacy)]
    return ", ".join([*parts, *(f"with {text}" for text in settings), *machines]) + "\n"


def all_tables(cells: Sequence[Compared], *, is_wide: bool) -> list[Table]:
    """Everything, the summary last: on a console it is what stands above the prompt."""
    made: list[Table] = []
    components = dict.fromkeys(one.cell.component for one in cells)
    for component in components:
        some = [one for one in cells if one.cell.component == component]
        made += [*of_component(component, some, is_wide=is_wide), gaps(component, some)]
    made += [*choices(cells), mean_gaps(cells)]
    made += [one for one in (*(summary(other, cells) for other in ("guide", "spacy")), seconds_summary(cells)) if one]
    return made
