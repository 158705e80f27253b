"""Files that are whole or absent: written under a temporary name, flushed to the disk, renamed, their folder flushed too.

A killed process leaves `.NAME.PID.tmp`, and `.NAME.PID.old` of a folder that it was replacing; `recover` clears both up. A
temporary file is locked while it is written, so that `recover` can tell a file in use from a leftover.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from runner.errors import RunFailed

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_HANDED_OVER = Path("/dev/fd"), Path("/proc/self/fd")
_LOCKED_BYTE = 2**31 - 2  # on Windows, a locked byte cannot be read: this is behind the content
_LEFTOVER = re.compile(r"\.(.+)\.[0-9a-f]+\.(tmp|old)")


def write_file(path: Path, content: bytes | str) -> None:
    """Write one file atomically. Raises RunFailed if the system refuses (full disk, no permission)."""
    with open_whole(path) as file:
        file.write(content.encode("utf8") if isinstance(content, str) else content)


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file when the block ends; an error in the block leaves the old file in place.

    Raises RunFailed if the system refuses (full disk, no permission).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_temporary(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replace a folder by a new folder that `fill(temporary)` writes; the old folder stays until the new one is complete.

    Raises RunFailed if the system refuses. `recover` undoes a kill between the two renames.
    """
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        fill(temporary)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)  # of a killed process with the same number
            path.rename(old)
        temporary.rename(path)
        sync_folder(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except RunFailed as error:
        raise RunFailed(error.fact, place=str(path), hint=error.hint) from error
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def open_file(path: Path) -> BufferedReader:
    """Open a file to read it. Raises OSError also for a pipe, socket or device, which may never end or never begin."""
    file = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        check_file(path, os.fstat(file).st_mode)
        return open(file, "rb")
    except BaseException:
        os.close(file)
        raise


def is_handed_over(path: Path) -> bool:
    """Whether the path is the pipe of a shell's `<(command)`, which can be read once, as standard input can."""
    return path.parent in _HANDED_OVER and path.exists() and stat.S_ISFIFO(path.stat().st_mode)


def read_file(path: Path) -> bytes:
    """The content of a file. Raises OSError as `open_file` does."""
    with open_file(path) as file:
        return file.read()


def files_below(folder: Path, left_out: Collection[str] = ("__pycache__",)) -> Iterator[tuple[str, Path]]:
    """(path below the folder with `/`, file) of all files, in the order of the paths. left_out: folders by name."""
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.is_file() and not set(below.parts) & set(left_out):
            yield below.as_posix(), path


def check_file(path: Path, mode: int | None = None) -> None:
    """Raise OSError if something that is no file stands at the path. mode: the path's, if it is known."""
    if mode is None:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe, socket or device, and no file", str(path))


def recover(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Clear up what killed processes have left in a folder.

    A folder whose replacement was cut off between the two renames gets its old content back. Other leftovers are removed,
    except files that a process is still writing. is_ours: whether this program writes files and folders of a name; others
    are not touched. No other process may be replacing a folder in `folder` meanwhile: hold its lock if there is a lock.
    Raises OSError if the system refuses.
    """
    if not folder.is_dir():
        return
    leftovers = [(path, match) for path in folder.iterdir() if (match := _LEFTOVER.fullmatch(path.name)) is not None]
    for path, match in sorted(leftovers, key=lambda one: one[0].lstat().st_mtime, reverse=True):
        target = folder / match[1]
        if not is_ours(match[1]):
            continue
        if match[2] == "old" and not target.exists():
            path.rename(target)
            sync_folder(folder)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif stat.S_ISREG(path.lstat().st_mode) and (file := open_locked(path, is_certain=True)) is not None:
            remove_locked(path, file)


def open_temporary(path: Path) -> BinaryIO:
    """Open a new, empty file, locked until it is closed, to be renamed when it is whole. Raises OSError."""
    file = open_locked(path)
    if file is None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    file.truncate(0)  # what a killed process with the same number has written
    file.seek(0)
    return file


def open_locked(path: Path, *, is_certain: bool = False) -> BinaryIO | None:
    """Open a file to append to it, make it if it is missing, and lock it until it is closed.

    Returns None if another process has locked the file. On a file system without locks, returns the open file, or None with
    `is_certain`. The holder of the lock may remove the file: a process that opened it meanwhile notices, and opens the next.
    Raises OSError if the system refuses.
    """
    while True:
        check_file(path)  # to open a pipe might take for ever
        file = path.open("ab")
        try:
            is_locked = take_lock(file.fileno())
        except OSError:
            if not is_certain:
                return file
            is_locked = False
        if not is_locked:
            file.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def take_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or the process ends, however it ends; False if another process holds the lock.

    Raises OSError if the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def remove_locked(path: Path, file: BinaryIO) -> None:
    """Remove a file that `open_locked` has opened, and release its lock."""
    if os.name == "posix":
        path.unlink(missing_ok=True)  # first: once released, the file may be another process's
        file.close()
    else:  # a file that any process has open cannot be removed
        file.close()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder if it exists. Raises OSError if the system refuses."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, so that files renamed, made or removed in it stay so after a loss of power."""
    if os.name == "posix":
        with suppress(OSError):  # some network file systems have no such thing
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
