"""Dev score over training CPU seconds, both sides, a panel a job and batch regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.report import best_score, grouped, median

OURS, SPACY, INK, RULE = ("#0072B2", "#56B4E9", "#009E73", "#CC79A7"), "#D55E00", "#333333", "#cccccc"
N_COLUMNS = 3
LABEL_WIDTH = 36  # characters of a line of the legend


def accuracy_plot(records: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Write a PNG; False where there is nothing to draw.

    One line a run, a dot an evaluation. The dashed line is spaCy's best (median over its runs): what time to target is
    measured to. Seconds are on a logarithmic axis, where equal distances are equal ratios.
    """
    panels: dict[Any, list[tuple[str, Sequence[Mapping[str, Any]]]]] = {}
    targets: dict[Any, float] = {}
    for (key, _), (ours, theirs) in grouped(records, "accuracy").items():
        runs = panels.setdefault(key, [])
        if ours:
            label = " ".join(["ours", *ours[0]["spec"]["settings"]])
            runs.append((fill(label, LABEL_WIDTH, break_on_hyphens=False, break_long_words=False), ours))
        if theirs and key not in targets:
            runs.insert(0, ("spaCy", theirs))
            targets[key] = median(map(best_score, theirs)) or 0.0
    if not panels:
        return False
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator

    n_columns = min(N_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(4.6 * n_columns, 3.5 * n_rows), squeeze=False)
    for axis, (key, runs) in zip(axes.flat, panels.items(), strict=False):
        n_ours = 0
        for label, group in runs:
            colour = SPACY if label == "spaCy" else OURS[n_ours % len(OURS)]
            n_ours += label != "spaCy"
            for i, record in enumerate(group):
                seconds = [point["cpu_seconds"] for point in record["curve"]]
                scores = [point["score"] for point in record["curve"]]
                axis.plot(
                    seconds, scores, "o-", color=colour, markersize=3.5, linewidth=1.3, label=label if not i else None
                )
        if key in targets:
            axis.axhline(targets[key], color=SPACY, linestyle="--", linewidth=0.9)
        axis.set_xscale("log")
        axis.set_title(f"{key.job}, {key.batch}", fontsize=10, color=INK, loc="left")
        axis.set_xlabel("training CPU seconds", fontsize=8, color=INK)
        axis.set_ylabel("dev score", fontsize=8, color=INK)
        for ticks in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
            ticks(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axis.tick_params(which="both", labelsize=8, colors=INK)
        axis.grid(color=RULE, linewidth=0.4)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False, loc="lower right")
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
