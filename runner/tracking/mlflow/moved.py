"""A project folder that was moved: which store is meant by an address of before, and where the store's files are now.

Journals hold the absolute address of their store, and a SQLite store the absolute addresses of its artifacts. An address of a
place that is gone is never used: MLflow would make the old folders again. MLflow is not imported here.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

from runner.errors import RunnerError
from runner.tracking.mlflow.store import artifact_root, sqlite_path

# Where MLflow keeps addresses of artifacts.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_WAIT_SECONDS = 30.0  # for a store that other processes keep busy


def is_gone(uri: str) -> bool:
    """Whether the address is of a SQLite file that is not there."""
    path = sqlite_path(uri)
    return path is not None and not path.is_file()


def is_same_store(one: str, other: str) -> bool:
    """Whether two addresses name one store, whoever logs in there."""
    path, place = sqlite_path(one), sqlite_path(other)
    if path is not None and place is not None:
        with suppress(OSError):
            return path == place or os.path.samefile(path, place)
        return False
    return _without_user(one) == _without_user(other)


def store_for(before: str, own: str, folder: Path, how: str) -> str:
    """The store that a run goes on in, which is `own`, that of the command.

    before: the store in the journal. how: the option that names a store. Raises RunnerError where the two stores differ
    and both exist, or neither exists.
    """
    if is_same_store(before, own) or (is_gone(before) and not is_gone(own)):
        return own
    if is_gone(before):
        raise RunnerError(
            f"the run's store {_without_user(before)} is gone, and there is none at {_without_user(own)}",
            place=str(folder),
            hint=f"Give the command where mlflow.db lies, or name the store: {how}=sqlite:////PATH/mlflow.db",
        )
    raise RunnerError(
        f"the run is tracked in {_without_user(before)}, and the command names {_without_user(own)}",
        place=str(folder),
        hint=f"Go on there with {how}={_without_user(before)}; sync --uri sends a run that has ended to another store.",
    )


def refuse_lost_store(uri: str) -> None:
    """Raises ValueError where a SQLite store would be made in a folder that is not there."""
    path = sqlite_path(uri)
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} for the store {path.name}")


def follow_moved_files(uri: str) -> None:
    """Correct a SQLite store's addresses of artifacts where store and artifacts were moved together.

    They were moved together if an experiment's files belong into an `mlartifacts` beside a store that is gone. Raises
    sqlite3.Error where the store cannot be written.
    """
    path, root = sqlite_path(uri), artifact_root(uri)
    if path is None or root is None or not path.is_file() or not path.stat().st_size:
        return
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as store:
        columns = {
            (table, column)
            for table, column in _ADDRESSES
            for (_, name, *_) in store.execute(f"pragma table_info({table})")
            if name == column
        }
        if ("experiments", "artifact_location") not in columns:
            return  # it is being made
        locations = [str(one) for (one,) in store.execute("select artifact_location from experiments") if one]
        roots = {location.rpartition("/")[0] for location in locations}
        for old in roots:
            place = Path(unquote(urlparse(old).path) if old.startswith("file:") else old)
            if (
                not place.is_absolute()
                or place.name != root.name
                or place == root
                or place.exists()
                or (place.parent / path.name).exists()
            ):
                continue
            for table, column in columns:
                store.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",
                    (f"{root.as_uri()}/", len(old) + 2, len(old) + 1, f"{old}/"),
                )
        store.commit()


def _without_user(uri: str) -> str:
    """The address without user, password and query."""
    head, mark, rest = uri.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{head}{mark}{host.rpartition('@')[2]}{slash}{path}"
