"""The MLflow store: make its address absolute and check it; `fetch` a logged model's files from it.

Importing this costs nothing: MLflow is imported when `fetch` is called. Running a server is left to `mlflow ui`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from runner.errors import RunnerError
from runner.files import open_file
from runner.secrets import learn, masked

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASES = ("postgresql", "mysql", "mssql")
SERVERS = ("http", "https", "databricks", "databricks-uc", "uc")
DEFAULT_MODEL = "model-best"  # of a run whose model is not named
MODEL_FOLDER = "model"  # of a logged model, with our files as they were
SQLITE_HEAD = b"SQLite format 3\x00"

# Of a process that imports MLflow: it says nothing on the console, sends nothing home, and does not wait four minutes for a
# server that is not there.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Variables that name a run, an experiment or a store, with which what we send must not be mixed.
_FOREIGN = (
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
)


def sending_environment() -> dict[str, str]:
    """The environment of whoever sends a journal: this process's own, without what it says of other runs and stores."""
    own = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    return {**ENVIRONMENT, **own, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}  # the sender tries again by itself


def store_uri(uri: str | None, *, cwd: Path | None = None) -> str:
    """The absolute address of the store.

    uri: tracking.uri; None stands for MLFLOW_TRACKING_URI, else for mlflow.db in the current folder.

    Raises RunnerError where the address is malformed or cannot be written to.

    >>> store_uri("sqlite:///runs.db", cwd=Path("/tmp"))
    'sqlite:////tmp/runs.db'
    """
    place = "tracking.uri"
    if uri is None and os.environ.get("MLFLOW_TRACKING_URI"):
        uri, place = os.environ["MLFLOW_TRACKING_URI"], "MLFLOW_TRACKING_URI"
    uri = uri or "sqlite:///mlflow.db"
    learn(uri)
    scheme = urlparse(uri).scheme.lower().split("+")[0]
    if uri == "databricks":
        return uri
    if scheme in ("", "file"):
        raise RunnerError(
            f"MLflow no longer keeps runs in plain folders ({uri})",
            place=place,
            hint="Name a database or a server: sqlite:///mlflow.db, postgresql://…, http://127.0.0.1:5000",
        )
    if scheme != "sqlite" and scheme not in (*DATABASES, *SERVERS):
        raise RunnerError(
            f"unknown kind of store {scheme!r}",
            place=place,
            hint=f"Known: sqlite, {', '.join((*DATABASES, *SERVERS))}.",
        )
    if scheme in SERVERS and scheme.startswith("http") and not urlparse(uri).hostname:
        raise RunnerError(f"{uri!r} names no host", place=place, hint="For example http://127.0.0.1:5000")
    if scheme != "sqlite":
        return uri
    return _sqlite_uri(uri, place, cwd or Path.cwd())


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other."""
    head, _, rest = uri.partition(":///")
    return Path(rest.partition("?")[0]) if head.lower().split("+")[0] == "sqlite" else None


def artifact_root(uri: str) -> Path | None:
    """Where runs of a database store keep their files; None for a server, which has a place of its own."""
    path = sqlite_path(uri)
    if path is not None:
        return path.parent / "mlartifacts"
    return Path.cwd() / "mlartifacts" if urlparse(uri).scheme.split("+")[0] in DATABASES else None


def client_of(tracking_uri: str | None = None) -> tuple[MlflowClient, str]:
    """An MLflow client of a store that exists, and the store's address. Raises RunnerError where there is none."""
    store = store_uri(tracking_uri)
    path = sqlite_path(store)
    if path is not None and not path.is_file():
        raise RunnerError(
            f"there is no MLflow store at {path}", hint="Run this where mlflow.db lies, or set MLFLOW_TRACKING_URI."
        )
    os.environ.update({key: value for key, value in ENVIRONMENT.items() if key not in os.environ})
    import mlflow

    return mlflow.MlflowClient(tracking_uri=store, registry_uri=store), store


@dataclass(frozen=True)
class LoggedFiles:
    """Where the files of a logged model lie, and the run that it comes from.

    folder: as runner.load reads it. run_id: None if the store does not say. store: the address asked.
    """

    folder: Path
    run_id: str | None
    model_id: str | None
    store: str


def fetch(uri: str, tracking_uri: str | None = None) -> Path:
    """The local folder with the files of a logged model; see `fetch_logged`."""
    return fetch_logged(uri, tracking_uri).folder


def fetch_logged(uri: str, tracking_uri: str | None = None) -> LoggedFiles:
    """The files of a logged model, on this machine.

    uri: "runs:/RUN_ID" (its model-best) or "runs:/RUN_ID/NAME", "models:/MODEL_ID", "models:/NAME/VERSION",
    "models:/NAME/latest" or "models:/NAME@ALIAS". tracking_uri: as in `store_uri`. Files that lie on this machine are used
    in place, others are downloaded into a temporary folder.

    Raises RunnerError where there is no such run or model, or no store.
    """
    try:
        client, store = client_of(tracking_uri)
    except RunnerError as error:
        raise error.at(uri) from None
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        location, run_id, model_id = _found(client, uri)
        folder = _local(location)
        if folder is None:
            target = tempfile.mkdtemp(prefix="runner-model-")
            folder = Path(mlflow.artifacts.download_artifacts(location, dst_path=target, tracking_uri=store))
    except (MlflowException, OSError, LookupError) as error:
        raise RunnerError(
            first_line(error),
            place=uri,
            hint=f"The store asked was {store}; MLFLOW_TRACKING_URI names another.",
        ) from error
    inner = folder / MODEL_FOLDER
    if not inner.is_dir():
        raise RunnerError(
            "this model was not logged by runner", place=uri, hint="Load it with mlflow.pyfunc.load_model."
        )
    return LoggedFiles(inner, run_id, model_id, store)


def _sqlite_uri(uri: str, place: str, cwd: Path) -> str:
    head, _, rest = uri.partition(":///")
    name, mark, query = rest.partition("?")
    if not name or name == ":memory:":
        raise RunnerError(f"{uri!r} names no file", place=place, hint="For example sqlite:///mlflow.db")
    path = Path(os.path.abspath(cwd / name))
    if path.is_dir() or not path.parent.is_dir():
        fact = f"{path} is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise RunnerError(fact, place=place, hint="Name a file in a folder that exists: sqlite:///mlflow.db")
    if path.exists() and not path.is_file():
        raise RunnerError(f"{path} is a pipe, socket or device, and no file", place=place, hint="Name another file.")
    writable = os.access(path, os.W_OK) if path.exists() else os.access(path.parent, os.W_OK)
    if not writable or not os.access(path.parent, os.W_OK):  # SQLite writes its journal beside the file
        raise RunnerError(
            f"no permission to write {path}",
            place=place,
            hint="Choose another file: tracking.uri=sqlite:///PATH/mlflow.db",
        )
    if path.exists() and path.stat().st_size:
        with open_file(path) as file:
            if file.read(len(SQLITE_HEAD)) != SQLITE_HEAD:
                raise RunnerError(f"{path} is not a SQLite database", place=place, hint="Name another file.")
    return f"{head}:///{path}{mark}{query}"


def _found(client: MlflowClient, uri: str) -> tuple[str, str | None, str | None]:
    """(address of the folder, id of the run, id of the model). Raises LookupError and what MLflow raises."""
    scheme, _, rest = uri.partition(":/")
    if scheme == "models":
        return _registered(client, rest.strip("/"))
    run_id, _, name = rest.strip("/").partition("/")
    name = name or DEFAULT_MODEL
    if scheme != "runs" or not run_id:
        raise LookupError("the address should look like runs:/RUN_ID/model-best or models:/NAME/VERSION")
    run = client.get_run(run_id)
    names = []
    for output in run.outputs.model_outputs if run.outputs is not None else []:
        model = client.get_logged_model(output.model_id)
        if model.name == name:
            return str(model.artifact_location), run_id, str(model.model_id)
        names.append(model.name)
    raise LookupError(f"run {run_id} has no model {name!r} (it has: {', '.join(sorted(names)) or 'none'})")


def _registered(client: MlflowClient, reference: str) -> tuple[str, str | None, str | None]:
    """As `_found`. reference: MODEL_ID, NAME/VERSION, NAME/latest or NAME@ALIAS."""
    name, at, alias = reference.partition("@")
    if not at:
        name, slash, number = reference.partition("/")
        if not slash:
            model = client.get_logged_model(name)
            return str(model.artifact_location), model.source_run_id, name
        if number == "latest":
            client.get_registered_model(name)  # raises for a name that is not there
            versions = client.search_model_versions(f"name = '{name}'")
            if not versions:
                raise LookupError(f"the registered model {name!r} has no version")
            number = str(max(int(version.version) for version in versions))
        version = client.get_model_version(name, number)
    else:
        version = client.get_model_version_by_alias(name, alias)
    location = str(client.get_model_version_download_uri(name, version.version))
    return location, version.run_id or None, getattr(version, "model_id", None) or None


def _local(location: str) -> Path | None:
    """The folder, where the address is one of this machine."""
    parsed = urlparse(location)
    if parsed.scheme not in ("", "file"):
        return None
    path = Path(unquote(parsed.path)) if parsed.scheme else Path(location)
    return path if path.is_dir() else None


def first_line(error: BaseException) -> str:
    text = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
    return (masked(text).strip().splitlines() or [type(error).__name__])[0][:300]
