"""This project's own wheel, for those who get a model and have no other way to get its code.

In a checkout, pyproject.toml says what the metadata is: an editable installation keeps that of the day it was made. An
installed package brings its METADATA and entry points along.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import runner
from runner.commands.package.wheel import Wheel
from runner.config.conf_folder import conf_dir
from runner.errors import RunnerError
from runner.files import files_below, read_file

PROJECT = "declarative-runner"
_LICENCE = "LICENSE"


def own_wheel() -> Wheel:
    """The wheel of the code that is running. Raises RunnerError if its metadata is nowhere."""
    package = Path(runner.__file__).resolve().parent
    files = {f"{package.name}/{name}": read_file(path) for name, path in files_below(package)}
    files |= {f"{package.name}/conf/{name}": read_file(path) for name, path in files_below(conf_dir())}
    metadata, entry_points, licence = _described(package)
    wheel = Wheel(PROJECT.replace("-", "_"), runner.__version__, files, metadata, entry_points)
    files[f"{wheel.info}/licenses/{_LICENCE}"] = licence.encode("utf8")
    return wheel


def _described(package: Path) -> tuple[str, str, str]:
    """METADATA, entry_points.txt and the licence."""
    try:
        project = tomllib.loads((package.parent / "pyproject.toml").read_text("utf8"))["project"]
        if project["name"] == PROJECT:
            licence = (package.parent / _LICENCE).read_text("utf8")
            return "".join(_metadata(project)), "".join(_entry_points(project)), licence
    except (OSError, ValueError, LookupError):  # not a checkout
        pass
    try:
        installed = importlib.metadata.distribution(PROJECT)
    except importlib.metadata.PackageNotFoundError:
        hint = "Install it, or run this in a checkout; or leave --with-runner out."
        raise RunnerError(f"the metadata of {PROJECT} is not installed", place="--with-runner", hint=hint) from None
    texts = [installed.read_text(name) or "" for name in ("METADATA", "entry_points.txt", f"licenses/{_LICENCE}")]
    return texts[0], texts[1], texts[2]


def _metadata(project: Mapping[str, Any]) -> Iterator[str]:
    """pyproject.toml's table `project` as METADATA."""
    yield f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    yield f"Summary: {project['description']}\nLicense-Expression: {project['license']}\n"
    yield f"License-File: {_LICENCE}\n"
    yield f"Requires-Python: {project['requires-python']}\n"
    for requirement in project["dependencies"]:
        yield f"Requires-Dist: {requirement}\n"
    for extra, requirements in sorted(project.get("optional-dependencies", {}).items()):
        yield f"Provides-Extra: {extra}\n"
        for requirement in requirements:
            yield f"Requires-Dist: {requirement}; extra == '{extra}'\n"


def _entry_points(project: Mapping[str, Any]) -> Iterator[str]:
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    for group, entries in groups.items():
        yield f"[{group}]\n"
        yield from (f"{name} = {value}\n" for name, value in entries.items())
