"""Our sweepers as plugins of Hydra: `hydra/sweeper=basic` is grid.py's, `hydra/sweeper=optuna` search.py's.

Their keys are in config/nodes.py. What a sweep imports is imported when Hydra sets the plugin up: most commands are one
run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from runner.config.nodes import GridKeys, SearchKeys
from runner.launch.runs import Runs

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from runner.launch.grid import Grid
    from runner.launch.search import Search


class _LateSweeper(Sweeper):
    """Makes the sweep itself when Hydra sets the plugin up. knobs: the keys of its file, see config/nodes.py."""

    def __init__(self, **knobs: Any) -> None:
        self._knobs = knobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, Runs)
        self._sweep = self._make(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        self._sweep.run(arguments)

    def _make(self, context: HydraContext, runs: Runs, config: DictConfig) -> Grid | Search:
        raise NotImplementedError


class GridSweeper(_LateSweeper):
    def _make(self, context: HydraContext, runs: Runs, config: DictConfig) -> Grid:
        from runner.launch.grid import Grid

        return Grid(context, runs, config, **self._knobs)


class OptunaSweeper(_LateSweeper):
    def _make(self, context: HydraContext, runs: Runs, config: DictConfig) -> Search:
        from runner.launch.search import Knobs, Search

        return Search(context, runs, config, Knobs(**self._knobs))


def register_sweepers() -> None:
    """Tell Hydra of both sweepers. Hydra makes plugins only by names of its own packages, so they get such names."""
    known = Plugins.instance().class_name_to_class
    known[GridKeys._target_] = GridSweeper
    known[SearchKeys._target_] = OptunaSweeper
