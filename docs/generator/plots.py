"""Every schedule of the registry, drawn over the steps; twice, for light and for dark pages."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from generator.keys import as_yaml
from generator.markdown import block, docstring
from runner import blocks, registry

# Settings as a run has them: arguments, number of steps to draw, what it is.
EXAMPLES: dict[str, tuple[dict[str, Any], int, str]] = {
    "constant": ({"value": 0.001}, 1000, "learning rate"),
    "compounding": ({"start": 1.0, "stop": 32.0, "compound": 1.001}, 5000, "examples a batch"),
    "decaying": ({"start": 0.6, "stop": 0.2, "decay": 1e-4}, 6000, "dropout"),
    "linear": ({"start": 0.4, "stop": 0.1, "steps": 3000}, 4000, "dropout"),
    "warmup_linear": ({"initial_rate": 0.002, "warmup_steps": 100, "total_steps": 2000}, 2400, "learning rate"),
    "delayed": ({"value": 0.05, "share": 0.33, "total_steps": 2000}, 2400, "factor of the rate"),
}
_INK = {"light": "#222222", "dark": "#dddddd"}
_LINE = {"light": "#1f6fb2", "dark": "#7fb8ea"}


def page() -> str:
    """The page of schedules."""
    shown = [
        "# Schedules",
        "A schedule is a function of the step, counted from 0; any number that a key calls *number or block of schedules* "
        "may be one, and every value that was used is a metric of the run. `auto` in the place of a number of steps is the "
        "number of steps of the run ([defaults](../defaults.md)). A schedule of your own is a decorated "
        "function ([add your own](../extending.md)).",
    ]
    for name in registry.schedules.names():
        shown += [f"## {name}", docstring(inspect.getdoc(registry.schedules.get(name)) or "")]
        if name in EXAMPLES:
            arguments, _, what = EXAMPLES[name]
            shown.append(block(as_yaml({"type": name, **arguments}), "yaml"))
            alt = f"{what} by step, of the schedule {name} above"
            shown += [f"```{{image}} plots/{name}-{mode}.svg\n:alt: {alt}\n:class: only-{mode}\n```" for mode in _INK]
        shown.append(f"Arguments: {{entry}}`schedules.{name}`.")
    return "\n\n".join(shown) + "\n"


def draw(folder: Path) -> list[Path]:
    """Draw what is not drawn yet; the pictures' paths."""
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, (arguments, steps, what) in EXAMPLES.items():
        schedule = blocks.resolve({"type": name, **arguments}, "schedules", name)
        points = [(step, schedule(step)) for step in range(0, steps + 1, max(1, steps // 400))]
        for mode in _INK:
            paths.append(folder / f"{name}-{mode}.svg")
            text = _drawn(points, what, mode)
            if not paths[-1].is_file() or paths[-1].read_text(encoding="utf8") != text:
                paths[-1].write_text(text, encoding="utf8")
    return paths


def _drawn(points: list[tuple[int, float]], what: str, mode: str) -> str:
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "runner", "font.size": 10, "svg.fonttype": "none"}):
        figure = Figure(figsize=(6, 2.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(*zip(*points, strict=True), color=_LINE[mode], linewidth=2)
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
        axes.set_xlabel("step", color=_INK[mode])
        axes.set_ylabel(what, color=_INK[mode])
        axes.tick_params(colors=_INK[mode])
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(_INK[mode])
        axes.patch.set_alpha(0)
        figure.patch.set_alpha(0)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()
