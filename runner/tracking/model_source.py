"""Find the model that a command line names, and what is known of the run that trained it.

    outputs/…/model-best          a model folder
    outputs/…                     the folder of a run: its model-best
    runs:/RUN_ID, RUN_ID          a run of MLflow: its model-best; runs:/RUN_ID/model-last
    models:/NAME/VERSION          a registered model; also models:/NAME/latest, models:/NAME@ALIAS and models:/MODEL_ID
    my-model                      an installed model package

A package of a model declares an entry point in the group `runner.models`: its name, and the import package whose folder
`model` holds the files. The package is found by its metadata; none of its code runs.

    [project.entry-points."runner.models"]
    my-model = "my_model"

Nothing here loads a model, and MLflow is imported only for a name that lies there.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runner import bounded_yaml
from runner.components.storage import META, WEIGHTS
from runner.errors import RunnerError, suggest
from runner.files import read_file
from runner.synonyms import is_model_of_spacy
from runner.tracking.mlflow.store import MODEL_FOLDER, fetch_logged
from runner.tracking.past_run import BEST, CONFIG, LAST, SUMMARY, PastRun, from_folder

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline

PACKAGES = "runner.models"  # group of entry points
_ADDRESSES = ("runs:/", "models:/")
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_FOREIGN = {  # file in the folder → whose model it is
    "config.cfg": "a model of spaCy",
    "model.safetensors": "a model of transformers",
    "pytorch_model.bin": "a model of transformers",
    "saved_model.pb": "a model of TensorFlow",
}


@dataclass(frozen=True)
class ModelSource:
    """A model, and the run that it comes from as far as that is known.

    reference: as the user named it. folder: as runner.load reads it. run_folder: of the run, if the model lies in it.
    run_id: of the run in MLflow. model_id: of the logged model. store: the address of the MLflow store that was asked.
    """

    reference: str
    folder: Path
    run_folder: Path | None = None
    run_id: str | None = None
    model_id: str | None = None
    store: str | None = None

    @property
    def name(self) -> str:
        """The model as messages name it."""
        return str(self.folder) if self.run_folder is not None else self.reference

    def load(self, code: Sequence[str | Path] = (), ops: str = "numpy") -> Pipeline:
        """The pipeline. code, ops: see runner.load. Raises RunnerError if the folder is damaged, or needs code."""
        from runner.components.pipeline import load

        return load(self.folder, code, ops)

    def config(self) -> Mapping[str, Any] | None:
        """The run's config as it was saved (config.yaml); None if it is not known. Raises RunnerError if it is damaged."""
        if self.run_folder is not None:
            try:
                return _config(read_file(self.run_folder / CONFIG), self.run_folder / CONFIG)
            except OSError:
                return None
        run = self.run()
        return run.config if run is not None else None

    def run(self) -> PastRun | None:
        """All that is known of the run: scores, data sets, MLflow's id. None without a run, or before it has ended.

        Raises RunnerError if the run's files are damaged, or MLflow cannot be asked.
        """
        if self.run_folder is not None:
            return from_folder(self.run_folder) if (self.run_folder / SUMMARY).is_file() else None
        if self.run_id is None:
            return None
        from runner.tracking.mlflow.runs import Store

        with Store(self.store) as store:
            return store.read(self.run_id)


def find_model(reference: str | Path, tracking_uri: str | None = None) -> ModelSource:
    """Find a model by any name of the list above.

    tracking_uri: of the MLflow store; None: MLFLOW_TRACKING_URI, else mlflow.db in the current folder. A folder comes first.
    Raises RunnerError if there is no such model, or if the folder holds something else.
    """
    name = str(reference)
    if name.startswith(_ADDRESSES):
        return _from_mlflow(name, name, tracking_uri)
    path = Path(name)
    try:
        if path.is_dir():
            return _in_folder(name, path)
        if path.exists():
            hint = "Give the folder: it holds meta.json, config.json, weights.msgpack and lexemes.msgpack."
            raise RunnerError("this is a file, and a model is a folder", place=name, hint=hint)
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise RunnerError(f"cannot read: {error.strerror}", place=name[:80], hint="Check the path.") from None
    if _RUN_ID.fullmatch(name):
        return _from_mlflow(name, f"runs:/{name}", tracking_uri)
    packages = installed_models()
    folder = packages.get(_normal(name))
    if folder is not None:
        return ModelSource(name, folder)
    if is_model_of_spacy(name):
        hint = "Leave it out to start from new weights; spaCy itself runs that model."
        raise RunnerError("spaCy's models are not read here", place=name, hint=hint)
    raise RunnerError("there is no such model", place=name, hint=_nearest(path, packages))


def _from_mlflow(reference: str, uri: str, tracking_uri: str | None) -> ModelSource:
    files = fetch_logged(uri, tracking_uri)
    return ModelSource(reference, files.folder, None, files.run_id, files.model_id, files.store)


def _in_folder(reference: str, path: Path) -> ModelSource:
    """The model in a folder that exists: a model folder, a run's folder, or what MLflow has kept of a logged model."""
    if (path / META).is_file() or (path / WEIGHTS).is_file():
        files = {file.name for file in path.iterdir()}
        whose = next((whose for file, whose in _FOREIGN.items() if file in files), None)
        if whose is None:
            whole = Path(os.path.abspath(path))  # of "." too; a link stays a link
            is_of_run = whole.name in (BEST, LAST) and (whole.parent / CONFIG).is_file()
            return ModelSource(reference, path, (path if path.name else whole).parent if is_of_run else None)
    else:
        if (path / BEST / META).is_file():
            return ModelSource(reference, path / BEST, path)
        if (path / MODEL_FOLDER / META).is_file() and (path / "MLmodel").is_file():
            return ModelSource(reference, path / MODEL_FOLDER, run_id=None)
        whose = next((whose for file, whose in _FOREIGN.items() if (path / file).is_file()), None)
    if whose is not None:
        raise RunnerError(
            f"this is {whose}, not of runner", place=reference, hint="Give a model that runner has trained."
        )
    jobs = sorted(job.parent for job in path.glob(f"*/{BEST}"))
    if jobs:
        names = ", ".join(job.name for job in jobs[:8]) + (", …" if len(jobs) > 8 else "")
        raise RunnerError(f"the folder holds several runs: {names}", place=reference, hint=f"Name one: {jobs[0]}")
    if (path / CONFIG).is_file():
        hint = f"A run writes {BEST} after its first evaluation."
        raise RunnerError("the run has no model yet", place=reference, hint=hint)
    hint = f"Give a folder such as {BEST}, or the output folder of a run."
    raise RunnerError("there is no model in this folder", place=reference, hint=hint)


def installed_models() -> dict[str, Path]:
    """Normal name → model folder of each installed model package."""
    found: dict[str, Path] = {}
    for entry in importlib.metadata.entry_points(group=PACKAGES):
        if entry.dist is not None:
            folder = Path(str(entry.dist.locate_file(entry.value.partition(":")[0].replace(".", "/")))) / MODEL_FOLDER
            found[_normal(entry.name)] = folder
            found.setdefault(_normal(entry.value), folder)
    return found


def _normal(name: str) -> str:
    """A package's name as indexes compare it: `my_model` and `My-Model` are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _nearest(path: Path, packages: Mapping[str, Path]) -> str:
    """A hint that names the entry of the folder, or the installed model, nearest to `path`."""
    folder = path.parent
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    near = suggest(path.name, names)
    if near.startswith("did you mean"):
        return near.partition(" (")[0]
    installed = ", ".join(sorted(packages)) or "none"
    return f"Give a folder, RUN_ID, models:/NAME/VERSION, or an installed model (here: {installed})."


def _config(content: bytes, place: Path) -> Mapping[str, Any]:
    try:
        config = bounded_yaml.read(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RunnerError("the file is damaged", place=str(place), hint="Name the data: MODEL DATA") from None
    if not isinstance(config, dict):
        raise RunnerError(
            "the file is damaged: it holds no mapping", place=str(place), hint="Name the data: MODEL DATA"
        )
    return config
