"""`python -m runner info`: versions and machine, for a bug report.

Nothing is changed, and no library is asked to compile or to connect: the store's address is told, not called.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import runner
from runner.commands.flags import FlagParser, exit_code
from runner.errors import RunnerError
from runner.secrets import masked, masked_all
from runner.tracking.provenance import git_tags, n_cores, processor

HELP = """\
Print what a bug report should say: versions, machine, arithmetic, folders.

  python -m runner info           for people
  python -m runner info --json    one JSON object

Passwords in addresses are masked. Nothing is sent, and nothing is changed.
Exit codes: 0 done, 2 an option is wrong."""

PROJECT = "declarative-runner"
_WIDTH = 79
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRAS = {"numba": ("numba",), "spacy": ("spacy",), "search": ("optuna",), "postgres": ("psycopg",)}


def main(words: Sequence[str]) -> int:
    """Run `info` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_args(list(words))))


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner info", description=HELP)
    parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON object")
    return parser


def _run(options: argparse.Namespace) -> None:
    facts = installation()
    print(json.dumps(facts, indent=2) if options.is_json else "\n".join(_lines(facts)))


def installation() -> dict[str, Any]:
    """All facts by section; plain values, without secrets. A fact that cannot be found out is None."""
    facts = {
        "runner": {
            "version": runner.__version__,
            "folder": str(Path(runner.__file__).parent),
            "git": _commit(),
        },
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
        },
        "machine": {
            "platform": platform.platform(),
            "processor": processor(),
            "cores": n_cores(),
            "memory_bytes": _memory(),
        },
        "dependencies": {name: _version(name) for name in _requirements()},
        "extras": {extra: {name: _version(name) for name in names} for extra, names in _EXTRAS.items()},
        "arithmetic": _arithmetic(),
        "mlflow_store": _store(),
        "cache": _cache(),
    }
    masked_facts: dict[str, Any] = masked_all(facts)
    return masked_facts


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts under headings, at most 79 columns wide; a longer path or address goes on in the next line."""
    own, python, machine = facts["runner"], facts["python"], facts["machine"]
    git = own["git"]
    memory = machine["memory_bytes"]
    changed = {True: ", with changes", None: ", changes unknown"}.get(git and git["is_dirty"], "")
    yield from _row("runner", own["version"] + (f", commit {git['commit'][:12]}{changed}" if git else ""))
    yield from _row("", own["folder"])
    yield from _row("Python", f"{python['version']} ({python['implementation']})")
    yield from _row("", python["executable"])
    yield from _row("machine", machine["platform"])
    amount = f", {memory / 1e9:.1f} GB memory" if memory else ""
    yield from _row("", f"{machine['processor']}, {machine['cores']} cores{amount}")
    yield ""
    arithmetic = facts["arithmetic"]
    yield from _row("ops", ", ".join(arithmetic["ops"]))
    for blas in arithmetic["blas"]:
        yield from _row("BLAS", f"{blas['name']} {blas['version']}, kernel {blas['kernel']}, {blas['threads']} threads")
        if blas["faster"]:
            yield from _row("", f"{blas['faster']} would use this processor's AVX-512")
    yield ""
    store, cache = facts["mlflow_store"], facts["cache"]
    yield from _row("MLflow store", store["address"] or store["error"])
    yield from _row("cache", f"{cache['bytes'] / 1e6:,.1f} MB in {cache['files']:,} files")
    yield from _row("", cache["folder"])
    yield ""
    versions = {**facts["dependencies"], **{name: v for extra in facts["extras"].values() for name, v in extra.items()}}
    column = [f"{name} {version or '-'}" for name, version in versions.items()]
    width = max(map(len, column)) + 2
    n = max(1, _WIDTH // width)
    for start in range(0, len(column), n):
        yield "".join(f"{cell:<{width}}" for cell in column[start : start + n]).rstrip()


def _row(heading: str, text: str) -> Iterator[str]:
    """The heading and the text, which goes on under itself where the line would be too long."""
    for start in range(0, max(len(text), 1), _WIDTH - 14):
        yield f"{heading if not start else '':<14}{text[start : start + _WIDTH - 14]}".rstrip()


def _commit() -> dict[str, Any] | None:
    """The commit that the code runs from; None where it was installed from a wheel."""
    folder = Path(runner.__file__).resolve().parent
    if not (folder.parent / ".git").exists():  # another project's repository may hold a virtual environment
        return None
    tags = git_tags(folder)
    if not tags:
        return None
    return {"commit": tags["git_commit"], "branch": tags["git_branch"], "is_dirty": tags["git_dirty"] == "true"}


def _requirements() -> list[str]:
    """The names that this project requires without an extra; empty if it is not installed but only on the path."""
    try:
        wanted = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = [_NAME.match(one) for one in wanted if "extra ==" not in one]
    return sorted({name[0] for name in names if name})


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _arithmetic() -> dict[str, Any]:
    """The ops that can be chosen, and the BLAS that numpy has loaded, with its kernel and threads of now."""
    import numpy as np
    from threadpoolctl import threadpool_info

    from runner.model.kernel import faster_kernel
    from runner.model.ops import OPS

    np.ones((2, 2)) @ np.ones((2, 2))  # a BLAS that is loaded late is loaded now
    usable = [name for name in OPS if name != "numba" or importlib.util.find_spec("numba") is not None]
    blas = [
        {
            "name": library["internal_api"],
            "version": library.get("version"),
            "kernel": library.get("architecture"),
            "threads": library["num_threads"],
            "file": library["filepath"],
            "faster": faster_kernel(library.get("architecture")) if library["internal_api"] == "openblas" else None,
        }
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    variables = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if name in os.environ}
    return {"ops": usable, "blas": blas, "environment": variables}


def _memory() -> int | None:
    import psutil

    try:
        return int(psutil.virtual_memory().total)
    except (OSError, RuntimeError):  # /proc cannot be read
        return None


def _store() -> dict[str, str | None]:
    """Where a run of this folder would send to; an address that cannot be used comes with the reason."""
    from runner.tracking.mlflow.store import store_uri

    try:
        return {"address": masked(store_uri(None)), "error": None}
    except RunnerError as error:
        return {"address": None, "error": masked(f"{error.place}: {error.fact}" if error.place else error.fact)}


def _cache() -> dict[str, Any]:
    """The folder of downloads and packed corpora, and how much it holds."""
    import pooch

    folder = Path(pooch.os_cache("runner"))
    n_bytes = n_files = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                n_bytes += (Path(place) / name).lstat().st_size
                n_files += 1
            except OSError:  # removed meanwhile
                continue
    return {"folder": str(folder), "bytes": n_bytes, "files": n_files}
