"""Jobs of a sweep that log at once to an MLflow server on PostgreSQL: nothing lost, nothing twice."""

from __future__ import annotations

import importlib.util
import os
import pwd
import tempfile
from pathlib import Path

import pytest

from tests.stress.crowd import differences, sweep
from tests.stress.servers import mlflow_server, postgres, postgres_binaries

pytestmark = [pytest.mark.slow, pytest.mark.mlflow]


def missing() -> str | None:
    if postgres_binaries() is None:
        return "PostgreSQL is not installed (Debian: postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (the extra `postgres`)"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root, and there is no user postgres"
    return None


@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_jobs_at_once_into_postgresql(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)  # the server's user must reach its data
    with postgres(tmp_path) as store, mlflow_server(tmp_path, store) as uri:
        code, printed = sweep(tmp_path, 2, uri)
        assert code == 0, printed
        assert differences(tmp_path, uri) == []
        assert "locked" not in printed
