"""`vectors=…`: where static word vectors come from.

    {type: file, path: glove.6B.300d.txt.gz, prune: 20000}

A file is read once into a table (table.py) in the cache folder, `vectors/DIGEST.vectors`; the digest is of the file's content
and of how it is read. Later runs map the table, and the jobs of a sweep share the mapped pages. A trained model holds a
copy, and asks for no other file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner import registry
from runner.corpus.digests import sha256_of
from runner.corpus.locate import locate
from runner.errors import RunnerError
from runner.files import open_file, open_whole
from runner.model.vectors.prune import nearest_rows
from runner.model.vectors.table import VectorTable, write_table
from runner.model.vectors.text import Entry, Format, read_vectors
from runner.progress import counting

Floats2d = NDArray[Any]
FILE = "vectors.bin"  # in a trained model
_FORMAT = 1  # of the tables; others are made again
Tell = Callable[[int], None]


class TableVectors:
    """Vectors of a table that is made when it is first asked for.

    path: gives the path of the table, made if it is missing. place: the key of the config, for errors.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._table: VectorTable | None = None
        self._lock = RLock()

    @property
    def table(self) -> VectorTable:
        """The table. Raises RunnerError if the vectors cannot be read."""
        with self._lock:
            if self._table is None:
                self._table = _mapped(self._path())
            return self._table

    @property
    def dim(self) -> int:
        return self.table.dim

    def of(self, words: Sequence[str]) -> Floats2d:
        return self.table.of(words)

    def knows(self, words: Sequence[str]) -> NDArray[np.bool_]:
        return self.table.rows(words) >= 0

    def files(self) -> dict[str, Any]:
        return {FILE: self.table.content.tobytes()}

    def take_files(self, files: Mapping[str, Any]) -> None:
        if set(files) != {FILE}:
            raise ValueError(f"the model has no file {FILE} with its vectors")
        self._table = VectorTable(files[FILE])


@registry.vectors("file")
def vectors_of_file(
    path: Any, format: Format = "auto", limit: int | None = None, prune: int | None = None
) -> TableVectors:
    """Vectors of a file (text.py). path: or {url: …, sha256: …, mirror: …}, as of a corpus. format: auto, text or binary.

    limit: read only the first words. prune: keep the vectors of the first words; all others share the nearest one's.
    """
    _check(limit=limit, prune=prune)

    def table() -> Path:
        found = locate(path, "vectors.path")
        if len(found) != 1:
            raise RunnerError(f"these are {len(found)} files", place="vectors.path", hint="Name one file.")
        key = [_FORMAT, sha256_of(found[0], _cache), format, limit, prune]
        return _made(key, found[0].name, lambda: read_vectors(found[0], format, limit), prune)

    return TableVectors(table)


@registry.vectors("spacy")
def vectors_of_spacy(model: str, prune: int | None = None) -> TableVectors:
    """Vectors of a spaCy pipeline (extra `spacy`). model: the name of an installed package, or a folder.

    prune: as of `file`. Nothing of the package is run.
    """
    _check(prune=prune)

    def table() -> Path:
        from runner.model.vectors.spacy_package import read_spacy, vocab_of

        folder = vocab_of(model)
        key = [_FORMAT, *(sha256_of(folder / name, _cache) for name in ("vectors", "key2row", "strings.json")), prune]
        return _made(key, model, lambda: read_spacy(folder), prune)

    return TableVectors(table)


def _check(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise RunnerError(f"{name} is {value}; it must be at least 1", hint="null: all.")


def _cache() -> Path:
    import pooch  # here, because a run without vectors does not need it

    return Path(pooch.os_cache("runner"))


def _mapped(path: Path) -> VectorTable:
    with open_file(path) as file:
        return VectorTable(np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), "uint8"))


def _made(key: Sequence[Any], name: str, read: Callable[[], Iterator[Entry]], prune: int | None) -> Path:
    """The path of the table in the cache folder, made unless it is there and whole. key: what decides its content."""
    digest = hashlib.sha256(json.dumps(key).encode("utf8")).hexdigest()
    path = _cache() / "vectors" / f"{digest[:32]}.vectors"
    try:
        _mapped(path)
    except (OSError, ValueError):
        with counting(f"reading {name}") as tell:
            words, matrix = _collected(read(), tell)
        rows = np.arange(len(matrix))
        if prune is not None and prune < len(matrix):
            with counting(f"pruning to {prune:,} vectors") as tell:
                rows = nearest_rows(matrix, prune, tell)
            matrix = matrix[:prune]
        try:
            with open_whole(path) as file:
                write_table(file, words, rows, matrix, {"source": name})
        except ValueError as error:
            raise RunnerError(str(error), place=name, hint="Name a file of word vectors.") from None
    return path


def _collected(entries: Iterator[Entry], tell: Tell) -> tuple[list[str], Floats2d]:
    """All words, and their vectors as one float16 array, (n, dim)."""
    words: list[str] = []
    matrix = np.zeros((0, 0), dtype="float16")
    for word, vector in entries:
        if len(words) == len(matrix):
            room = np.zeros((max(2 * len(matrix), 1024), len(vector)), dtype="float16")
            room[: len(matrix), : matrix.shape[1]] = matrix
            matrix = room
        with np.errstate(over="ignore"):  # told by `write_table`
            matrix[len(words)] = vector
        words.append(word)
        if not len(words) % 1024:
            tell(1024)
    return words, matrix[: len(words)]
