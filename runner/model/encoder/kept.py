"""Vectors of texts under an encoder that does not learn: computed once, kept as float16 in the user's cache.

    kept = KeptVectors(digest, width)
    found = kept.read(keys)              # None for texts that are not there
    kept.write({key: vectors, …})

One SQLite file an encoder (its weights, tokenizer, settings, and the processor's kernels), so that the jobs of a sweep share
it, whoever is first. Vectors are computed one text at a time and rounded: a text's vectors are the same bits in any batch,
from the file or not. Where the cache cannot be written, vectors are kept in this process alone. Files of encoders that
nobody has asked for in 30 days are deleted, and the oldest ones if all take more than 16 GiB.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]
_PATIENCE = 20.0  # seconds that a writer waits for another one
_FOLDER = "encoders"  # in the cache
_MOST_DAYS = 30.0  # since a file was last opened
_MOST_BYTES = 16 << 30  # of all files


def text_key(words: Sequence[str]) -> bytes:
    """What a text is kept under: 16 bytes of BLAKE2b of its words."""
    spelled = "".join(f"{len(word)}:{word}" for word in words)
    return blake2b(spelled.encode("utf8", "surrogatepass"), digest_size=16).digest()


class KeptVectors:
    """The file of one encoder. Any number of processes and threads may read and write it. shape: of one token's vectors."""

    def __init__(self, digest: str, shape: tuple[int, ...]) -> None:
        self._digest, self._shape = digest, shape
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0  # that has opened the connection: a forked child opens its own

    def read(self, keys: Sequence[bytes]) -> list[Halves | None]:
        """The vectors of these texts, (n_tokens, *shape) each; None for a text that is not there."""
        with self._lock:
            return [self._read(key) for key in keys]

    def write(self, vectors: Mapping[bytes, Halves]) -> None:
        """Keep vectors. What the disk refuses is not kept."""
        rows = [(key, np.ascontiguousarray(value, dtype="<f2").tobytes()) for key, value in vectors.items()]
        with self._lock, suppress(sqlite3.Error), self._open() as connection:
            connection.executemany("insert or ignore into vectors values (?, ?)", rows)

    def _read(self, key: bytes) -> Halves | None:
        row: Any = None
        with suppress(sqlite3.Error):
            row = self._open().execute("select value from vectors where key = ?", (key,)).fetchone()
        size = 2 * int(np.prod(self._shape))
        if row is None or not isinstance(row[0], bytes) or len(row[0]) % size:
            return None
        return np.frombuffer(row[0], dtype="<f2").reshape(-1, *self._shape)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            try:
                path = cache_folder() / f"{self._digest}.sqlite"
                self._connection = _connected(path)
                with suppress(OSError):
                    os.utime(path)
                    sweep(path)
            except (OSError, sqlite3.Error):
                self._connection = _connected(":memory:")
            self._process = os.getpid()
        return self._connection


def cache_folder() -> Path:
    """Where the files lie."""
    import pooch  # here, because an encoder that learns does not need it

    return Path(pooch.os_cache("runner")) / _FOLDER


def sweep(used: Path) -> None:
    """Delete what is too old or too much in the folder of `used`, the least recently opened first; `used` itself stays."""
    now, room = time.time(), _MOST_BYTES - used.stat().st_size
    others = [(path.stat(), path) for path in used.parent.glob("*.sqlite") if path != used]
    for about, path in sorted(others, key=lambda pair: pair[0].st_mtime, reverse=True):
        room -= about.st_size
        if room < 0 or now - about.st_mtime > _MOST_DAYS * 24 * 3600:
            with suppress(OSError):  # another process may hold it, or has deleted it
                path.unlink()


def _connected(path: Path | str) -> sqlite3.Connection:
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
    connection.execute("create table if not exists vectors (key blob primary key, value blob) without rowid")
    return connection
