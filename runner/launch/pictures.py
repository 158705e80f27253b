"""Pictures of a sweep (PNG, by matplotlib): parallel coordinates of the swept keys, the score over each key, gains."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.files import write_file
from runner.foreign import shown
from runner.launch.gains import Gain
from runner.launch.report import short, swept, value_of
from runner.launch.results import Outcome, best_of

PARALLEL, SCATTER, GAINS = "parallel_coordinates.png", "scores.png", "gains.png"
_LONGEST = 40  # characters of a label
_MOST = 8  # axes of a picture
_GREY, _ACCENT = "#8a8f98", "#c2410c"


def draw(outcomes: Sequence[Outcome], folder: Path, gains: Sequence[Gain] = ()) -> list[Path]:
    """Write the pictures into the folder and return their paths. gains: of points over the first point.

    Without two finished jobs or a swept key there is no picture.
    """
    finished = [one for one in outcomes if one.status == "FINISHED" and one.score is not None]
    keys = swept(one.job.overrides for one in outcomes)[:_MOST]
    if len(finished) < 2 or not keys:
        return []
    import matplotlib

    matplotlib.use("Agg", force=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pictures = {PARALLEL: _parallel(finished, keys), SCATTER: _scatter(finished, keys)}
        if gains:
            pictures[GAINS] = _gains(gains)
        for name, figure in pictures.items():
            data = io.BytesIO()
            figure.savefig(data, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
            write_file(folder / name, data.getvalue())
    return [folder / name for name in pictures]


def places(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """The position of each value on an axis from 0 to 1, and the axis' ticks. Numbers lie in proportion, words evenly spaced.

    >>> places(["0.2", "0.4", "0.3"])[0]
    [0.0, 1.0, 0.49...]
    >>> places(["radam", "adam"])
    ([1.0, 0.0], [(0.0, 'adam'), (1.0, 'radam')])
    """
    names = sorted(set(values))
    numbers: list[float] | None
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = None
    if numbers is not None and max(numbers) > min(numbers):
        low, high = min(numbers), max(numbers)
        at = [(number - low) / (high - low) for number in numbers]
        ticks = sorted(set(zip(at, values, strict=True)))
        return at, ticks if len(ticks) <= 6 else [ticks[0], ticks[-1]]
    step = {name: i / max(len(names) - 1, 1) for i, name in enumerate(names)}
    return [step[value] for value in values], [(step[name], name) for name in names]


def _label(text: str) -> str:
    """Escape `$`, so that matplotlib draws the text as it stands and not as a formula."""
    return shown(text, _LONGEST).replace("$", r"\$")


def _parallel(finished: Sequence[Outcome], keys: Sequence[str]) -> Any:
    from matplotlib.figure import Figure

    columns = [[value_of(one.job.overrides, key) or "-" for one in finished] for key in keys]
    scores = [100 * (one.score or 0.0) for one in finished]
    axes = [places(column) for column in columns]
    low, high = min(scores), max(scores)
    at = [(score - low) / (high - low) if high > low else 0.5 for score in scores]
    axes.append((at, [(0.0, f"{low:.2f}"), (1.0, f"{high:.2f}")] if high > low else [(0.5, f"{low:.2f}")]))
    names = [*short(keys), "score"]
    best = best_of(finished)
    figure = Figure(figsize=(max(5.0, 1.9 * len(names)), 3.6))
    plot = figure.subplots()
    for i, one in enumerate(finished):
        line = [places_at[i] for places_at, _ in axes]
        is_best = one is best
        plot.plot(range(len(line)), line, color=_ACCENT if is_best else _GREY, lw=2.2 if is_best else 1.0,
                  alpha=1.0 if is_best else 0.25 + 0.5 * at[i], zorder=3 if is_best else 2)  # fmt: skip
    for x, (_, ticks) in enumerate(axes):
        plot.axvline(x, color="#d4d7dc", lw=1, zorder=1)
        for y, text in ticks:
            plot.annotate(
                _label(text), (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8, zorder=4
            )
    plot.set_xticks(range(len(names)), [_label(name) for name in names], fontsize=9)
    plot.set_yticks([])
    plot.set_xlim(-0.15, len(names) - 0.55)
    plot.set_title(f"{len(finished)} jobs; the best in colour", fontsize=10, loc="left")
    for side in plot.spines.values():
        side.set_visible(False)
    return figure


def _scatter(finished: Sequence[Outcome], keys: Sequence[str]) -> Any:
    from matplotlib.figure import Figure

    scores = [100 * (one.score or 0.0) for one in finished]
    best = best_of(finished)
    figure = Figure(figsize=(max(3.4, 2.6 * len(keys)), 3.0))
    plots = figure.subplots(1, len(keys), sharey=True, squeeze=False)[0]
    for plot, key, name in zip(plots, keys, short(keys), strict=True):
        at, ticks = places([value_of(one.job.overrides, key) or "-" for one in finished])
        colours = [_ACCENT if one is best else _GREY for one in finished]
        plot.scatter(at, scores, c=colours, s=22, zorder=3)
        plot.set_xticks([x for x, _ in ticks], [_label(text) for _, text in ticks], fontsize=8)
        plot.set_xlim(-0.15, 1.15)
        plot.set_xlabel(_label(name), fontsize=9)
        plot.grid(axis="y", color="#e6e8eb", zorder=1)
        plot.tick_params(axis="y", labelsize=8)
        for side in ("top", "right"):
            plot.spines[side].set_visible(False)
    plots[0].set_ylabel("score", fontsize=9)
    figure.tight_layout()
    return figure


def _gains(gains: Sequence[Gain]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 0.9 + 0.32 * len(gains)))
    plot = figure.subplots()
    rows = range(len(gains))
    plot.axvline(0, color=_GREY, lw=1, zorder=1)
    for y, gain in zip(rows, gains, strict=True):
        s, colour = gain.spread, _ACCENT if gain.is_clear else _GREY
        plot.plot([100 * s.low, 100 * s.high], [y, y], color=colour, lw=1.6, zorder=2)
        plot.plot([100 * s.mean], [y], "o", color=colour, ms=5, zorder=3)
    plot.set_yticks(rows, [_label(gain.name) for gain in gains], fontsize=9)
    plot.invert_yaxis()
    widest = max(abs(100 * gain.spread.mean) + 100 * gain.spread.sd for gain in gains)
    plot.set_xlim(
        -3 * widest - 0.1, 3 * widest + 0.1
    )  # the interval of two seeds is so wide that it would hide the others
    plot.set_xlabel("gain in score, points, and its 95 % interval", fontsize=9)
    plot.set_title(f"{gains[0].spread.n} seeds each; clear of zero in colour", fontsize=10, loc="left")
    plot.tick_params(axis="x", labelsize=8)
    plot.grid(axis="x", color="#e6e8eb", zorder=0)
    for side in ("top", "right", "left"):
        plot.spines[side].set_visible(False)
    plot.tick_params(axis="y", length=0)
    figure.tight_layout()
    return figure
