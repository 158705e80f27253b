"""Checkpoints on disk, written beside the training: the last two of a run; and the lock of the process that trains.

    checkpoint/step-000000812.ckpt     a file of checkpoint.py
    checkpoint/evaluation.ckpt         the same, of the training at its last evaluation: rollback.py goes back to it
    checkpoint/.lock                   held by the process that is training, see commands/folder.py

The training only copies its state; another thread writes it. If a checkpoint is still being written when the next is
due, the next is put off. If the disk is full, the training goes on without checkpoints: the user is told once, and the
next checkpoint that is due is tried again.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from runner.errors import RunFailed, RunnerError
from runner.files import open_locked
from runner.training import checkpoint

FOLDER = "checkpoint"
_NAME = re.compile(r"step-(\d{9,})\.ckpt")
_KEPT = 2
_POINT = "evaluation.ckpt"
_LOCK = ".lock"

Snapshot = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Keeper:
    """Writes the checkpoints of one run.

    folder: the run's output_dir. seconds, steps: between two checkpoints; with 0 seconds and None steps, only forced
    checkpoints are written. seconds_spent: of the training's own time.
    """

    def __init__(self, folder: Path, seconds: float, steps: int | None) -> None:
        self.folder = folder / FOLDER
        self.seconds_spent = 0.0
        self._seconds, self._steps = seconds, steps
        self._written = time.monotonic()
        self._thread: threading.Thread | None = None
        self._error: RunnerError | None = None  # of the last attempt
        self._is_failing = False  # as the user knows

    def offer(self, step: int, snapshot: Callable[[], Snapshot], *, force: bool = False) -> None:
        """After a step: write a checkpoint if it is due. force: write it in any case, and wait until it is on the disk.

        Raises RunFailed if a forced checkpoint cannot be written; earlier checkpoints are untouched.
        """
        if not force and not self._is_due(step):
            return
        self._begin(self.folder / f"step-{step:09}.ckpt", snapshot)
        self._written = time.monotonic()
        if force:
            began = time.perf_counter()
            self._join()
            self.seconds_spent += time.perf_counter() - began
            if self._error is not None:
                self._is_failing = True
                raise RunFailed(
                    f"no checkpoint can be written ({self._error.fact})",
                    place=self._error.place,
                    hint="Free space, or choose another output_dir.",
                )

    def keep_point(self, snapshot: Callable[[], Snapshot]) -> None:
        """Write the state that a rollback goes back to; later checkpoints are written after it."""
        self._begin(self.folder / _POINT, snapshot)

    def point(self) -> Path:
        """Wait until the last `keep_point` is written, and return its file."""
        self._join()
        return self.folder / _POINT

    def _begin(self, path: Path, snapshot: Callable[[], Snapshot]) -> None:
        began = time.perf_counter()
        self._join()
        self._tell()
        try:
            about, arrays = snapshot()
        except MemoryError:
            self._error = RunFailed("not enough memory", place=str(self.folder))
        else:
            self._thread = threading.Thread(target=self._write, args=(path, about, arrays), name="checkpoint")
            self._thread.start()
        self.seconds_spent += time.perf_counter() - began

    def _is_due(self, step: int) -> bool:
        if self._thread is not None and self._thread.is_alive():
            return False
        if self._thread is not None:
            self._join()
            self._tell()
        is_step = self._steps is not None and step % self._steps == 0
        return is_step or (self._seconds > 0 and time.monotonic() - self._written >= self._seconds)

    def _write(self, path: Path, about: Mapping[str, Any], arrays: checkpoint.Arrays) -> None:
        self._error = None
        try:
            checkpoint.save(path, about, arrays)
            for _, path in checkpoints(self.folder)[_KEPT:]:
                path.unlink(missing_ok=True)
        except RunnerError as error:
            self._error = error
        except OSError as error:
            self._error = RunFailed(f"cannot write: {error.strerror}", place=str(self.folder))
        except MemoryError:
            self._error = RunFailed("not enough memory", place=str(self.folder))

    def _join(self) -> None:
        """Wait for the checkpoint that is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _tell(self) -> None:
        """Tell the user that checkpoints cannot be written, or can be again. The training goes on: its result is worth more."""
        if self._error is not None and not self._is_failing:
            last = next((f"the last one is of step {step:,}" for step, _ in checkpoints(self.folder)), "there is none")
            print(
                RunFailed(
                    f"no checkpoint can be written ({self._error.fact}); the training goes on without",
                    place=self._error.place,
                    hint=f"It is tried again when the next is due. Of this run {last}.",
                ),
                file=sys.stderr,
                flush=True,
            )
        elif self._error is None and self._is_failing:
            print("checkpoints are written again", file=sys.stderr, flush=True)
        self._is_failing = self._error is not None

    def close(self) -> None:
        """Wait for the last checkpoint; no more will come."""
        self._join()
        self._tell()


class Lock:
    """Held while its file is open."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def lock(folder: Path) -> Lock:
    """Make the folder and lock it. Raises RunnerError if a running process holds it, RunFailed if the system refuses."""
    try:
        file = _open_lock(folder)
    except OSError as error:
        raise RunFailed(f"cannot write: {error.strerror}", place=str(error.filename or folder)) from error
    if file is None:
        raise RunnerError(
            "another process is training in this folder", place=str(folder.parent), hint="Wait for it, or end it."
        )
    return Lock(file)


def _open_lock(folder: Path) -> BinaryIO | None:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # a process that ended just now has removed the folder
            return open_locked(folder / _LOCK)


def is_locked(folder: Path) -> bool:
    """Whether a running process holds the folder."""
    if not (folder / _LOCK).is_file():
        return False
    try:
        lock(folder).release()
    except RunFailed:
        return False
    except RunnerError:
        return True
    return False


def clear(folder: Path) -> None:
    """Remove the checkpoints of a run that is not to go on; the newest goes last, so that a kill midway leaves it resumable."""
    for path in (folder / _POINT, *(path for _, path in reversed(checkpoints(folder)))):
        path.unlink(missing_ok=True)


def is_checkpoint(name: str) -> bool:
    """Whether files of this name are written here."""
    return name == _POINT or _NAME.fullmatch(name) is not None


def remove_if_empty(folder: Path) -> None:
    """Remove the folder if no checkpoint is in it; the caller holds its lock."""
    if not checkpoints(folder):
        with suppress(OSError):  # something of the user's is in it
            clear(folder)
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The steps and files of a folder's checkpoints, the last one first."""
    try:
        steps = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except OSError:
        return []
    return sorted(steps, reverse=True)
