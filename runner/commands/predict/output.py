"""A file that grows while a command works, and can be gone on from after a kill.

    OUT          whole, or absent
    OUT.part     what is written so far
    OUT.part.json  how much of it is sound: bytes, units read, counts, and of which work it is

The record is written after the bytes that it tells of are on the disk, so whatever stands behind them in OUT.part (half a
line) is cut off when the work is gone on with.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from runner.errors import RunFailed, RunnerError
from runner.files import open_whole, read_file, remove, sync_folder, write_file

_SECONDS = 2.0  # between two records
_MEMBER = 1 << 20  # bytes of text in each member of a gzipped file
Join = Callable[[BinaryIO, BinaryIO], None]


class GrowingFile:
    """OUT.part, and its record. work: what must be the same to go on: model, inputs, format."""

    def __init__(self, path: Path, work: Mapping[str, Any]) -> None:
        self.path, self.work = path, dict(work)
        self.part = path.with_name(path.name + ".part")
        self._record = path.with_name(path.name + ".part.json")
        self._is_packed = path.name.endswith(".gz")
        self._file: BinaryIO | None = None
        self._held: list[bytes] = []  # text for the next member of a gzipped file
        self._n_held = 0
        self._told = time.monotonic()

    def open(self, *, is_resumed: bool, is_forced: bool) -> dict[str, Any]:
        """Open the part to write. Returns the counts of the work done before; empty if it begins.

        Raises RunnerError if something lies there that must not be overwritten or cannot be gone on with.
        """
        done: dict[str, Any] = {}
        try:
            if is_resumed and self._record.is_file():
                done = self._sound()
            elif not is_forced:
                self._check_free(is_resumed=is_resumed)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not done:
                remove(self._record)
            self._file = self.part.open("r+b" if done else "wb")
            if done:
                self._file.truncate(done.pop("bytes"))
                self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(self.part)) from None
        return done

    def _check_free(self, *, is_resumed: bool) -> None:
        if self.path.exists():
            hint = "Give another OUT, or write it anew with --force."
            fact = "the file is whole, and there is nothing to go on from" if is_resumed else "the file exists"
            raise RunnerError(fact, place=str(self.path), hint=hint)
        if self._record.is_file():
            hint = "Go on from there with --resume, or begin anew with --force."
            raise RunnerError("an earlier command was interrupted here", place=str(self.part), hint=hint)

    def _sound(self) -> dict[str, Any]:
        """The record of the part. Raises RunnerError if it is of other work, or damaged."""
        hint = "Begin anew with --force."
        try:
            record = json.loads(read_file(self._record))
            work, done = record["work"], dict(record["done"])
            is_whole = self.part.stat().st_size >= done["bytes"] >= 0
        except (OSError, ValueError, KeyError, TypeError):
            raise RunnerError("the record of the work is damaged", place=str(self._record), hint=hint) from None
        if not is_whole:
            raise RunnerError("the file is shorter than its record says", place=str(self.part), hint=hint)
        for key, value in self.work.items():
            if work.get(key) != value:
                raise RunnerError(f"the {key} is not what it was", place=str(self.part), hint=hint)
        return done

    def write(self, text: bytes, counts: Mapping[str, Any]) -> None:
        """Append a text. counts: of all that is written now. Raises RunFailed if the system refuses."""
        self._held.append(text)
        self._n_held += len(text)
        is_due = time.monotonic() - self._told > _SECONDS
        if not self._is_packed or self._n_held >= _MEMBER or is_due:
            self._flush()
        if is_due:
            self.record(counts)

    def _flush(self) -> None:
        assert self._file is not None
        content = b"".join(self._held)
        self._held, self._n_held = [], 0
        try:
            self._file.write(gzip.compress(content, 6, mtime=0) if self._is_packed and content else content)
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(self.part)) from None

    def record(self, counts: Mapping[str, Any]) -> None:
        """Put what is written on the disk, and note it."""
        assert self._file is not None
        self._flush()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(self.part)) from None
        done = {**counts, "bytes": self._file.tell()}
        write_file(self._record, json.dumps({"work": self.work, "done": done}))
        self._told = time.monotonic()

    def give_up(self) -> None:
        """Leave nothing behind: no text was written. Raises RunFailed if the system refuses."""
        assert self._file is not None
        try:
            self._file.close()
            remove(self.part)
            remove(self._record)
        except OSError as error:
            raise RunFailed(f"cannot remove: {error.strerror}", place=str(self.part)) from None

    def finish(self, join: Join | None = None) -> None:
        """The part is whole: it becomes OUT. join: makes OUT of the part's content; None: the part is OUT."""
        assert self._file is not None
        self._flush()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if join is None:
                self.part.replace(self.path)
            else:
                with self.part.open("rb") as pieces, open_whole(self.path) as out:
                    join(pieces, out)
                remove(self.part)
            remove(self._record)
            sync_folder(self.path.parent)
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(self.path)) from None
