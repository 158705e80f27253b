"""Restore the whole address of a run's store: a journal keeps the address without user and password.

User and password are taken from MLFLOW_TRACKING_URI, or from the expression that the run's config holds (`http://ada:${oc.env:STORE_PASSWORD}@host`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from runner import bounded_yaml
from runner.config.kept import expanded
from runner.errors import RunnerError
from runner.files import read_file
from runner.secrets import is_masked, masked_all

CONFIG = "config.yaml"


def whole_address(kept: str, folder: Path, place: str = "tracking.uri") -> str:
    """The address that was masked as `kept`; `kept` itself where nothing was masked.

    folder: of the run, with its config.yaml. Raises RunnerError where user and password cannot be restored.
    """
    if not is_masked(kept):
        return kept
    for address in _candidates(folder):
        if masked_all(address) == kept:
            return address
    raise RunnerError(
        f"the password of {kept} was not kept",
        place=place,
        hint="Set MLFLOW_TRACKING_URI to the whole address, user and password included.",
    )


def _candidates(folder: Path) -> Iterator[str]:
    if os.environ.get("MLFLOW_TRACKING_URI"):
        yield os.environ["MLFLOW_TRACKING_URI"]
    try:
        uri = bounded_yaml.read(read_file(folder / CONFIG))["tracking"]["uri"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return
    if isinstance(uri, str) and "${" in uri:
        yield expanded(uri)
