"""Named arrays in one file that may be larger than memory: appended while writing, read piece by piece.

    magic, array, array, …, footer (JSON: each array's dtype, offset, length and CRC-32, and `about` the whole file),
    the footer's length and CRC-32, magic

Columns grow in temporary files without a name and are joined at the end; whole numbers take as few bytes as the largest
needs. The file gets its name last, so it is whole or absent, even if two processes write it at the same time. Opening
reads the whole file once and raises `DamagedArrays` if it was cut off or a bit has changed. Pieces are read by system calls,
not through mapped pages: if another program cuts the file off meanwhile, that is an error and not the death of the process
(SIGBUS). docs.py guards against a file that somebody forged.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import tempfile
import uuid
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import IO, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from runner.errors import RunFailed
from runner.files import open_file, open_temporary, sync_folder

Kind = Literal["B", "I", "Q", "d"]  # bytes; unsigned whole numbers of 32 and of 64 bits; floats

_MAGIC = b"runner.arrays.1\n"
_TAIL = struct.Struct("<QI16s")  # length and CRC-32 of the footer, magic
_ALIGNMENT = 64
_CHUNK = 1 << 20  # bytes of one read or write
_FORMATS: dict[int, Literal["H", "I", "Q"]] = {2: "H", 4: "I", 8: "Q"}  # bytes of a number → its format in memoryview
_DTYPES = ("|u1", "<u2", "<u4", "<u8", "<f8")


class DamagedArrays(Exception):
    """The file is not one that `ArrayWriter` finished."""


class Column:
    """An array that grows at its end. All but its last megabyte is on disk."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.n_written = 0  # elements
        self.largest = 0
        self._buffer: array[Any] = array(kind)
        self._full = _CHUNK // self._buffer.itemsize
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by the writer)

    def __len__(self) -> int:
        return self.n_written + len(self._buffer)

    def append(self, value: float) -> None:
        self._buffer.append(value)
        if len(self._buffer) >= self._full:
            self.flush()

    def extend(self, values: Iterable[float]) -> None:
        self._buffer.extend(values)
        if len(self._buffer) >= self._full:
            self.flush()

    def write(self, content: bytes) -> None:
        """Add raw bytes, to a column of bytes."""
        self._buffer.frombytes(content)
        if len(self._buffer) >= self._full:
            self.flush()

    def pad(self, n: int) -> None:
        """Add zeros until the column has `n` elements."""
        while len(self) < n:
            self.extend(repeat(0, min(n - len(self), self._full)))

    def chunks(self) -> Iterator[NDArray[Any]]:
        """The flushed elements, in pieces."""
        self._file.seek(0)
        while content := self._file.read(_CHUNK):
            yield np.frombuffer(content, dtype=self.kind)

    def close(self) -> None:
        self._file.close()

    def flush(self) -> None:
        if self._buffer:
            if self.kind != "d":
                self.largest = max(self.largest, int(np.frombuffer(self._buffer, dtype=self.kind).max()))
            self._buffer.tofile(self._file)
            self.n_written += len(self._buffer)
            del self._buffer[:]


class ArrayWriter:
    """Collects columns in `folder`; `finish` makes the file. As a context manager it leaves nothing behind if unfinished."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._columns: dict[str, Column] = {}

    def column(self, name: str, kind: Kind) -> Column:
        """A new, empty column."""
        assert name not in self._columns, name
        self._columns[name] = Column(kind, self._folder)
        return self._columns[name]

    def finish(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write the file `path`, which lies in the writer's folder, replacing a file of that name. Raises OSError."""
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with open_temporary(temporary) as file:
                file.write(_MAGIC)
                entries = {name: _append(file, column) for name, column in self._columns.items()}
                footer = json.dumps({"arrays": entries, "about": dict(about)}).encode()
                file.write(footer + _TAIL.pack(len(footer), zlib.crc32(footer), _MAGIC))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for column in self._columns.values():
            column.close()


class StoredArray:
    """An array in a file; its elements are read on access.

    array[i] and array[i:j] are numpy values in memory. Raises RunFailed if the file has been cut off meanwhile.
    """

    def __init__(self, file: _OpenFile, dtype: str, offset: int, count: int) -> None:
        self.dtype = np.dtype(dtype)
        self._file = file
        self._size = self.dtype.itemsize
        self._offset = offset  # bytes
        self._count = count  # elements

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, i: int) -> Any: ...

    @overload
    def __getitem__(self, i: slice) -> NDArray[Any]: ...

    def __getitem__(self, i: int | slice) -> Any:
        if not isinstance(i, slice):
            i = i + self._count if i < 0 else i
            if not 0 <= i < self._count:
                raise IndexError(i)
            return self[i : i + 1][0]
        start, stop, step = i.indices(self._count)
        assert step > 0, step
        array = np.frombuffer(self._bytes(start, max(start, stop)), dtype=self.dtype)
        return array if step == 1 else array[::step]

    def numbers(self, start: int, stop: int) -> list[int]:
        """`self[start:stop].tolist()` of whole numbers; three times as fast for the few numbers of a doc."""
        assert 0 <= start <= stop <= self._count, (start, stop)
        content = self._bytes(start, stop)
        return list(content) if self._size == 1 else memoryview(content).cast(_FORMATS[self._size]).tolist()

    def _bytes(self, start: int, stop: int) -> bytes:
        return self._file.read(self._offset + start * self._size, (stop - start) * self._size)


class _OpenFile:
    """An open file that any thread and any child process may read at any offset."""

    def __init__(self, path: Path, number: int) -> None:
        """number: a file descriptor, which is duplicated."""
        self._path = path
        self._number = os.dup(number)
        if hasattr(os, "posix_fadvise"):  # examples are read in shuffled order: reading ahead would only fill memory
            os.posix_fadvise(self._number, 0, 0, os.POSIX_FADV_RANDOM)

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            os.close(self._number)

    def read(self, offset: int, length: int) -> bytes:
        """The `length` bytes from `offset` on. Raises RunFailed if the file cannot be read or is too short."""
        try:
            content = os.pread(self._number, length, offset)
            while len(content) < length:  # one call reads 2 GiB at most
                more = os.pread(self._number, length - len(content), offset + len(content))
                if not more:
                    fact = "the packed data is shorter than when it was opened: another program has cut it off"
                    raise RunFailed(fact, place=str(self._path), hint="Start again; the data is packed anew.")
                content += more
        except OSError as error:
            fact = f"the packed data cannot be read: {error.strerror}"
            raise RunFailed(fact, place=str(self._path), hint="Check the disk, then start again.") from error
        return content


class Arrays:
    """A finished file: `arrays["name"]` is a StoredArray, `about` the mapping that was given to `finish`."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError if there is no file, DamagedArrays if it is not whole."""
        self.path = path
        try:
            file = open_file(path)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise DamagedArrays(str(error.strerror)) from None
        with file:
            try:
                self.about, entries = _check(file)
                opened = _OpenFile(path, file.fileno())
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                OSError,
                struct.error,
                RecursionError,
                OverflowError,
            ) as error:
                raise DamagedArrays(str(error)) from None
        self._arrays = {
            name: StoredArray(opened, dtype, offset, count) for name, (dtype, offset, count, _) in entries.items()
        }

    def __getitem__(self, name: str) -> StoredArray:
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays


def _append(file: IO[bytes], column: Column) -> tuple[str, int, int, int]:
    """Write a column and return its (dtype, offset, number of elements, CRC-32)."""
    column.flush()
    dtype = np.dtype("<f8" if column.kind == "d" else _narrowest(column.largest))
    file.write(bytes(-file.tell() % _ALIGNMENT))
    offset, checksum = file.tell(), 0
    for chunk in column.chunks():
        content = chunk.astype(dtype).tobytes()
        checksum = zlib.crc32(content, checksum)
        file.write(content)
    return dtype.str, offset, len(column), checksum


def _narrowest(largest: int) -> str:
    return next(dtype for dtype in _DTYPES if largest < 256 ** int(dtype[2:]))


def _check(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, tuple[str, int, int, int]]]:
    """(about, arrays) of the footer; an array is (dtype, offset, elements, CRC-32). Raises errors of many kinds."""
    size = file.seek(0, os.SEEK_END)
    tail_at = size - _TAIL.size
    file.seek(tail_at)
    length, checksum, magic = _TAIL.unpack(file.read(_TAIL.size))
    file.seek(tail_at - length)
    content = file.read(length)
    if magic != _MAGIC or len(content) != length or zlib.crc32(content) != checksum:
        raise ValueError("the end is missing")
    footer = json.loads(content)
    entries = {name: (str(d), int(o), int(n), int(c)) for name, (d, o, n, c) in footer["arrays"].items()}
    for name, (dtype, offset, count, checksum) in entries.items():
        if dtype not in _DTYPES or count < 0 or not 0 <= offset <= offset + count * int(dtype[2:]) <= tail_at - length:
            raise ValueError(f"the array {name} lies outside the file")
        if _checksum(file, offset, count * int(dtype[2:])) != checksum:
            raise ValueError(f"the array {name} is damaged")
    return dict(footer["about"]), entries


def _checksum(file: IO[bytes], offset: int, length: int) -> int:
    file.seek(offset)
    checksum = 0
    while length:
        content = file.read(min(length, _CHUNK))
        if not content:
            raise ValueError("the file is cut off")
        checksum = zlib.crc32(content, checksum)
        length -= len(content)
    return checksum
