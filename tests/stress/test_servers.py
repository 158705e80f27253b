"""Servers end with the process that started them, however that process ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.stress.servers import start, stop

STARTER = """
import signal, subprocess, sys
from tests.stress.servers import start
server = start([sys.executable, "-c", {code!r}], stdout=1)
signal.pause()
"""
CHILD = "import signal; print('up', flush=True); signal.pause()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"  # a server with a worker


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_killed_process_leaves_no_server(number: signal.Signals) -> None:
    code = STARTER.format(code=PARENT)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "up\n"
        starter.send_signal(number)
        assert starter.stdout.read() == ""  # its end comes when the last process that holds the pipe has gone


def test_a_server_that_ends_by_itself_is_seen() -> None:
    server = start([sys.executable, "-c", "raise SystemExit(3)"])
    server.wait(timeout=30)
    stop(server)


def test_a_stopped_server_has_gone() -> None:
    server = start([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"up\n"
    stop(server)
    assert server.stdout.read() == b""
    server.stdout.close()
