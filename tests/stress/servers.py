"""Servers on loopback for tests and drivers, each of which ends with the process that started it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

WAIT = 240.0  # seconds for a server to come up

# A shell around the server reads a pipe whose other end this process alone holds. At its end, which comes even where this
# process dies of SIGKILL, the shell sends SIGTERM to the server and all that the server has started.
WATCHED = 'trap : TERM; exec 3<&0; { cat <&3 > /dev/null; kill 0; } & "$@" 3<&- < /dev/null & wait $!; kill 0; wait $!'


def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own; it ends when this process ends. options: those of Popen."""
    words = ["sh", "-c", WATCHED, "sh", *map(str, command)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, **options)


def stop(server: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal to the server's group, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)
    server.wait()
    if server.stdin is not None:
        server.stdin.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> Path | None:
    """The folder of PostgreSQL's programs, of which only a few are on Debian's path; None where it is not installed."""
    initdb = shutil.which("initdb")
    folders = [Path(initdb).resolve().parent] if initdb else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server of its own on loopback, with its data below `folder`; its URI. It does not run as root."""
    binaries = postgres_binaries()
    assert binaries is not None
    user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    data = folder / "postgres"
    data.mkdir()
    if user:
        folder.chmod(0o755)
        account = pwd.getpwnam("postgres")
        os.chown(data, account.pw_uid, account.pw_gid)
    subprocess.run(
        [binaries / "initdb", "-D", data / "db", "-U", "runner", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd=data, **user,
    )  # fmt: skip
    port = free_port()
    with (folder / "postgres.log").open("w") as log:
        server = start(
            [binaries / "postgres", "-D", data / "db", "-p", str(port), "-h", "127.0.0.1", "-k", data, "-F"],
            stdout=log, stderr=log, cwd=data, **user,
        )  # fmt: skip
    try:
        give_up = time.monotonic() + WAIT
        ready = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None, (folder / "postgres.log").read_text()
            assert time.monotonic() < give_up, "PostgreSQL does not start"
            time.sleep(0.1)
        yield f"postgresql+psycopg://runner@127.0.0.1:{port}/postgres"
    finally:
        stop(server)


@contextlib.contextmanager
def mlflow_server(folder: Path, store: str) -> Iterator[str]:
    """An MLflow server on loopback over that store, with its artifacts below `folder`; its URI."""
    port = free_port()
    with (folder / "server.log").open("w") as log:
        server = start(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--host", "127.0.0.1",
             "--port", str(port), "--artifacts-destination", str(folder / "artifacts"), "--workers", "2"],
            stdout=log, stderr=log, cwd=folder,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )  # fmt: skip
    uri = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + WAIT
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=1):
                break
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < give_up, "the MLflow server does not start"
            time.sleep(0.2)
        yield uri
    finally:
        stop(server)
