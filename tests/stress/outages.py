"""SIGKILL an MLflow server at random moments of trainings, start it again, and hold the end against undisturbed runs.

    python -m tests.stress.outages --restarts 20 --seed 0

Each trial is one training on a real `mlflow server` (loopback, SQLite, artifacts through the server) that is killed once
while the run begins, trains or ends, and comes back a little later, or only after the training has ended. In every second
trial the server may be away already when the run begins (tracking.if_unreachable=offline). Then `python -m runner sync`.
Compared are bits, every metric of every step, status, parameters, tags, data sets, models and files.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.tracking.mlflow.status import read_status
from tests.commands.test_resume import KINDS, command, history, result, summary
from tests.stress.servers import start, stop

MORE = ("training.max_epochs=10", "training.checkpoint_steps=null")


class Server:
    """`mlflow server` with its files in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.uri = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "server.log").open("a") as log:
            self._process = start(
                [
                    sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port),
                    "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                    "--artifacts-destination", str(self.folder / "artifacts"),
                ],
                cwd=self.folder, stdout=log, stderr=log,
                # Its job runners would be left over by a SIGKILL, seven a restart.
                env={
                    **os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
            )  # fmt: skip
        for _ in range(1200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return
            time.sleep(0.05)
        raise AssertionError(f"the server does not come up: {self.folder}/server.log")

    def kill(self) -> None:
        """It and its workers, at once."""
        if self._process is not None:
            stop(self._process, signal.SIGKILL)
            self._process = None


@contextmanager
def training(folder: Path, kind: str, server: Server, *overrides: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command(*KINDS[kind], *MORE, "output_dir=out", f"tracking.uri={server.uri}", *overrides),
            cwd=folder, stdout=log, stderr=log, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def sync(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "sync", "out"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def held(folder: Path) -> Any:
    """Bits, history, and all else that MLflow holds of the run, but for what is each run's own."""
    store = folder / "server" / "mlflow.db"
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:

        def rows(query: str) -> list[Any]:
            return sorted(connection.execute(query).fetchall(), key=str)

        ids = {run_id: "RUN" for (run_id,) in rows("select run_uuid from runs")}
        ids.update(rows("select model_id, name from logged_models"))
        about = {
            "runs": rows("select name, lifecycle_stage from runs"),
            "params": rows("select key, value from params where key not like 'tracking.%'"),
            "tags": rows("select key from tags"),
            "datasets": rows("select name, digest from datasets"),
            "inputs": rows("select source_type, destination_type, step from inputs"),
            "models": rows("select name, status from logged_models"),
            "model metrics": rows("select metric_name, metric_step from logged_model_metrics"),
        }
    assert summary(folder / "out")["run_id"] in ids, "summary.json names another run"
    about["files"] = sorted(files(folder / "server" / "artifacts", ids))
    return result(folder / "out"), history(store), about


def files(root: Path, ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every file with its place, ids replaced; its digest where it is a model's.

    What the server itself had begun to write when it was killed lies there for good, under a name that none asks for.
    """
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith(".artifact.uploading."):
            place = "/".join(ids.get(part, part) for part in path.relative_to(root).parts)
            is_weights = path.name in ("weights.msgpack", "lexemes.msgpack")
            yield place, hashlib.sha256(path.read_bytes()).hexdigest() if is_weights else ""


def difference(one: Any, other: Any) -> str:
    """What differs, shortly."""
    (bits, (status, keys, rows), about), (bits2, (status2, keys2, rows2), about2) = one, other
    what = [name for name in about if about[name] != about2[name]]
    return (
        f"bits {bits == bits2}, {status} {status2}, keys {sorted(set(keys) ^ set(keys2))[:8]}, "
        f"values {sorted(set(rows) ^ set(rows2))[:8]}, "
        f"{[(name, sorted(set(about[name]) ^ set(about2[name]))[:6]) for name in what]}"
    )


def new_server(folder: Path, port: int) -> Server:
    """In a new folder, with a copy of the empty store beside it: to make one takes seconds."""
    server = Server(folder / "server", port)
    empty = folder.parent / "empty"
    if not empty.exists():
        first = Server(empty, port)
        first.start()
        first.kill()
    server.folder.mkdir(parents=True)
    with (
        contextlib.closing(sqlite3.connect(empty / "mlflow.db")) as source,
        contextlib.closing(sqlite3.connect(server.folder / "mlflow.db")) as target,
    ):
        source.backup(target)
    server.start()
    return server


def undisturbed(folder: Path, kind: str, port: int) -> tuple[Any, float]:
    """What there is in the end, and the seconds it took."""
    server = new_server(folder, port)
    began = time.monotonic()
    with training(folder, kind, server) as process:
        code = process.wait(300)
    seconds = time.monotonic() - began
    server.kill()
    assert code == 0, (folder / "log").read_text()
    return held(folder), seconds


def disturbed(folder: Path, kind: str, port: int, seconds: float, moments: random.Random) -> dict[str, Any]:
    """One training with one outage; what was seen on the way."""
    server = new_server(folder, port)
    may_begin_alone = moments.random() < 0.5
    moment = moments.uniform(0.0, seconds if may_begin_alone else seconds - 2.0)
    pause = moments.uniform(0.0, 3.0) if moments.random() < 0.5 else None
    about: dict[str, Any] = {"moment": moment, "pause": pause, "offline": may_begin_alone}
    try:
        overrides = ["tracking.if_unreachable=offline"] if may_begin_alone else []
        began = time.monotonic()
        with training(folder, kind, server, *overrides) as process:
            if not may_begin_alone:  # from the moment on at which the server has been found to answer
                while not (folder / "out" / "journal.jsonl").exists():
                    time.sleep(0.01)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            about["was_training"] = process.poll() is None
            server.kill()
            killed = time.monotonic()
            with ThreadPoolExecutor(1) as waiting:
                ended = waiting.submit(lambda: (process.wait(300), time.monotonic()))
                if pause is not None:
                    time.sleep(pause)
                    server.start()
                about["code"], end = ended.result()
        about["seconds"], about["after_kill"] = end - began, end - killed
        if pause is None:
            server.start()
        status = read_status(folder / "out" / "journal.jsonl")
        about["needed_sync"] = status is None or status.status is None
        code, words = sync(folder)
        for _ in range(30):  # while the process that the training has left behind still tries
            if "left alone" not in words:
                break
            time.sleep(1.0)
            code, words = sync(folder)
        about["sync"] = (code, words.strip().splitlines()[-1])
        again = sync(folder)
        about["again"] = (again[0], again[1].strip().splitlines()[-1])
    finally:
        server.kill()
    return about


def told(about: dict[str, Any]) -> str:
    """A trial in one line."""
    back = "after the end" if about["pause"] is None else f"{about['pause']:.1f} s later"
    return (
        f"killed at {about['moment']:.1f} s, back {back}; {about['seconds']:.1f} s in all, {about['after_kill']:.1f} s "
        f"after the kill; {'needed sync' if about['needed_sync'] else 'whole without sync'}"
    )


def free_port() -> int:
    """Below those that the system gives to outgoing connections, so that none takes it while the server is away."""
    ports = random.SystemRandom()
    while True:
        port = ports.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    port = free_port()
    seen: list[dict[str, Any]] = []
    n_other = n_early = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        whole = {kind: undisturbed(root / kind, kind, port) for kind in arguments.kinds}
        trial = 0
        while len(seen) < arguments.restarts:
            kind = arguments.kinds[trial % len(arguments.kinds)]
            folder = root / f"trial{trial}"
            trial += 1
            expected, seconds = whole[kind]
            about = disturbed(folder, kind, port, seconds, moments)
            if not about["was_training"]:
                n_early += 1  # it had ended: no outage
                shutil.rmtree(folder)
                continue
            try:
                found = held(folder)
                problem = "" if found == expected else difference(found, expected)
            except (AssertionError, OSError, KeyError) as error:
                problem = f"{type(error).__name__}: {error}"
            if (
                about["code"] != 0
                or about["sync"][0] != 0
                or about["again"] != (0, "0 sent, 0 not sent, 0 left alone, 1 already there")
            ):
                problem += f" exit codes and syncs: {about}"
            seen.append(about)
            if problem:
                n_other += 1
                kept = Path(tempfile.mkdtemp(prefix=f"outage-{kind}-"))
                shutil.move(folder, kept / "run")
                print(f"trial {trial} ({kind}) ended otherwise: {problem}; {about}; kept in {kept}", flush=True)
            else:
                shutil.rmtree(folder)
            print(f"{len(seen) - n_other} of {len(seen)} the same ({kind}; {told(about)})", flush=True)
    print(
        f"{len(seen) - n_other} of {len(seen)} runs whose server was killed ended as the undisturbed one; "
        f"{sum(about['needed_sync'] for about in seen)} of them after sync; "
        f"{sum(about['pause'] is None for about in seen)} had the server back only after their end; "
        f"longest time from kill to the training's end {max(about['after_kill'] for about in seen):.1f} s; "
        f"{n_early} had ended before"
    )
    return int(n_other > 0)


if __name__ == "__main__":
    sys.exit(main())
