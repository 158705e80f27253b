"""The model that a run starts from (`init.model`), as far as it is known without loading it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.components.storage import CONFIG, META
from runner.errors import RunnerError
from runner.files import read_file
from runner.tracking.model_source import ModelSource, find_model


@dataclass(frozen=True)
class Initial:
    """A model to start from. digest: of its files: two models with equal digests are one. config: what builds it."""

    source: ModelSource
    digest: str
    config: Mapping[str, Any]
    weights_sha256: str

    def tags(self, key: str = "init.model") -> dict[str, str]:
        """What a run tells of the model that it started from. key: of the config, by which it named the model."""
        known = {"model": self.source.name, "run_id": self._run_id(), "model_id": self.source.model_id}
        prefix = "init" if key == "init.model" else key
        told = {f"{prefix}.{name}": value for name, value in known.items() if value}
        return {**told, f"{prefix}.weights_sha256": self.weights_sha256}

    def _run_id(self) -> str | None:
        """The id in MLflow of the run that trained the model, where it is known."""
        if self.source.run_id is not None or self.source.run_folder is None:
            return self.source.run_id
        try:
            run = self.source.run()
        except RunnerError:
            return None
        return run.run_id if run is not None else None


def initial_model(reference: str, uri: str | None = None, key: str = "init.model") -> Initial:
    """Find the model. uri: of the MLflow store. Raises RunnerError, at the key, where there is none, or a damaged one."""
    try:
        return _found(reference, uri, os.getcwd())
    except RunnerError as error:
        raise RunnerError(error.fact, place=f"{key}={reference}"[:160], hint=error.hint) from error


@cache
def _found(reference: str, uri: str | None, cwd: str) -> Initial:
    """cwd: a relative path, or a store in the current folder, is another one in another folder."""
    source = find_model(reference, uri)
    meta, config = _json(source.folder / META), _json(source.folder / CONFIG)
    sums = json.dumps(meta.get("file_sha256"), sort_keys=True)
    return Initial(
        source, hashlib.sha256(sums.encode("utf8")).hexdigest()[:16], config, str(meta.get("weights_sha256", ""))
    )


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RunnerError("the model is damaged, or older than format 4", place=str(path), hint="Train it again.")
    return content
