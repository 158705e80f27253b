"""A sweep as text: a table for the console, the same in Markdown.

job  optimizer  dropout.start  seed   Score  Epoch  Seconds  Status
  0  adam       0.2            0      89.12      4     12.3            *
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner import foreign
from runner.foreign import shown
from runner.launch.results import Outcome, Repeats, best_of

_LONGEST = 28  # characters of a value
_SHORTEST = 5  # characters to which a text may be cut
_DISPENSABLE = ("Seconds", "Epoch", "Status")  # columns, the first to go first
_BEST = "*"
_GAP = "  "


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

    width: of the terminal, in characters. Where the columns do not fit, long headings and texts are cut, numbers never;
    where that is not enough, the columns of _DISPENSABLE are left out. None: as wide as the texts are.
    """
    columns = [[shown(cell) for cell in column] for column in zip(*rows, strict=True)]
    for heading in _DISPENSABLE if width is not None else ():
        if _total([_least(column) for column in columns]) <= (width or 0):
            break
        columns = [column for column in columns if column[0] != heading]
    widths = [max(map(_places, column)) for column in columns]
    if width is not None:
        least = [_least(column) for column in columns]
        while _total(widths) > width and widths != least:
            i = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
            widths[i] -= 1
    lines = []
    for number in range(len(rows)):
        cells = [
            _placed(column[number], w, right=_is_numeric(column)) for column, w in zip(columns, widths, strict=True)
        ]
        lines.append(_GAP.join(cells).rstrip())
    return [lines[0], "-" * _total(widths), *lines[1:]]


def _is_numeric(column: Sequence[str]) -> bool:
    return all(_is_number(cell) for cell in column[1:])


def _least(column: Sequence[str]) -> int:
    """How narrow a column may become: numbers stay whole."""
    widest = max(map(_places, column))
    return min(widest, max(_SHORTEST, *map(_places, column[1:]))) if _is_numeric(column) else min(widest, _SHORTEST)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _places(text: str) -> int:
    """How many places a text takes on a terminal: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _placed(text: str, width: int, *, right: bool) -> str:
    cut = text
    while _places(cut) > width:
        cut = f"{cut.removesuffix('…')[:-1]}…"
    gap = " " * (width - _places(cut))
    return gap + cut if right else cut + gap


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
