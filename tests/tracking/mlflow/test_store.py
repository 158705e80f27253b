"""Addresses of stores: made absolute, or refused at once with the next move."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import RunnerError
from runner.tracking.mlflow.store import artifact_root, fetch, sqlite_path, store_uri

pytestmark = [pytest.mark.mlflow, pytest.mark.usefixtures("clean_environment")]


def test_default_lies_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = store_uri(None)
    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert sqlite_path(uri) == tmp_path / "mlflow.db"
    assert artifact_root(uri) == tmp_path / "mlartifacts"


def test_environment_is_respected_unless_a_key_says_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert store_uri(None) == "http://127.0.0.1:5000"
    assert store_uri("sqlite:///own.db", cwd=tmp_path) == f"sqlite:///{tmp_path}/own.db"
    assert artifact_root("http://127.0.0.1:5000") is None


@pytest.mark.parametrize(
    ("uri", "fact"),
    [
        ("mlruns", "plain folders"),
        ("file:///tmp/mlruns", "plain folders"),
        ("ftp://host/x", "unknown kind of store 'ftp'"),
        ("http://", "names no host"),
        ("sqlite://", "names no file"),
        ("sqlite:///nowhere/runs.db", "there is no folder"),
        ("sqlite:///folder", "is a folder"),
        ("sqlite:///notes.txt", "is not a SQLite database"),
    ],
)
def test_refused(tmp_path: Path, uri: str, fact: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("buy milk and a little bread")
    with pytest.raises(RunnerError, match=fact) as caught:
        store_uri(uri, cwd=tmp_path)
    assert caught.value.place == "tracking.uri"
    assert len(str(caught.value).splitlines()) <= 2


def test_the_place_of_an_error_is_where_it_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://x")
    with pytest.raises(RunnerError) as caught:
        store_uri(None)
    assert caught.value.place == "MLFLOW_TRACKING_URI"


def test_fetch_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunnerError, match="there is no MLflow store"):
        fetch("runs:/0123/model-best")
    assert list(tmp_path.iterdir()) == []
