"""A sweep as text: a table for the console, the same in Markdown.

job  optimizer  dropout.start  seed   Score  Epoch  Seconds  Status
  0  adam       0.2            0      89.12      4     12.3            *
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from runner import foreign
from runner.foreign import shown
from runner.launch.results import Outcome, Repeats, best_of

_LONGEST = 28  # characters of a value
_BEST = "*"


def swept(jobs: Iterable[Sequence[str]]) -> list[str]:
    """The keys whose values tell the jobs apart, in the order of the command line. jobs: the overrides of each."""
    values: dict[str, set[str]] = {}
    for overrides in jobs:
        for word in overrides:
            key, _, value = word.partition("=")
            values.setdefault(key, set()).add(value)
    return [key for key, different in values.items() if len(different) > 1]


def short(keys: Sequence[str]) -> list[str]:
    """Shorten each key to as few of its last parts as tell it from the other keys.

    >>> short(["optimizer", "dropout.start", "tok2vec.width", "components.ner.width"])
    ['optimizer', 'start', 'tok2vec.width', 'ner.width']
    """
    names = []
    for key in keys:
        parts = key.lstrip("+~").split(".")
        n = 1
        while n < len(parts) and sum(_ends(other, parts[-n:]) for other in keys) > 1:
            n += 1
        names.append(".".join(parts[-n:]))
    return names


def _ends(key: str, parts: Sequence[str]) -> bool:
    return key.lstrip("+~").split(".")[-len(parts) :] == list(parts)


def value_of(overrides: Sequence[str], key: str) -> str:
    """The value that a job's overrides give a key, of several the last; empty if they give none."""
    given = [word.partition("=")[2] for word in overrides if word.partition("=")[0] == key]
    return given[-1] if given else ""


def names_of(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Name each job by the values that tell it from the others. jobs: the overrides of each.

    >>> names_of([["seed=1", "dropout.start=0.2"], ["seed=1", "dropout.start=0.4"]])
    ['dropout.start=0.2', 'dropout.start=0.4']
    """
    keys = swept(jobs)
    return [" ".join(f"{key}={value_of(overrides, key)}" for key in keys) or " ".join(overrides) for overrides in jobs]


def rows_of_jobs(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Heading and a row a job."""
    keys = swept(one.job.overrides for one in outcomes)
    best = best_of(outcomes)
    rows = [["Job", *short(keys), "Score", "Epoch", "Seconds", "Status", "Best"]]
    for one in outcomes:
        rows.append(
            [
                str(one.job.number),
                *(_cut(value_of(one.job.overrides, key)) for key in keys),
                percent(one.score),
                str(one.epoch) if one.epoch is not None else "-",
                f"{one.seconds:,.1f}" if one.seconds is not None else "-",
                _status(one),
                _BEST if one is best else "",
            ]
        )
    return rows


def rows_of_repeats(points: Sequence[Repeats]) -> list[list[str]]:
    """Heading and a row a point: mean and spread of the scores of its seeds."""
    keys = swept(point.overrides for point in points)
    means = [point.spread.mean for point in points if point.spread is not None]
    rows = [[*(short(keys) or ["Point"]), "Seeds", "Mean", "SD", "95 % interval", "Best"]]
    for point in points:
        names = [_cut(value_of(point.overrides, key)) for key in keys] or ["all"]
        s = point.spread
        if s is None:
            rows.append([*names, f"0 of {len(point.outcomes)}", "-", "-", "-", ""])
            continue
        n = str(s.n) if s.n == len(point.outcomes) else f"{s.n} of {len(point.outcomes)}"
        interval = f"{percent(s.low)} to {percent(s.high)}" if s.n > 1 else "-"
        is_best = len(means) > 1 and s.mean == max(means)
        rows.append([*names, n, percent(s.mean), f"{100 * s.sd:.2f}", interval, _BEST if is_best else ""])
    return rows


def as_text(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Aligned columns under a rule; numbers to the right.

    width: of the terminal, in characters; texts that do not fit are cut off. None: as wide as the texts are.
    """
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ruled = Box("    \n    \n -- \n" + "    \n" * 5, ascii=True)
    table = Table(box=ruled, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i, heading in enumerate(rows[0]):
        is_number = all(_is_number(row[i]) for row in rows[1:])
        table.add_column(Text(shown(heading)), justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows[1:]:
        table.add_row(*(Text(shown(cell), no_wrap=True, overflow="ellipsis") for cell in row))
    stream = io.StringIO()
    Console(file=stream, width=width or 10_000, color_system=None).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def as_markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell if cell == _BEST else foreign.as_markdown(cell) for cell in row) + " |"

    return [line(rows[0]), line(["---"] * len(rows[0])), *map(line, rows[1:])]


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _status(one: Outcome) -> str:
    if one.status != "KILLED":
        return one.status.lower()
    return "interrupted" if one.step is None else f"interrupted at step {one.step:,}"


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or cell.replace(",", "").replace(".", "").lstrip("+-").isdigit()


def _cut(text: str) -> str:
    """Shorten a value for a column: a long number to four digits, a long text with an ellipsis."""
    if len(text) > 8 and _is_number(text.replace("e", "").replace("-", "")):
        return f"{float(text):.4g}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
