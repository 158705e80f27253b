"""conf/ and overrides → one composed OmegaConf node, by Hydra. compose.py makes the checked RunConfig of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.conf_folder import CONFIG_NAME, conf_dir
from runner.config.guard import guarded
from runner.config.own_files import with_own_files
from runner.errors import RunnerError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class GridKeys:
    """`hydra.sweeper` of a grid (launch/grid.py), under the name of Hydra's own grid: `hydra/sweeper=basic`."""

    _target_: str = "hydra_plugins.runner.GridSweeper"
    max_batch_size: int | None = None  # jobs handed to the launcher at once
    params: dict[str, Any] = field(default_factory=dict)  # key → values to sweep, as on the command line


@dataclass
class SearchKeys:
    """`hydra.sweeper` of a search (launch/search.py), `hydra/sweeper=optuna`."""

    _target_: str = "hydra_plugins.runner.OptunaSweeper"
    n_trials: int = 20  # in all, those of earlier starts included
    sampler: str = "tpe"  # or random
    pruner: str = "median"  # ends trials that fall behind; none
    seed: int = 0  # of the sampler
    params: dict[str, Any] = field(default_factory=dict)  # key → values to search, as on the command line


def compose_node(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> DictConfig:
    """Compose conf/ and overrides into one node, which holds Hydra's own `hydra` node too. Raises what Hydra raises."""
    from hydra import compose as hydra_compose

    with compose_lone(config_dir) as (_, searchpath):
        return hydra_compose(CONFIG_NAME, overrides=[*with_own_files(overrides), *searchpath], return_hydra_config=True)


@contextmanager
def compose_lone(config_dir: str | Path | None = None) -> Iterator[tuple[Any, list[str]]]:
    """Yield a Hydra to compose with, and the overrides that add `config_dir`. A Hydra that runs already is set aside."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register()
    searchpath = []
    if config_dir is not None:
        if not Path(config_dir).is_dir():
            raise RunnerError(f"there is no folder {str(config_dir)!r}", place="--config-dir")
        searchpath.append(f"hydra.searchpath=['file://{Path(config_dir).resolve()}']")
    saved = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with guarded(), initialize_config_dir(version_base="1.3", config_dir=str(conf_dir()), job_name="runner"):
            yield GlobalHydra.instance().hydra, searchpath
    finally:
        GlobalHydra.instance().hydra = saved


@contextmanager
def hydra_set_aside() -> Iterator[None]:
    """While it lasts, Hydra is as in a new process; afterwards it is what it was, a Hydra program around this call included.

    What `register` stores stays, but for the two sweepers: under their names another program expects Hydra's own.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins
    from hydra.version import VersionBase

    Plugins.instance()  # Hydra's own sweepers are stored now
    whole, config, version = GlobalHydra.instance(), HydraConfig.instance(), VersionBase.instance()
    before = whole.hydra, config.cfg, version.version_base
    sweepers = ConfigStore.instance().repo["hydra"]["sweeper"]
    sweepers_before = dict(sweepers)
    whole.clear()
    try:
        yield
    finally:
        whole.hydra, config.cfg, version.version_base = before
        sweepers.clear()
        sweepers.update(sweepers_before)


def register() -> None:
    """Tell Hydra our schema, the keys of our sweepers and the two resolvers of conf/config.yaml."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf

    from runner.config.schema import typed_base

    Plugins.instance()  # Hydra's own `hydra/sweeper=basic` is stored now, and not over ours
    store = ConfigStore.instance()
    store.store(name="runner_schema", node=typed_base(), provider="runner")
    for name, keys in (("basic", GridKeys), ("optuna", SearchKeys)):
        node = OmegaConf.structured(keys)
        OmegaConf.set_struct(node.params, False)  # any key may be swept
        store.store(group="hydra/sweeper", name=name, node=node, provider="runner")
    OmegaConf.register_new_resolver("first_given", _first_given, replace=True)
    OmegaConf.register_new_resolver("random_digits", _random_digits, use_cache=True, replace=True)


def _first_given(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _random_digits() -> str:
    return os.urandom(3).hex()
