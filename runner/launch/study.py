"""A search's study, in Optuna's journal file, and its space in Optuna's terms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunnerError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.study import Study

    Distribution = CategoricalDistribution | FloatDistribution | IntDistribution


def make_study(path: Path, sampler: str, pruner: str, seed: int) -> Study:
    """Open the study in that file, or begin one. sampler: tpe or random. pruner: median or none."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    n = 0
    storage = JournalStorage(JournalFileBackend(str(path)))
    known = {study.study_name for study in storage.get_all_studies()}
    if known:
        n = len(optuna.load_study(study_name=path.stem, storage=storage).trials)
    # The sampler's own state is not kept: a search that goes on draws anew, as a function of the seed and how far it is.
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed + n),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed + n),
    }
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        "none": optuna.pruners.NopPruner,
    }
    return optuna.create_study(
        study_name=path.stem, storage=storage, sampler=samplers[sampler](), pruner=pruners[pruner](),
        direction="maximize", load_if_exists=True,
    )  # fmt: skip


def distribution_of(override: Override) -> Distribution:
    """Optuna's distribution for a word in Hydra's sweep syntax. Raises RunnerError where it holds no value."""
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    key = override.get_key_element()
    is_log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        low, high = float(value.start or 0), float(value.end or 0)
        if low > high or (is_log and low <= 0):
            raise RunnerError(f"interval({low}, {high}) holds no number", place=key)
        return FloatDistribution(low, high, log=is_log)
    if isinstance(value, RangeSweep):
        start, stop, step = value.start, value.stop, 1 if is_log else value.step
        if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
            if stop <= start or step < 1:
                raise RunnerError("the range is empty", place=key)
            return IntDistribution(start, stop - 1, step=step, log=is_log)
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    assert isinstance(value, ChoiceSweep)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def lowest(distribution: Distribution) -> object:
    """The first value."""
    from optuna.distributions import CategoricalDistribution

    return distribution.choices[0] if isinstance(distribution, CategoricalDistribution) else distribution.low


def highest(distribution: Distribution) -> object:
    """The last value."""
    from optuna.distributions import CategoricalDistribution

    return distribution.choices[-1] if isinstance(distribution, CategoricalDistribution) else distribution.high
