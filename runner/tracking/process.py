"""A record of the process that trains a run, by which another process can tell later whether it is gone.

Systems give process ids away again. Hence the record also holds when the process began, the machine, when the machine
was started, and the namespace of its process ids. Where one of these leaves a doubt the answer is None, which counts as
"not gone".
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROCESS_TAG = "process"  # of a run: the text of `this_process`


def this_process() -> str:
    """The current process, as one line of JSON: host, machine, boot, namespace, pid, began."""
    return json.dumps({**_surroundings(), "pid": os.getpid(), "began": _began(os.getpid())})


def is_gone(process: str | None) -> bool | None:
    """Whether that process has ended; None where it cannot be told from here (another machine, an unreadable text)."""
    about = _parsed(process)
    if about is None:
        return None
    here = _surroundings()
    if any(about.get(key) != here[key] for key in ("host", "machine")):
        return None
    if about.get("boot") != here["boot"]:
        return True if about.get("boot") and here["boot"] else None
    if about.get("namespace") != here["namespace"]:
        return None
    began = _began(int(about["pid"]))
    if began == "":  # there is no such process
        return True
    return began != about.get("began") if began is not None and about.get("began") else None


def _parsed(process: str | None) -> Mapping[str, Any] | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        about = json.loads(process or "")
        if int(about["pid"]) > 0:
            return dict(about)
    return None


def _surroundings() -> dict[str, str]:
    """The facts that must be equal before two process ids can be compared."""
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return {
        "host": socket.gethostname(),
        "machine": _first_word("/etc/machine-id"),
        "boot": _first_word("/proc/sys/kernel/random/boot_id"),
        "namespace": namespace,
    }


def _began(pid: int) -> str | None:
    """When the process began, as the system tells it; "" if there is no such process (or only its exit code), None: unknown."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("utf8", "replace").rpartition(")")[2].split()
        except FileNotFoundError:
            return ""
        except OSError:
            return None
        return "" if fields[0] in "ZX" else fields[19]  # the state; clock ticks since the machine's start-up
    try:
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode in (0, 1) else None


def _first_word(path: str) -> str:
    try:
        return Path(path).read_text("utf8", "replace").strip()
    except OSError:
        return ""
