"""Kill a training at each of its file operations, give the same command again, and hold the end against an undisturbed run.

    python -m tests.stress.file_kills --operations 210
    python -m tests.stress.file_kills --operations 60 --process mlflow     the process that talks to MLflow is killed instead

A file operation is what a process asks of the system below its folder: opening a file for writing (counted before and after
it), writes by descriptor, flushing, renaming, removing, making a folder. At the n-th of them the process ends itself by
SIGKILL. What must be equal after the second command: models and scores bit for bit, the one run in MLflow with its
metrics and models, and the names of all files.

Trials are forks of one process that has imported everything, so that one takes a second and not ten.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import importlib
import io
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.tracking.mlflow import follower
from tests.commands.test_resume import TINY, history, result

KIND = ("pipeline=tagger", "corpus.limit=12", "training.max_epochs=2", "training.checkpoint_steps=2")
COMMAND = (*TINY, *KIND, "output_dir=out", "resume=auto")
_AUDITED = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Counter:
    """Counts the file operations below `root` in this process, and kills it at the n-th. n: 0 kills never."""

    def __init__(self) -> None:
        self.root, self.n, self.at, self.is_on = "", 0, 0, False

    def start(self, root: Path, at: int) -> None:
        self.root, self.at, self.n, self.is_on = f"{root}{os.sep}", at, 0, True

    def count(self, path: Any) -> None:
        if not self.is_on or not isinstance(path, str | bytes | os.PathLike):
            return
        if os.path.abspath(os.fsdecode(path)).startswith(self.root):
            self.n += 1
            if self.n == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        sys.addaudithook(self._audit)
        for name in ("fsync", "write"):
            setattr(os, name, self._counted(getattr(os, name)))
        builtins.open = io.open = self._opened(io.open)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        is_open = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if is_open or event in _AUDITED:
            self.count(arguments[0])

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(descriptor: int, *rest: Any) -> Any:
            if self.is_on:
                with contextlib.suppress(OSError):
                    self.count(os.readlink(f"/proc/self/fd/{descriptor}"))
            return call(descriptor, *rest)

        return counted

    def _opened(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            stream = call(file, mode, *rest, **more)
            if set(mode) & set("wax+"):
                self.count(file)
            return stream

        return opened


COUNTER = Counter()


class ForkedMlflow:
    """In place of subprocess.Popen: the process that talks to MLflow as a fork, which need not import it again."""

    at = 0  # the file operation at which it is to be killed

    def __init__(self, *_: Any, **more: Any) -> None:
        to_child = os.pipe()
        COUNTER.is_on, was_on = False, COUNTER.is_on
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.dup2(to_child[0], 0)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(more["stderr"].fileno(), 2)
            os.closerange(3, 256)
            os.environ.update(more["env"])
            sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False))
            if ForkedMlflow.at:
                COUNTER.start(Path.cwd(), ForkedMlflow.at)
            try:
                importlib.import_module(f"{follower.MODULE}.__main__").main()
            finally:
                os._exit(0)
        ForkedMlflow.at = 0  # only the first
        COUNTER.is_on = was_on
        os.close(to_child[0])
        self.stdin = os.fdopen(to_child[1], "wb")
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def train(root: Path, at: int = 0, *, who: str = "training") -> tuple[int, int, list[str]]:
    """The command in `root`, killed at that file operation: exit code, operations counted, modules imported."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.close(reader)
            os.setsid()
            os.chdir(root)
            with open(root.with_suffix(".log"), "ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            from runner.__main__ import main

            ForkedMlflow.at = at if who == "mlflow" else 0
            COUNTER.start(root, at if who == "training" else 0)
            code = main(COMMAND)
            COUNTER.is_on = False
            os.write(writer, f"{COUNTER.n} {' '.join(sys.modules)}".encode())
            follower._close_at_exit()
            sys.stdout.flush()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read().decode().split() or ["0"]
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), int(told[0]), told[1:]


def state(root: Path) -> dict[str, Any]:
    """All that a disturbed run must share with an undisturbed one, by name."""
    status, keys, rows = history(root / "mlflow.db")
    with contextlib.closing(sqlite3.connect(f"file:{root / 'mlflow.db'}?mode=ro", uri=True)) as connection:
        models = connection.execute("select name, status from logged_models order by name").fetchall()
        tags = [key for (key,) in connection.execute("select key from tags order by key").fetchall()]
    names = sorted(re.sub(r"(m-)?[0-9a-f]{32}", "ID", str(path.relative_to(root))) for path in root.rglob("*"))
    return {
        "result": result(root / "out"), "status": status, "metric keys": keys, "metrics": rows, "models": models,
        "tags": tags, "files": names,
    }  # fmt: skip


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs, shortly."""
    told = []
    for name in one:
        if one[name] != other[name]:
            try:
                more = sorted(set(other[name]) - set(one[name]))[:4], sorted(set(one[name]) - set(other[name]))[:4]
            except TypeError:
                more = ("…", "…")
            told.append(f"{name}: more {more[0]}, missing {more[1]}")
    return told


def settled(root: Path, wanted: dict[str, Any]) -> list[str]:
    """What differs, once nothing changes any more: a process of the killed run may still be talking to MLflow."""
    give_up = time.monotonic() + 10.0
    while True:
        try:
            told = differences(wanted, state(root))
        except (AssertionError, OSError, sqlite3.Error) as error:
            told = [f"{type(error).__name__}: {error}"]
        if not told or time.monotonic() > give_up:
            return told
        time.sleep(0.25)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=210, help="the last operation at which it is killed")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--process", choices=("training", "mlflow"), default="training")
    arguments = parser.parse_args()
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)
    follower.subprocess = types.SimpleNamespace(  # type: ignore[attr-defined]
        Popen=ForkedMlflow, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL
    )
    COUNTER.install()
    n_same = 0
    wrong: list[int] = []
    with tempfile.TemporaryDirectory(prefix="file-kills-") as name:
        base = Path(name).resolve()
        (base / "empty").mkdir()
        make_store(base / "empty")
        shutil.copytree(base / "empty", base / "whole")
        code, n_operations, modules = train(base / "whole")
        assert code == 0, (base / "whole.log").read_text()
        for module in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        wanted = state(base / "whole")
        print(f"an undisturbed run: {n_operations} file operations of its own below its folder", flush=True)
        for at in range(arguments.first, arguments.operations + 1, arguments.every):
            root = base / f"at{at}"
            shutil.copytree(base / "empty", root)
            code, _, _ = train(root, at, who=arguments.process)
            if arguments.process == "training" and code != -signal.SIGKILL:
                print(f"{at}: it had ended before")
                break
            again, _, _ = train(root)
            told = settled(root, wanted)
            if again == 0 and not told:
                n_same += 1
                shutil.rmtree(root)
                continue
            wrong.append(at)
            kept = Path(tempfile.mkdtemp(prefix=f"file-kill-{at}-"))
            shutil.move(root, kept / "root")
            shutil.move(root.with_suffix(".log"), kept / "log")
            print(f"{at}: exit code {again}; {'; '.join(told)}: {kept}", flush=True)
    print(f"{n_same} of {n_same + len(wrong)} ended as the undisturbed run", f"; not: {wrong}" if wrong else "")
    return int(bool(wrong))


def make_store(folder: Path) -> None:
    """An empty MLflow store in mlflow.db, which a trial begins with: to make one takes seconds."""
    from runner.tracking.mlflow.store import ENVIRONMENT

    os.environ.update(ENVIRONMENT)
    pid = os.fork()
    if pid == 0:
        try:
            client = importlib.import_module("mlflow").MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
            client.search_experiments()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    importlib.import_module(f"{follower.MODULE}.__main__")  # and with it MLflow, for all forks


if __name__ == "__main__":
    sys.exit(main())
