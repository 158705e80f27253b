"""conf/ and overrides → one composed OmegaConf node, by Hydra. compose.py makes the checked RunConfig of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.conf_folder import CONFIG_NAME, conf_dir
from runner.config.guard import guarded
from runner.errors import RunnerError

if TYPE_CHECKING:
    from omegaconf import DictConfig

OPTUNA: dict[str, Any] = {  # `hydra/sweeper=optuna`, see launch/search.py
    "_target_": "hydra_plugins.runner.OptunaSweeper",
    "n_trials": 20,  # in all
    "sampler": "tpe",  # or random
    "pruner": "median",  # ends trials that fall behind; none
    "seed": 0,  # of the sampler
    "params": {},
}


def compose_node(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> DictConfig:
    """Compose conf/ and overrides into one node, which holds Hydra's own `hydra` node too. Raises what Hydra raises."""
    from hydra import compose as hydra_compose

    with compose_lone(config_dir) as (_, searchpath):
        return hydra_compose(CONFIG_NAME, overrides=[*overrides, *searchpath], return_hydra_config=True)


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


def register() -> None:
    """Tell Hydra our schema, the Optuna sweeper and the two resolvers of conf/config.yaml."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    from runner.config.schema import typed_base

    store = ConfigStore.instance()
    store.store(name="runner_schema", node=typed_base(), provider="runner")
    store.store(group="hydra/sweeper", name="optuna", node=OPTUNA, provider="runner")
    OmegaConf.register_new_resolver("first_given", _first_given, replace=True)
    OmegaConf.register_new_resolver("random_digits", _random_digits, use_cache=True, replace=True)


def _first_given(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _random_digits() -> str:
    return os.urandom(3).hex()
