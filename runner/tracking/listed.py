"""Past runs as one line each, read from the folders in which they lie; mlflow/listed.py reads the same from MLflow.

Of a run's journal the first line alone is read, so that a thousand runs are listed in a second or two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runner.bounded_yaml import read
from runner.errors import RunnerError
from runner.files import open_file, read_file
from runner.tracking.journal import FILE_NAME as JOURNAL
from runner.tracking.overrides import split_overrides
from runner.tracking.past_run import CONFIG, PREVIOUS, SUMMARY
from runner.tracking.process import is_gone

_NOTES = Path(".hydra") / "overrides.yaml"
_INSIDE = {"checkpoint", "model-best", "model-last", ".hydra"}  # folders of a run in which no other run lies


@dataclass(frozen=True)
class ListedRun:
    """A run. score: of model-best on the dev set, from 0 to 1. began: seconds since 1970. Values that are not known are None."""

    path: str
    status: str  # FINISHED, FAILED, KILLED, PRUNED, RUNNING
    score: float | None = None
    overrides: tuple[str, ...] = ()
    component: str | None = None
    corpus: str | None = None
    seed: int | None = None
    epoch: int | None = None
    began: float | None = None
    seconds: float | None = None
    run_id: str | None = None


def in_folder(root: Path) -> list[ListedRun]:
    """The runs in and below a folder, the latest first. Raises RunnerError if there is no such folder.

    Files that cannot be read are passed over, as are runs that a later run in the same folder has put away.
    """
    if not root.is_dir():
        raise RunnerError(
            "there is no such folder", place=str(root), hint="Name the folder in which runs lie: outputs."
        )
    runs = [run for folder in _run_folders(root.absolute()) if (run := _listed(folder)) is not None]
    return sorted(runs, key=lambda run: run.began or 0.0, reverse=True)


def _run_folders(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _INSIDE and not name.startswith(PREVIOUS))
        if CONFIG in files and (SUMMARY in files or JOURNAL in files):
            yield Path(folder)


def _listed(folder: Path) -> ListedRun | None:
    summary = _mapping(folder / SUMMARY, json.loads)
    config = _mapping(folder / CONFIG, read)
    start = _first_event(folder / JOURNAL)
    if config is None or (summary is None and start is None):
        return None
    summary, start = summary or {}, start or {}
    best = summary.get("best") or {}
    tags = start.get("tags") or {}
    pipeline, corpus = config.get("pipeline") or {}, config.get("corpus") or {}
    status = str(summary.get("status") or ("KILLED" if is_gone(start.get("process")) else "RUNNING"))
    return ListedRun(
        path=str(folder),
        status="PRUNED" if summary.get("pruned") and status == "FINISHED" else status,
        score=best.get("score"),
        overrides=overrides_of(folder, tags),
        component=",".join(pipeline.get("components") or ()) or None,
        corpus=corpus.get("name"),
        seed=config.get("seed"),
        epoch=best.get("epoch"),
        began=start["time"] / 1000 if start.get("time") else _began(folder / CONFIG),
        seconds=summary.get("seconds"),
        run_id=summary.get("run_id"),
    )


def overrides_of(folder: Path, tags: Mapping[str, Any]) -> tuple[str, ...]:
    """The overrides that a run was given, by Hydra's notes in its folder, else by its tags."""
    try:
        words = read(read_file(folder / _NOTES))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        words = None
    if isinstance(words, list):
        return tuple(map(str, words))
    return split_overrides(str(tags.get("overrides", "")))


def _first_event(path: Path) -> dict[str, Any] | None:
    try:
        with open_file(path) as file:
            event = json.loads(file.readline())
    except (OSError, ValueError):
        return None
    return event if isinstance(event, dict) and event.get("event") == "start" else None


def _mapping(path: Path, parse: Any) -> dict[str, Any] | None:
    try:
        value = parse(read_file(path))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _began(path: Path) -> float | None:
    """When a run wrote its config."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None
