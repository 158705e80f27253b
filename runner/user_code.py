"""The Python files that a user names in `code:`: each file runs once per process and adds registry entries."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from runner.errors import RunnerError

_CODE = "runner_user_code_"  # prefix of the module names of `code:` files


def load_code(paths: Iterable[str]) -> None:
    """Import the user's Python files, so that their registry entries are known. A file is imported only once.

    Raises RunnerError for a missing file, or at the file and line of a failure.
    """
    for given in paths:
        path = Path(given).expanduser().resolve()
        name = f"{_CODE}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        if name in sys.modules:
            continue
        if not path.is_file():
            is_other = path.exists() and not path.is_dir()
            fact = f"{given!r} is a pipe, socket or device, and no file" if is_other else f"there is no file {given!r}"
            raise RunnerError(fact, place="code", hint=f"Looked for {path}.")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise RunnerError(f"{given!r} is no Python file", place="code", hint="Give files that end in .py.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise _import_error(error, path, given) from error


def code_error(error: BaseException, kind: type[RunnerError] = RunnerError) -> RunnerError | None:
    """The error, placed at the last traceback line in a `code:` file. None if no `code:` file is in the traceback."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(_CODE)
    ]
    if not places:
        return None
    text = (str(error).strip().splitlines() or [""])[0]
    fact = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return kind(fact, place=places[-1], hint="The file is named in code=[...].")


def loaded_code(names: Iterable[str]) -> list[str]:
    """The paths of the `code:` files that this process has run, limited to these file names."""
    wanted = set(names)
    files = [str(home.__file__) for key, home in list(sys.modules.items()) if key.startswith(_CODE)]
    return sorted(file for file in files if Path(file).name in wanted)


def file_of(factory: Callable[..., Any]) -> str | None:
    """The path of the `code:` file that defines a factory. None if no `code:` file does."""
    home = sys.modules.get(factory.__module__)
    return str(home.__file__) if home is not None and home.__name__.startswith(_CODE) else None


def _import_error(error: Exception, path: Path, given: str) -> RunnerError:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return RunnerError(
            f"{type(error).__name__}: {error.msg}", place=f"{given}:{error.lineno}", hint="From code=[...]."
        )
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f"{given}:{frames[-1].lineno}" if frames else given
    if isinstance(error, RunnerError):
        return RunnerError(error.fact, place=place, hint=error.hint)
    return RunnerError(f"{type(error).__name__}: {error}", place=place, hint="The file is named in code=[...].")
