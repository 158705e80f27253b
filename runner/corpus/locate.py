"""Where the files of a corpus lie: on this machine, in the bundled sample, or behind an address.

A part of a corpus (`train`, `dev`, `test`) is a path, a list of parts, or a mapping:

    {bundled: train.jsonl}                               a file of runner/corpus/sample
    {url: https://…, sha256: …, mirror: wnut17/FILE}     fetched once into the cache folder, its checksum verified

With `members` beside these keys, a zip archive gives the files in it that match (see readers/archive.py), as a path
`a.zip/PATTERN` does. Where RUNNER_DATA_MIRROR names a folder, `mirror` is read there in place of the network, verified the
same way.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.corpus.digests import sha256_of
from runner.corpus.readers.archive import archive_of
from runner.errors import RunnerError
from runner.foreign import shown_name

_MAX_NAMED = 8  # files that an error names
MIRROR_VARIABLE = "RUNNER_DATA_MIRROR"
SAMPLE = Path(__file__).parent / "sample"


def locate(part: Any, key: str) -> list[Path]:
    """The paths of one part of a corpus; its downloads are fetched and verified. key: such as "corpus.train", for errors."""
    if isinstance(part, (list, tuple)):
        if not part:
            raise RunnerError("the list is empty", place=key, hint="Name at least one file.")
        return [path for i, item in enumerate(part) for path in locate(item, f"{key}[{i}]")]
    if isinstance(part, (str, Path)):
        return [_existing(Path(part), key)]
    if isinstance(part, Mapping):
        keys = {str(k) for k, value in part.items() if value is not None}
        if "members" in keys:
            rest = {k: value for k, value in part.items() if k != "members"}
            return [path / _inside(part["members"], f"{key}.members") for path in locate(rest, key)]
        if keys == {"bundled"}:
            return [_existing(SAMPLE / _inside(part["bundled"], f"{key}.bundled"), key)]
        if {"url", "sha256"} <= keys <= {"url", "sha256", "mirror"}:
            mirror = _inside(part["mirror"], f"{key}.mirror") if part.get("mirror") else ""
            return [fetch(str(part["url"]), str(part["sha256"]), mirror, key)]
        raise RunnerError(
            f"the keys {', '.join(sorted(keys)) or '(none)'} do not describe a file",
            place=key,
            hint="Give a path, {bundled: FILE}, or {url: https://…, sha256: …, mirror: FOLDER/FILE, members: PATTERN}.",
        )
    raise RunnerError(
        f"{part!r} is not a path" if part is not None else "no path is set", place=key, hint=f"Set {key}=PATH."
    )


def fetch(url: str, sha256: str, mirror: str, key: str) -> Path:
    """The path of a file in the cache folder, downloaded unless it is there; or of its copy in RUNNER_DATA_MIRROR.

    mirror: its path below the mirror and the cache folder. Raises RunnerError if the network fails, or if the content does
    not have the checksum `sha256`.
    """
    folder = os.environ.get(MIRROR_VARIABLE)
    if folder and mirror:
        path = Path(folder) / mirror
        if not path.is_file():
            raise RunnerError(
                f"there is no file {path}",
                place=f"{key} ({MIRROR_VARIABLE})",
                hint=f"Put {url} there, or unset {MIRROR_VARIABLE} to download it.",
            )
        actual = sha256_of(path)
        if actual != sha256:
            raise _altered(str(path), sha256, actual, key, "Put the original file there.")
        return path
    if not url.startswith("https://"):
        raise RunnerError(
            f"{url} is not an https address", place=key, hint="Give an address that starts with https://."
        )

    import pooch  # here, because a run on local files does not need it

    target = Path(pooch.os_cache("runner")) / (mirror or _inside(url.rsplit("/", 1)[-1], f"{key}.url"))
    pooch.get_logger().setLevel("WARNING")
    bar = _DownloadBar(target.name) if sys.stderr.isatty() else None
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            path=target.parent,
            fname=target.name,
            downloader=pooch.HTTPDownloader(progressbar=bar or False, timeout=30),
        )
    except OSError as error:  # the errors of requests are OSErrors too
        raise RunnerError(
            f"{url} cannot be downloaded ({_reason(error)})",
            place=key,
            hint=f"Check the network, or set {MIRROR_VARIABLE} to a folder that holds {mirror or target.name}.",
        ) from None
    except ValueError as error:
        hashes = re.findall(r"\b[0-9a-f]{64}\b", str(error))
        hint = "The file has changed at its origin; check it and update the checksum."
        raise _altered(url, sha256, hashes[-1] if hashes else "?", key, hint) from None
    finally:
        if bar is not None:
            bar.close()
    return target


def _existing(path: Path, key: str) -> Path:
    """`path`, which is a file or points into a zip archive. Raises RunnerError otherwise."""
    try:
        is_file = path.is_file() or archive_of(path) is not None
    except OSError as error:  # a name that is too long, a link that leads to itself
        fact = f"{str(path)[:60]!r} is not a path ({error.strerror})"
        raise RunnerError(fact, place=key, hint="Check the path.") from None
    if is_file:
        return path
    if path.exists() and not path.is_dir():
        hint = "Write its output into a file first, and name that file."
        raise RunnerError(f"{path} is a pipe, socket or device, not a file", place=key, hint=hint)
    if path.is_dir():
        raise RunnerError(f"{path} is a folder", place=key, hint="Name a file in it, or a list of files.")
    folder = path.parent
    if not folder.is_dir():
        while not folder.parent.is_dir():
            folder = folder.parent
        missing, folder = folder, folder.parent
        raise RunnerError(f"there is no folder {missing}", place=key, hint=_nearest(missing.name, folder, key, path))
    raise RunnerError(f"there is no file {path}", place=key, hint=_nearest(path.name, folder, key, path))


def _inside(path: Any, key: str) -> str:
    """`path` as text; it is relative and stays below its folder. Raises RunnerError otherwise."""
    parts = str(path).replace("\\", "/").split("/")
    if not parts[0] or ".." in parts or "\0" in str(path) or ":" in parts[0] or not parts[-1].strip("."):
        raise RunnerError(f"{str(path)!r:.80} leads out of its folder", place=key, hint="Give a path like FOLDER/FILE.")
    return str(path)


def _nearest(name: str, folder: Path, key: str, path: Path) -> str:
    """A hint that names the entry of `folder` nearest to `name`, or lists some entries."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {folder / near[0]}?"
    if not names:
        return f"Set {key} to a file that exists."
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"{os.path.abspath(folder)} holds {', '.join(map(shown_name, names[:_MAX_NAMED]))}{more}."


def _altered(file: str, expected: str, actual: str, key: str, hint: str) -> RunnerError:
    return RunnerError(f"{file} has the checksum {actual[:12]}…, not {expected[:12]}… (sha256)", place=key, hint=hint)


def _reason(error: OSError) -> str:
    """The first line of the innermost cause of a network error."""
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(text).splitlines()[0][:120]


class _DownloadBar:
    """A progress bar with the methods that pooch calls, drawn by rich on stderr."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(name, total=None)
        self._progress.start()

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: float) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: float) -> None:
        self._progress.update(self._task, advance=size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.stop()
