"""Checksums of files; of large ones kept, so that a file of gigabytes is not read again at every start.

What is trusted: a file at the same path with the same size, inode, device, and times of modification and of change to
the nanosecond holds what it held. The time of change (POSIX) cannot be set by hand, so that a file that was written in
place and had its old time of modification given back is read again. A checksum taken within two seconds of a change is
not kept: another change could follow within the resolution of the file system's clock.
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

LARGE = 32 << 20  # bytes; a smaller file takes some hundredths of a second
_SETTLED = 2.0  # seconds


def sha256_of(path: Path, cache: Callable[[], Path] | None = None) -> str:
    """The checksum of a file, in hex; of files in an archive, the archive's. Raises RunnerError where it cannot be read.

    cache: gives the folder that keeps those of large files; None keeps none.
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
        with suppress(RunFailed, OSError):  # it is read again next time, no more
            recover(record.parent, lambda name: name.endswith(".json"))
            write_file(record, json.dumps({**before, "sha256": sha256}))
    return sha256


def signature(path: Path) -> dict[str, int]:
    """What tells a file that was changed from one that was not. Raises OSError."""
    status = os.stat(path)
    return {
        "size": status.st_size,
        "inode": status.st_ino,
        "device": status.st_dev,
        "modified": status.st_mtime_ns,
        "changed": status.st_ctime_ns,
    }


def _recorded(record: Path, now: dict[str, int]) -> str | None:
    """The checksum on record; None where there is none, it is damaged, or the file is not as it was."""
    try:
        known = json.loads(read_file(record))
        sha256 = known.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return sha256 if known == now and isinstance(sha256, str) and len(sha256) == 64 else None
