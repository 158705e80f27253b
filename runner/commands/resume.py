"""`resume=auto`, `resume=RUN_ID`, `resume=FOLDER`: find the interrupted run, and the last checkpoint that is whole.

What decides about the bits (the config but for paths, tracking and checkpoints; the code) must be what it was; the data
is held against the checkpoint once it is read.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.sweeps.fingerprint import settings
from runner.tracking.base import Resumed
from runner.tracking.journal import FILE_NAME
from runner.training import checkpoint
from runner.training.keeper import FOLDER, checkpoints, is_locked

_KINDS = {"fingerprint": dict, "data_digest": str, "seconds": float, "training": dict, "result": dict}


@dataclass(frozen=True)
class Found:
    """A checkpoint to go on from."""

    output_dir: Path
    about: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def resumed(self) -> Resumed:
        training = self.about["training"]
        return Resumed(int(training["sgd"]["step"]) + int(training["n_undone"]), float(self.about["seconds"]))

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """What is done with the checkpoint. Raises RunnerError where it holds other things than it should."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise RunnerError(
                f"the checkpoint does not fit the run ({type(error).__name__}: {error})",
                place=str(self.output_dir / FOLDER),
                hint="Start again, without resume.",
            ) from error

    def check_data(self, digest: str) -> None:
        """Raises RunnerError where the data is not what it was."""
        if self.about["data_digest"] != digest:
            raise RunnerError(
                "the data has changed since the run was interrupted",
                place="corpus",
                hint="Start again, without resume.",
            )


def find(config: RunConfig) -> Found | None:
    """The checkpoint that `config.resume` asks for; None where it asks for none, or "auto" finds none.

    Raises RunnerError where the run that was named cannot go on.
    """
    if config.resume is None:
        return None
    own = settings(config)
    if config.resume == "auto":
        for folder in _interrupted(config):
            about = _first_about(folder)
            if about is not None and about["fingerprint"] == own and not is_locked(folder / FOLDER):
                return _last_whole(folder)
        return None
    folder = _named(config)
    found = _last_whole(folder)
    differences = _differences(found.about["fingerprint"], own)
    if differences:
        raise RunnerError(
            f"the run was started with other settings: {', '.join(differences[:5])}",
            place="resume",
            hint="Give the same command again; its settings are in config.yaml of the run's folder.",
        )
    return found


def adopt(config: RunConfig, found: Found) -> RunConfig:
    """The config in the folder of the interrupted run; a folder that was made for a new one is taken away."""
    from runner.config.program import remove_empty_run

    if found.output_dir != config.output_dir:
        remove_empty_run(config.output_dir, has_own_name=config.has_own_folder)
    resolved = {**config.as_dict(), "output_dir": str(found.output_dir)}
    return dataclasses.replace(config, output_dir=found.output_dir, resolved=resolved)


def _interrupted(config: RunConfig) -> Iterator[Path]:
    """Folders with checkpoints where this command may have been before, the last touched first."""
    roots = [config.output_dir] if config.has_own_folder else _siblings(config)
    folders = [folder for folder in roots if checkpoints(folder / FOLDER)]
    yield from sorted(folders, key=lambda folder: (folder / FOLDER).stat().st_mtime, reverse=True)


def _siblings(config: RunConfig) -> list[Path]:
    """The folders of all runs below the same outputs/."""
    depth = 3 if config.is_multirun else 2
    root = config.output_dir.parents[depth - 1]
    return [path.parent for path in root.glob("*/" * depth + FOLDER)]


def _named(config: RunConfig) -> Path:
    assert config.resume is not None
    folder = Path(config.resume).expanduser().absolute()
    if folder.is_dir():
        if not checkpoints(folder / FOLDER):
            raise RunnerError(
                "there is no checkpoint in this folder",
                place=str(folder),
                hint="A run that has finished keeps none; resume=auto looks for one that was interrupted.",
            )
    else:
        wanted = json.dumps({"run_id": config.resume})[1:-1]
        for folder in _interrupted(config):
            try:
                if wanted in (folder / FILE_NAME).read_text("utf8", "replace"):
                    break
            except OSError:
                continue
        else:
            raise RunnerError(
                f"there is no interrupted run {config.resume!r} here",
                place="resume",
                hint="Give its folder (MLflow has it as the run's tag output_dir), or auto.",
            )
    if is_locked(folder / FOLDER):
        raise RunnerError("the run is still being trained", place=str(folder), hint="Wait for it, or end it.")
    return folder


def _last_whole(folder: Path) -> Found:
    problem: RunnerError | None = None
    for step, path in checkpoints(folder / FOLDER):
        try:
            about, arrays = checkpoint.load(path)
            for key, kind in _KINDS.items():
                if not isinstance(about.get(key), kind):
                    raise checkpoint.Damaged(f"the checkpoint says nothing of {key!r}", place=str(path))
            return Found(folder, about, arrays)
        except RunnerError as error:
            problem = problem or error
            print(f"{error}\n  The checkpoint before step {step} is taken, if there is one.", file=sys.stderr)
    raise RunnerError(
        "no checkpoint of the interrupted run is whole", place=str(folder / FOLDER), hint="Start again, without resume."
    ) from problem


def _first_about(folder: Path) -> dict[str, Any] | None:
    """What the newest readable checkpoint says of itself."""
    for _, path in checkpoints(folder / FOLDER):
        try:
            about, _ = checkpoint.load(path)
        except RunnerError:
            continue
        if isinstance(about.get("fingerprint"), dict):
            return about
    return None


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, as `key (then → now)`."""
    return [
        f"{key} ({theirs.get(key, 'absent')} → {ours.get(key, 'absent')})"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
    ]
