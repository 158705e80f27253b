"""Files that are whole or absent: written under a temporary name, flushed to the disk, renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runner.errors import RunFailed


def write_file(path: Path, content: bytes | str) -> None:
    """Write one file atomically. Raises RunFailed where the system refuses (full disk, no permission)."""
    data = content.encode("utf8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file when the block ends; an error in the block leaves what was there before.

    Raises RunFailed where the system refuses (full disk, no permission).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replace a folder by what `fill(temporary)` puts into a new one; the old one stays until the new one is complete."""
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        fill(temporary)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except RunFailed as error:
        raise RunFailed(error.fact, place=str(path), hint=error.hint) from error
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
