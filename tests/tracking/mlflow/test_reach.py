"""Does anybody answer? Real sockets of this machine."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runner.tracking.mlflow.reach import answers, can_ask, deleted_experiment


@contextmanager
def saying(code: int, text: str = "", asked: list[str] | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/mlflow/"
        server.shutdown()


@pytest.mark.parametrize(("code", "expected"), [(200, True), (401, True), (404, True), (502, False), (503, False)])
def test_a_web_server(code: int, expected: bool) -> None:
    with saying(code) as uri:
        assert answers(uri) is expected


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert answers(f"postgresql://someone:secret@127.0.0.1:{port}/runs")
    assert not answers(f"http://127.0.0.1:{port}")
    assert not answers(f"postgresql+psycopg2://someone:secret@127.0.0.1:{port}/runs")


@pytest.mark.parametrize("uri", ["sqlite:////tmp/runs.db", "databricks", "databricks://profile"])
def test_nobody_to_ask(uri: str) -> None:
    assert not can_ask(uri)
    assert answers(uri)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (200, '{"experiment": {"experiment_id": "7", "lifecycle_stage": "deleted"}}', "7"),
        (200, '{"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}', None),
        (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}', None),
        (401, "who are you?", None),
        (200, "[]", None),
        (200, "<html>", None),
    ],
)
def test_a_server_is_asked_for_a_deleted_experiment(code: int, text: str, expected: str | None) -> None:
    asked: list[str] = []
    with saying(code, text, asked) as uri:
        assert deleted_experiment(uri.replace("//", "//me:secret@", 1), "my runs/ü") == expected
    path = "/mlflow/api/2.0/mlflow/experiments/get-by-name?experiment_name=my%20runs%2F%C3%BC"
    assert asked == [f"{path} None"], "no password is sent"


def test_a_sqlite_store_is_asked_for_a_deleted_experiment(tmp_path: Path) -> None:
    path = tmp_path / "my store%20.db"
    uri = f"sqlite:///{path}"
    assert deleted_experiment(uri, "runner") is None
    assert not path.exists(), "asking makes no store"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table experiments (experiment_id integer, name text, lifecycle_stage text)")
        connection.execute("insert into experiments values (1, 'runner', 'deleted'), (2, 'other', 'active')")
        connection.commit()
    assert deleted_experiment(uri, "runner") == "1"
    assert deleted_experiment(uri, "other") is None
    assert deleted_experiment(uri, "new") is None
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("drop table experiments")
    assert deleted_experiment(uri, "runner") is None
