"""Does anybody answer? Real sockets of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runner.tracking.reach import answers, can_ask


@contextmanager
def saying(code: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()

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
