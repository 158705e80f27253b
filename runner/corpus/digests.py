"""Checksums of files. Those of large files are cached, so that gigabytes are not read again at every start.

A cached checksum is trusted if the file at the path has the same size, inode, device, modification time and change time (to
the nanosecond). Programs cannot set the change time (POSIX), so a file that was changed in place with its modification time
restored is read again. A checksum taken within two seconds of a change is not cached, because another change could follow
within the resolution of the file system's clock.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runner.corpus.readers.archive import archive_of
from runner.errors import RunFailed, RunnerError
from runner.files import open_file, read_file, recover, write_file

LARGE = 32 << 20  # bytes; the checksum of a smaller file takes some hundredths of a second and is not cached
_SETTLED = 2.0  # seconds since the last change before a checksum is cached


def sha256_of(path: Path, cache: Callable[[], Path] | None = None) -> str:
    """The checksum of a file, in hex; for a path into an archive, that of the archive. Raises RunnerError if unreadable.

    cache: a function that returns the folder for checksums of large files; None: cache nothing.
    """
    path, _ = archive_of(path) or (path, "")
    try:
        with open_file(path) as stream:
            before = signature(path)
            if cache is None or before["size"] < LARGE:
                return hashlib.file_digest(stream, "sha256").hexdigest()
            record = cache() / "digests" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"
            known = _recorded(record, before)
            if known is not None:
                return known
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            after = signature(path)
    except OSError as error:
        raise RunnerError(
            f"the file cannot be read ({error.strerror or error})", place=str(path), hint="Check the path."
        ) from None
    if after == before and time.time() - max(before["modified"], before["changed"]) / 1e9 > _SETTLED:
        with suppress(RunFailed, OSError):  # without the record the file is merely read again
            recover(record.parent, lambda name: name.endswith(".json"))
            write_file(record, json.dumps({**before, "sha256": sha256}))
    return sha256


def signature(path: Path) -> dict[str, int]:
    """The properties of a file that show whether it was changed. Raises OSError."""
    status = os.stat(path)
    return {
        "size": status.st_size,
        "inode": status.st_ino,
        "device": status.st_dev,
        "modified": status.st_mtime_ns,
        "changed": status.st_ctime_ns,
    }


def _recorded(record: Path, now: dict[str, int]) -> str | None:
    """The recorded checksum; None if there is no readable record, or the file has changed since."""
    try:
        known = json.loads(read_file(record))
        sha256 = known.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return sha256 if known == now and isinstance(sha256, str) and len(sha256) == 64 else None
