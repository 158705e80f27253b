"""Rebuild a run's config from its saved config, ignoring today's conf/. Expressions are resolved in today's environment.

Overrides change values. They cannot choose groups (`optimizer=radam`): that would need conf/, which may have changed.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from runner.config.compose import run_config
from runner.config.conf_folder import conf_dir
from runner.config.explain import explain
from runner.config.kept import masked_keys
from runner.config.schema import RunConfig, typed_base
from runner.errors import RunnerError
from runner.secrets import masked_all


def recorded_config(
    record: Mapping[str, Any], overrides: Sequence[str] = (), past: Sequence[str] = (), *, is_to_run: bool = True
) -> RunConfig:
    """The checked config of a new run, in a new folder, with the settings of `record`, a saved config.

    overrides: as on the command line. past: the overrides of the recorded run, for the new run's name. is_to_run: refuse a
    masked password that no override gives. Raises RunnerError.
    """
    kept = {key: value for key, value in record.items() if key not in ("output_dir", "resume")}
    try:
        node: Any = OmegaConf.merge(typed_base(), kept)
        OmegaConf.set_struct(node, True)
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            _apply(node, override)
        if is_to_run:
            _give_secrets(node)
        named = node.output_dir
        folder = Path(str(named)) if named is not None else _new_folder()
        return run_config(node, output_dir=folder, overrides=[*past, *overrides], choices={})
    except RunnerError:
        raise
    except Exception as error:
        raise explain(error, list(overrides), None) from error


def _apply(node: Any, override: Any) -> None:
    """Apply one override to `node`. Raises RunnerError if it does more than set a value, and what OmegaConf raises."""
    key = override.key_or_group
    if override.is_sweep_override():
        raise RunnerError(
            "a rerun is a single run", place=key, hint="Give one value, or start a multirun: python -m runner -m …"
        )
    if override.is_hydra_override() or override.package is not None:
        raise RunnerError("a rerun takes no settings of Hydra's", place=key, hint="Leave it out.")
    value = override.value() if not override.is_delete() else None
    if isinstance(value, str) and (conf_dir() / key / f"{value}.yaml").is_file():
        raise RunnerError(
            f"a rerun cannot choose {key}={value}",
            place=key,
            hint=f"Set values ({key}.NAME=VALUE), or start a new run: python -m runner {key}={value} …",
        )
    if override.is_delete():
        above, _, name = key.rpartition(".")
        parent = OmegaConf.select(node, above) if above else node
        if not OmegaConf.is_dict(parent) or name not in parent:
            raise RunnerError("there is nothing to delete", place=key)
        OmegaConf.set_struct(parent, False)
        del parent[name]
        return
    OmegaConf.update(node, key, value, merge=True, force_add=override.is_add() or override.is_force_add())


def _give_secrets(node: Any) -> None:
    """Take the MLflow store's address from the environment if its password was masked in the record.

    Raises RunnerError for any other masked secret.
    """
    for key in masked_keys(OmegaConf.to_container(node, resolve=False)):
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if key == "tracking.uri" and given and masked_all(given) == node.tracking.uri:
            node.tracking.uri = None
            continue
        also = ", or set MLFLOW_TRACKING_URI to it" if key == "tracking.uri" else ""
        fact = f"the password was not saved with the config ({OmegaConf.select(node, key)})"
        raise RunnerError(fact, place=key, hint=f"Give the whole value again: {key}=VALUE{also}.")


def _new_folder() -> Path:
    """A new output folder, named as conf/config.yaml names it."""
    now = datetime.datetime.now()
    return Path("outputs") / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-{os.urandom(3).hex()}"
