"""Pictures: a page a component with learning curves, a panel a cell; and a page a component with scores over sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.defaults.cells import NAMES, SCORES
from benchmarks.defaults.compare import Compared, sides_in
from benchmarks.plots import INK, RULE, SPACY

COLOURS = {"ours": "#0072B2", "guide": "#009E73", "spacy": SPACY}
MARKERS = {"ours": "o", "guide": "s", "spacy": "^"}
CURVE_SCORE = {"parser": "mean of UAS and LAS"}  # where the score of a curve is not the component's
PANEL = (2.9, 2.3)  # inches
DPI = 130
LEAST_ROOM = 0.04  # of a score: a panel of flat curves must not look like one of steep curves


def draw(cells: Sequence[Compared], folder: Path) -> list[Path]:
    """Write curves-COMPONENT.png and sizes-COMPONENT.png into the folder; returns their paths."""
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for component in dict.fromkeys(one.cell.component for one in cells):
        some = [one for one in cells if one.cell.component == component]
        for name, page in (("curves", curves_page), ("sizes", sizes_page)):
            path = folder / f"{name}-{component}.png"
            figure = page(component, some)
            figure.savefig(path, dpi=DPI)
            close(figure)
            paths.append(path)
    return paths


def curves_page(component: str, cells: Sequence[Compared]) -> Any:
    """Dev score over CPU seconds: a row a corpus, a column a size, a line a run.

    Seconds are on a logarithmic axis, where equal distances are equal ratios. The dashed line is the score that time is
    measured to: the best of spaCy's side, median over its runs.
    """
    corpora = list(dict.fromkeys(one.cell.corpus for one in cells))
    sizes = sorted({column_of(one) for one in cells})
    figure, axes = page(len(corpora), len(sizes))
    for row, corpus in zip(axes, corpora, strict=True):
        panels = {column_of(one): one for one in cells if one.cell.corpus == corpus}
        for axis, size in zip(row, sizes, strict=True):
            if size not in panels:
                axis.set_visible(False)
                continue
            curves_panel(axis, panels[size])
            axis.set_title(f"{panels[size].size} docs", fontsize=9, color=INK, loc="left")
        first = next(axis for axis in row if axis.get_visible())
        first.set_ylabel(f"{corpus}\n{CURVE_SCORE.get(component, SCORES[component])}", fontsize=8, color=INK)
    for column in zip(*axes, strict=True):
        lowest = [axis for axis in column if axis.get_visible()][-1]
        lowest.set_xlabel("CPU seconds of training", fontsize=8, color=INK)
    finish(figure, f"{component}: dev score while training", sides_in(cells))
    return figure


def column_of(one: Compared) -> tuple[bool, int]:
    """Cells with all docs of their corpora share the last column."""
    return one.is_all, 0 if one.is_all else one.cell.size


def curves_panel(axis: Any, one: Compared) -> None:
    best = 0.0
    for side in reversed(sides_in([one])):  # ours on top
        for record in one.runs[side]:
            seconds = [max(point["cpu_seconds"], 0.01) for point in record["curve"]]
            scores = [point["score"] for point in record["curve"]]
            best = max(best, *scores)
            axis.plot(seconds, scores, color=COLOURS[side], linewidth=1.1, alpha=0.85)
            top = scores.index(max(scores))
            axis.plot(seconds[top], scores[top], MARKERS[side], color=COLOURS[side], markersize=4)
    target = one.target()
    if target is not None:
        axis.axhline(target, color=SPACY, linestyle="--", linewidth=0.8)
    axis.set_xscale("log")
    low, high = window(one, best)
    axis.set_ylim(low, high)
    axis.set_xlim(*span(one, low))
    whole_numbers(axis.xaxis)
    dress(axis)


def span(one: Compared, low: float) -> tuple[float, float]:
    """Limits of the seconds: from the last evaluation below `low` of the run that leaves it first, to the end."""
    starts, ends = [], []
    for runs in one.runs.values():
        for record in runs:
            seconds = [max(point["cpu_seconds"], 0.01) for point in record["curve"]]
            inside = next(i for i, point in enumerate(record["curve"]) if point["score"] >= low)
            starts.append(seconds[max(inside - 1, 0)])
            ends.append(seconds[-1])
    return 0.85 * min(starts), 1.15 * max(ends)


def window(one: Compared, best: float) -> tuple[float, float]:
    """Limits of the scores: the upper parts of the curves, where they differ, fill a panel.

    The lower limit is below every run's best score and below three quarters of the evaluations.
    """
    scores = sorted(point["score"] for runs in one.runs.values() for record in runs for point in record["curve"])
    lowest_best = min(max(p["score"] for p in record["curve"]) for runs in one.runs.values() for record in runs)
    low = min(scores[len(scores) // 4], lowest_best)
    room = max(best - low, LEAST_ROOM)
    return max(best - 1.15 * room, -0.02 * room), best + 0.12 * room


def sizes_page(component: str, cells: Sequence[Compared]) -> Any:
    """Score over the number of training docs: a panel a corpus; test solid, dev dashed; bars from worst to best seed."""
    corpora = list(dict.fromkeys(one.cell.corpus for one in cells))
    figure, axes = page(1, len(corpora), (3.6, 3.2))
    for axis, corpus in zip(axes[0], corpora, strict=True):
        some = [one for one in cells if one.cell.corpus == corpus]
        for side in reversed(sides_in(some)):
            sizes_lines(axis, [one for one in some if one.runs.get(side)], side)
        sizes = sorted({one.cell.size for one in some})
        axis.set_xscale("log")
        axis.set_xlim(0.8 * sizes[0], 1.25 * sizes[-1])
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.set_xticks([], minor=True)
        for label in axis.get_xticklabels():
            label.set_rotation(30)
        axis.set_title(corpus, fontsize=9, color=INK, loc="left")
        axis.set_xlabel("training docs", fontsize=8, color=INK)
        dress(axis)
    axes[0][0].set_ylabel(SCORES[component], fontsize=8, color=INK)
    finish(figure, f"{component}: score of the best epoch (solid: test, dashed: dev)", sides_in(cells))
    return figure


def sizes_lines(axis: Any, cells: Sequence[Compared], side: str) -> None:
    sizes = [one.cell.size for one in cells]
    for part, style in (("dev", "--"), ("test", "-")):
        means = [one.mean(side, part) or 0.0 for one in cells]
        scores = [one.scores(side, part) for one in cells]
        below = [mean - min(some) for mean, some in zip(means, scores, strict=True)]
        above = [max(some) - mean for mean, some in zip(means, scores, strict=True)]
        is_test = part == "test"
        axis.errorbar(
            sizes, means, yerr=(below, above) if is_test else None, color=COLOURS[side], linestyle=style, capsize=2,
            linewidth=1.4 if is_test else 0.9, marker=MARKERS[side] if is_test else None, markersize=4,
            elinewidth=0.8, alpha=1.0 if is_test else 0.7,
        )  # fmt: skip


def page(n_rows: int, n_columns: int, panel: tuple[float, float] = PANEL) -> tuple[Any, Any]:
    """A figure and its axes, [row][column]."""
    import matplotlib.pyplot as plt

    size = max(panel[0] * n_columns, 6.0), panel[1] * n_rows + 0.9
    return plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)


def finish(figure: Any, title: str, sides: Sequence[str]) -> None:
    """Title and legend above the panels."""
    from matplotlib.lines import Line2D

    height = figure.get_size_inches()[1]
    handles = [Line2D([], [], color=COLOURS[side], marker=MARKERS[side], markersize=5) for side in sides]
    figure.text(0.01, 1 - 0.08 / height, title, fontsize=11, color=INK, ha="left", va="top")
    where = (0.005, 1 - 0.3 / height)
    figure.legend(
        handles, [NAMES[side] for side in sides], loc="upper left", bbox_to_anchor=where, ncols=len(sides), fontsize=9,
        frameon=False,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.55 / height))


def dress(axis: Any) -> None:
    axis.tick_params(which="both", labelsize=7, colors=INK)
    axis.grid(color=RULE, linewidth=0.4)
    axis.spines[["top", "right"]].set_visible(False)


def whole_numbers(axis: Any) -> None:
    """Ticks at 1 and 3 times a power of ten, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def close(figure: Any) -> None:
    import matplotlib.pyplot as plt

    plt.close(figure)
