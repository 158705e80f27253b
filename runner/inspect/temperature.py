"""Fit a model's temperatures on one half of the examples, and measure on the other half what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.components.calibrate import calibrate, calibrations
from runner.components.pipeline import Pipeline
from runner.components.predictor import TEMPERATURES
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.foreign import shown_name

FEW = 100  # predictions: with fewer, the calibration error of a perfect model is some hundredths too


class Fitted(NamedTuple):
    """The calibration error of one layer on the examples that nothing was fitted on."""

    component: str
    layer: str
    temperature: float
    n: int  # predictions
    before: float | None  # at temperature 1; 0 to 1; None without predictions
    after: float | None


def fit_temperatures(nlp: Pipeline, examples: Sequence[Example]) -> list[Fitted]:
    """Fit on the examples at even positions and measure on the others. `nlp.meta` has the new temperatures then.

    Raises RunnerError if there are fewer than two examples, or none has gold for a component with confidence.
    """
    if len(examples) < 2:
        raise RunnerError(
            "one text cannot be halved", place="--fit-temperature", hint="Name data with two texts or more."
        )
    fitted_on, held_out = examples[::2], examples[1::2]
    nlp.meta.pop(TEMPERATURES, None)
    before = calibrations(nlp, held_out)
    temperatures = calibrate(nlp, fitted_on)
    after = calibrations(nlp, held_out)
    return [
        Fitted(name, layer, temperatures[name], one.n, one.ece, after[name][layer].ece)
        for name, layers in before.items()
        if name in temperatures
        for layer, one in layers.items()
    ]


def as_dict(rows: Sequence[Fitted]) -> dict[str, Mapping[str, object]]:
    """Plain values for JSON: component → its temperature and layers."""
    return {
        row.component: {
            "temperature": row.temperature,
            "layers": {
                other.layer: {"n": other.n, "ece_before": other.before, "ece_after": other.after}
                for other in rows
                if other.component == row.component
            },
        }
        for row in rows
    }


def table(rows: Sequence[Fitted]) -> Iterator[str]:
    """A table: calibration error in percent, before and after."""
    yield "Temperatures, fitted on every second text; calibration error on the others"
    width = max(len(f"{shown_name(row.component)} {row.layer}") for row in rows)
    yield f"  {'':<{width}}  {'temperature':>11}  {'n':>7}  {'before':>7}  {'after':>7}"
    for row in rows:
        name = f"{shown_name(row.component)} {row.layer}"
        cells = ("-" if value is None else f"{100 * value:.2f}" for value in (row.before, row.after))
        yield f"  {name:<{width}}  {row.temperature:>11.4f}  {row.n:>7,}  " + "  ".join(f"{cell:>7}" for cell in cells)
    if few := sorted({shown_name(row.component) for row in rows if row.n < FEW}):
        yield f"  {', '.join(few)}: fewer than {FEW} predictions to measure on, so errors are rough; name more data"
