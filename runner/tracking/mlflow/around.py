"""The files around a logged model, by which MLflow lists, shows, loads and serves it. Nothing is pickled.

MLmodel                      loader, signature, and where the rest lies
model/                       our folder, as runner.load reads it; written by models.py
code/                        what travels with it, see carried.py
requirements.txt, conda.yaml, python_env.yaml        the libraries that a prediction needs, as they are installed here
input_example.json, serving_input_example.json       one text: as a table, and as the body of a request
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import LoggedModel
from mlflow.models import Model
from mlflow.pyfunc import add_to_model

from runner import __version__
from runner.tracking.mlflow.carried import FOLDER, PACKAGE, code_names, config_of, libraries_of, package_zip
from runner.tracking.mlflow.signature import signature_of
from runner.tracking.mlflow.store import MODEL_FOLDER

LOADER = "runner.tracking.mlflow.flavor"
# Distributions that are imported for a prediction; those that they need follow from them.
REQUIREMENTS = ("mlflow", "numpy", "pydantic", "PyYAML", "regex", "srsly", "syntok", "thinc", "threadpoolctl")
_PYTHON_ENV, _CONDA, _PIP = "python_env.yaml", "conda.yaml", "requirements.txt"
_EXAMPLE, _REQUEST = "input_example.json", "serving_input_example.json"


@dataclass(frozen=True)
class Contents:
    """What is known of a model beside its folder.

    requirements: a line each, with a version. code: name → content of the user's files. answer: a record of the model.
    """

    requirements: tuple[str, ...]
    code: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, folder: Path, event: Mapping[str, Any]) -> Contents:
        """What a model folder, and its part of the journal's last event, say."""
        given = event.get("code") or {}
        code = {name: given[name] for name in code_names(folder) if isinstance(given.get(name), str)}
        answer = event.get("answer")
        names = [*REQUIREMENTS, *libraries_of(config_of(folder))]
        return cls(tuple(_pinned(name) for name in names), code, answer if _is_record(answer) else None)


def write_around(folder: Path, model: LoggedModel, run_id: str, contents: Contents) -> None:
    """Write all files around a model. folder: empty; it is what MLflow shows as the model's root."""
    (folder / FOLDER).mkdir()
    (folder / PACKAGE).write_bytes(package_zip())
    for name, text in contents.code.items():
        (folder / FOLDER / name).write_text(text, encoding="utf8")
    _write_environment(folder, contents.requirements)
    described = Model(
        artifact_path=model.artifact_location, run_id=run_id, model_uuid=model.model_id, model_id=model.model_id
    )
    described.add_flavor("runner", runner_version=__version__, data=MODEL_FOLDER)
    env = {"conda_env": _CONDA, "python_env": _PYTHON_ENV}
    add_to_model(described, loader_module=LOADER, data=MODEL_FOLDER, code=PACKAGE, **env)
    described.signature = signature_of(contents.answer)
    if contents.answer is not None:
        table = {"columns": ["text"], "data": [[contents.answer["text"]]]}
        _write_json(folder / _EXAMPLE, table)
        _write_json(folder / _REQUEST, {"dataframe_split": table})
        described.saved_input_example_info = {
            "artifact_path": _EXAMPLE,
            "serving_input_path": _REQUEST,
            "type": "dataframe",
            "pandas_orient": "split",
        }
    described.save(str(folder / "MLmodel"))


def _write_environment(folder: Path, requirements: tuple[str, ...]) -> None:
    """The same libraries for pip, virtualenv and conda."""
    (folder / _PIP).write_text("".join(f"{line}\n" for line in requirements), encoding="utf8")
    python = ".".join(str(part) for part in sys.version_info[:3])
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": list(requirements)}],
    }
    for name, environment in ((_PYTHON_ENV, virtualenv), (_CONDA, conda)):
        (folder / name).write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf8")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf8")


def _pinned(name: str) -> str:
    """The requirement of a distribution in the version that is installed."""
    try:
        return f"{name.lower()}=={version(name)}"
    except PackageNotFoundError:
        return name.lower()


def _is_record(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("text"), str)
