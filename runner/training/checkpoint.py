"""A checkpoint: the state of a training between two steps, in one file. A file that is not whole is refused.

    save(path, about, arrays)      about: plain values, kept as JSON; arrays: float32, float64 or int64, by name
    about, arrays = load(path)

    8 bytes    "runnerCP"
    8 bytes    length of the header, little-endian
    header     JSON: format, about, and of each array name, dtype, shape, offset
    arrays     little-endian, one after the other
    32 bytes   sha256 of all that comes before

The checksum is verified before the header is read, and every size before an array is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import RunnerError
from runner.files import open_whole, read_file

MAGIC = b"runnerCP"
FORMAT = 1
_DTYPES = {"f4": "<f4", "f8": "<f8", "i8": "<i8"}
_PIECE = 1 << 22  # bytes written and hashed at once
_CHECKSUM = 32
_MAX_HEADER = 1 << 24
_MAX_DIMENSIONS = 8

Arrays = Mapping[str, NDArray[Any]]


class Damaged(RunnerError):
    """The file is not a whole checkpoint."""


def save(path: Path, about: Mapping[str, Any], arrays: Arrays) -> None:
    """Write the file atomically and flush it to the disk. Raises RunFailed if the system refuses."""
    entries, offset = [], 0
    for name, array in arrays.items():
        dtype = f"{array.dtype.kind}{array.dtype.itemsize}"
        assert dtype in _DTYPES, f"{name} is {array.dtype}"
        entries.append({"name": name, "dtype": dtype, "shape": list(array.shape), "offset": offset})
        offset += array.nbytes
    header = json.dumps({"format": FORMAT, "about": about, "arrays": entries}).encode("utf8")
    digest = hashlib.sha256()
    with open_whole(path) as file:

        def write(data: bytes | memoryview) -> None:
            for start in range(0, len(data), _PIECE):
                piece = data[start : start + _PIECE]
                digest.update(piece)
                file.write(piece)

        write(MAGIC + len(header).to_bytes(8, "little") + header)
        for array in arrays.values():
            if array.size:
                little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
                write(little.reshape(-1).view("uint8").data)
        file.write(digest.digest())


def load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read (about, arrays) back. Raises Damaged if the file is not whole, RunnerError if it cannot be read."""
    try:
        data = read_file(path)
    except OSError as error:
        raise RunnerError(f"cannot read: {error.strerror}", place=str(path)) from error
    except (MemoryError, OverflowError):
        raise Damaged("the checkpoint is larger than the memory", place=str(path)) from None
    try:
        return _parsed(data)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        raise Damaged(f"the checkpoint is damaged ({error})", place=str(path)) from None


def _parsed(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    start = len(MAGIC) + 8
    if not data.startswith(MAGIC) or len(data) < start + _CHECKSUM:
        raise ValueError("it does not begin as one")
    if hashlib.sha256(memoryview(data)[:-_CHECKSUM]).digest() != data[-_CHECKSUM:]:
        raise ValueError("its checksum is wrong")
    length = int.from_bytes(data[len(MAGIC) : start], "little")
    if length > min(_MAX_HEADER, len(data) - start - _CHECKSUM):
        raise ValueError("its header is cut")
    header = json.loads(data[start : start + length])
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r} is not {FORMAT}")
    body = memoryview(data)[start + length : -_CHECKSUM]
    arrays: dict[str, NDArray[Any]] = {}
    for entry in header["arrays"]:
        shape = tuple(int(n) for n in entry["shape"][: _MAX_DIMENSIONS + 1])
        if len(shape) > _MAX_DIMENSIONS:
            raise ValueError("an array has too many dimensions")
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        offset, size = int(entry["offset"]), prod(shape) * dtype.itemsize
        if min((0, *shape)) < 0 or offset < 0 or offset + size > len(body):
            raise ValueError("an array lies outside the file")
        arrays[str(entry["name"])] = np.frombuffer(body[offset : offset + size], dtype=dtype).reshape(shape)
    about = header["about"]
    if not isinstance(about, dict):
        raise ValueError("it says nothing of itself")
    return about, arrays
