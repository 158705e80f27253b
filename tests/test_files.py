"""Locks: held by one process, freed when it ends however it ends; a file system without locks stops nothing."""

from __future__ import annotations

import errno
import subprocess
import sys
import time

import pytest

from runner import files
from runner.files import open_locked
from runner.tracking.journal import JournalLock
from runner.tracking.mlflow.entities import creation_lock

HOLDER = """\
import pathlib, sys, time
from runner.files import open_locked
held = open_locked(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_the_process_that_is_killed(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert open_locked(path) is None
        holder.kill()
        holder.wait()
    assert open_locked(path) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not how Windows locks")
def test_a_file_system_without_locks_stops_nothing(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(files.fcntl, "flock", flock)
    path = tmp_path / "journal.jsonl"
    assert open_locked(path) is not None
    assert open_locked(path, is_certain=True) is None  # to remove what may be in use, the lock must be sure
    assert JournalLock(path).is_taken(wait=True)
    began, told = time.monotonic(), []
    with creation_lock(f"sqlite:///{tmp_path}/mlflow.db", told.append):
        assert time.monotonic() - began < 1.0
    assert told == []


def test_the_files_below_a_folder_in_order_without_what_is_left_out(tmp_path):
    for name in ("b.py", "a/c.py", "a/__pycache__/c.pyc", "a-b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", "utf8")
    assert [name for name, _ in files.files_below(tmp_path)] == ["a/c.py", "a-b.py", "b.py"]
    assert [name for name, _ in files.files_below(tmp_path, ("a",))] == ["a-b.py", "b.py"]
