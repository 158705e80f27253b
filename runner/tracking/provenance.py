"""Tags that say where a run comes from: commit, command line, host, versions.

The commit is asked of the command `git`; without git or a repository its tags are absent.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.secrets import masked_word

_MARKS = re.compile(r"\((?:R|TM|C)\)| CPU\b", re.IGNORECASE)
_called: list[str] = []
LIBRARIES = ("thinc", "numpy", "hydra-core", "mlflow")


def git_tags(cwd: Path) -> dict[str, str]:
    """`git_commit`, `git_branch`, and `git_dirty`: "true" where tracked files differ. Empty outside a repository."""
    commit = _git(cwd, "rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git(cwd, "status", "--porcelain", "--untracked-files=no")
    return {
        "git_commit": commit,
        "git_branch": _git(cwd, "rev-parse", "--abbrev-ref", "HEAD") or "",
        "git_dirty": "true" if changes or changes is None else "false",
    }


def provenance_tags(cwd: Path) -> dict[str, str]:
    """git_tags, and `command_line`, `cwd`, `host`, `user`, `python`, `libraries`."""
    return {
        **git_tags(cwd),
        "command_line": command_line(),
        "cwd": str(cwd),
        "host": socket.gethostname(),
        "user": _user(),
        "python": platform.python_version(),
        "libraries": " ".join(f"{name}=={_version(name)}" for name in LIBRARIES),
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf8", errors="replace").splitlines():
            if line.startswith("model name"):
                return _MARKS.sub("", line.partition(":")[2].partition(" @ ")[0]).strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def called_as(text: str) -> Iterator[None]:
    """While it lasts, `command_line` is this text: a function of Python's started the run. text: without secrets."""
    _called.append(text)
    try:
        yield
    finally:
        _called.pop()


def command_line() -> str:
    """The command line of this process, without secrets: `python -m runner …` for a module, else the arguments."""
    if _called:
        return _called[-1]
    words = [masked_word(word) for word in sys.argv[1:]]
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return shlex.join(["python", "-m", spec.name.removesuffix(".__main__"), *words])
    return shlex.join([sys.argv[0], *words])


def _git(cwd: Path, *arguments: str) -> str | None:
    """The command's output; None where it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a passwd entry
        return "unknown"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"
