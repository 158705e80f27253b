"""`resume=auto`, `resume=RUN_ID`, `resume=FOLDER`: find the interrupted run, and the last checkpoint that is whole.

The settings that decide about the bits (the config without paths, tracking and checkpoints; the code) must be unchanged;
start.py compares the data with the checkpoint once the data is read.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from runner import bounded_yaml
from runner.commands.folder import taken
from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.files import read_file
from runner.launch.fingerprint import PATHS, settings
from runner.launch.folders import remove_empty_run
from runner.launch.results import finished, read_summary
from runner.tracking.base import Resumed
from runner.tracking.journal import FILE_NAME, past_of, store_of
from runner.tracking.mlflow.moved import is_same_store, store_for
from runner.tracking.mlflow.store import store_uri
from runner.tracking.mlflow.sync import look
from runner.tracking.past_run import CONFIG, SUMMARY
from runner.training import checkpoint
from runner.training.keeper import FOLDER, checkpoints, is_locked

_KINDS = {"fingerprint": dict, "data_digest": str, "seconds": float, "training": dict, "result": dict}


@dataclass(frozen=True)
class Checkpoint:
    """The state that an interrupted run goes on from."""

    output_dir: Path
    about: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def resumed(self) -> Resumed:
        training = self.about["training"]
        return Resumed(int(training["sgd"]["step"]) + int(training["n_undone"]), float(self.about["seconds"]))

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Use the checkpoint. Raises RunnerError in place of errors that show that its content does not fit the run."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise RunnerError(
                f"the checkpoint does not fit the run ({type(error).__name__}: {error})",
                place=str(self.output_dir / FOLDER),
                hint="Start again, without resume.",
            ) from error


def checkpoint_for(config: RunConfig, stack: ExitStack) -> Checkpoint | None:
    """The checkpoint that `config.resume` asks for; None if it asks for none, or "auto" finds none.

    The checkpoint's folder is held by `stack` from now on. Raises RunnerError if a run that was named cannot go on, or is
    still being trained.
    """
    if config.resume is None:
        return None
    if config.resume == "auto":
        checkpoint = _last_of_this_command(config, stack)
    else:
        folder = _named(config)
        stack.enter_context(taken(folder))
        checkpoint = _last_whole(folder)
        differences = _differences(checkpoint.about["fingerprint"], settings(config))
        if differences:
            raise RunnerError(
                f"the run was started with other settings: {', '.join(differences[:5])}",
                place="resume",
                hint="Give the same command again; its settings are in config.yaml of the run's folder.",
            )
    if checkpoint is not None:
        _check_store(config, checkpoint.output_dir)
    return checkpoint


def _check_store(config: RunConfig, folder: Path) -> None:
    """Tell the user if the run goes on in another store than before. Raises RunnerError if it is unclear which is meant."""
    past = past_of(folder / FILE_NAME)
    if config.tracking["type"] != "mlflow" or not past:
        return
    before, own = store_of(past), store_uri(config.tracking.get("uri"))
    if store_for(before, own, folder, "tracking.uri") and not is_same_store(before, own):
        print(f"the run's store is gone from {before}: it goes on in {own}", flush=True)


def finished_before(config: RunConfig, fingerprint: str) -> Path | None:
    """The folder in which the run that `resume=auto` asks for has finished; the user is told, also of a finished other run.

    fingerprint: of the run that would begin.
    """
    folders = [config.output_dir] if config.has_own_folder else _siblings(config, SUMMARY)
    known = {folder: finished(folder) for folder in folders}
    done = next((folder for folder in reversed(folders) if known[folder] == fingerprint), None)
    if done is not None:
        score = (read_summary(done).get("best") or {}).get("score")
        told = f", best score {100 * score:.2f}" if isinstance(score, float) else ""
        print(f"has finished before: {done}{told}; without resume=auto it is trained again", flush=True)
        _tell_unsent(done)
        return done
    if config.has_own_folder and known[config.output_dir] is not None:
        differences = _differences(_recorded_settings(config), settings(config))
        what = f"settings: {', '.join(differences[:5])}" if differences else "data or code"
        print(
            RunnerError(
                f"the run in {config.output_dir} has finished, with other {what}",
                place="resume",
                hint="It has kept no checkpoint to go on from, so that this is a new run from its first step.",
            ),
            file=sys.stderr,
            flush=True,
        )
    return None


def _tell_unsent(folder: Path) -> None:
    """Tell the user if MLflow lacks a part of a run that has finished."""
    with suppress(OSError, RunnerError):
        if look(folder / FILE_NAME).state == "unsent":
            print(f"not everything of it reached MLflow: python -m runner sync {shlex.quote(str(folder))}", flush=True)


def _recorded_settings(config: RunConfig) -> dict[str, Any]:
    """The settings of the run that has finished in this run's folder; this run's own if those cannot be read."""
    own = settings(config)
    try:
        kept = bounded_yaml.read(read_file(config.output_dir / CONFIG))
        return {**settings(dataclasses.replace(config, resolved=kept, kept=kept)), "code": own["code"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return own


def _last_of_this_command(config: RunConfig, stack: ExitStack) -> Checkpoint | None:
    """The last checkpoint of the run that the same command began earlier; `stack` holds its folder from now on."""
    own = settings(config)
    for folder in _interrupted(config):
        with ExitStack() as attempt:
            try:
                attempt.enter_context(taken(folder))
            except RunnerError:
                if folder == config.output_dir:
                    raise
                continue
            about = _first_about(folder)
            if about is not None and not _differences(about["fingerprint"], own):
                last = _last_whole(folder)
                stack.enter_context(attempt.pop_all())
                return last
    return None


def adopted(config: RunConfig, folder: Path) -> RunConfig:
    """The config with the folder of an earlier run; a folder that was made for a new run is removed."""
    if folder != config.output_dir:
        remove_empty_run(config.output_dir, has_own_name=config.has_own_folder)
    place = {"output_dir": str(folder)}
    return dataclasses.replace(config, output_dir=folder, resolved=config.resolved | place, kept=config.kept | place)


def _interrupted(config: RunConfig) -> Iterator[Path]:
    """Folders with checkpoints that the same command may have written, the last touched first."""
    roots = [config.output_dir] if config.has_own_folder else _siblings(config, FOLDER)
    folders = [folder for folder in roots if checkpoints(folder / FOLDER)]
    yield from sorted(folders, key=lambda folder: (folder / FOLDER).stat().st_mtime, reverse=True)


def _siblings(config: RunConfig, name: str) -> list[Path]:
    """The folders below the same outputs/ that have a file or folder of that name."""
    depth = 3 if config.is_multirun else 2
    root = config.output_dir.parents[depth - 1]
    return [path.parent for path in sorted(root.glob("*/" * depth + name))]


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
                if wanted in read_file(folder / FILE_NAME).decode("utf8", "replace"):
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


def _last_whole(folder: Path) -> Checkpoint:
    problem: RunnerError | None = None
    for step, path in checkpoints(folder / FOLDER):
        try:
            about, arrays = checkpoint.load(path)
            for key, kind in _KINDS.items():
                if not isinstance(about.get(key), kind):
                    raise checkpoint.Damaged(f"the checkpoint has no {key!r}", place=str(path))
            return Checkpoint(folder, about, arrays)
        except RunnerError as error:
            problem = problem or error
            print(f"{error}\n  The checkpoint before step {step} is taken, if there is one.", file=sys.stderr)
    raise RunnerError(
        "no checkpoint of the interrupted run is whole", place=str(folder / FOLDER), hint="Start again, without resume."
    ) from problem


def _first_about(folder: Path) -> dict[str, Any] | None:
    """The plain values of the newest checkpoint that can be read."""
    for _, path in checkpoints(folder / FOLDER):
        try:
            about, _ = checkpoint.load(path)
        except RunnerError:
            continue
        if isinstance(about.get("fingerprint"), dict):
            return about
    return None


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, as `key (then → now)`. A path of the corpus counts only if its files still exist.

    Whether files that have moved are the same data, their digest tells: see `start.Resumption`.
    """
    return [
        f"{key} ({theirs.get(key, 'absent')} → {ours.get(key, 'absent')})"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key) and not (key in PATHS and _are_gone(theirs.get(key)))
    ]


def _are_gone(paths: Any) -> bool:
    """Whether none of these paths exists any more."""
    named = paths if isinstance(paths, list) else [paths]
    return all(isinstance(one, str) and not Path(one).expanduser().exists() for one in named)
