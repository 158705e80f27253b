"""A run that is over, as plain values, read here from its folder, in mlflow/runs.py from MLflow.

The folder's journal tells everything. Without a journal (tracking=none) config.yaml and summary.json tell all but the curves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.components.predictions import FILE_NAME as PREDICTIONS
from runner.errors import RunnerError
from runner.files import read_file
from runner.tracking.journal import FILE_NAME as JOURNAL
from runner.tracking.journal import flatten, read_journal
from runner.tracking.metric_names import (
    BATCH_LOSS,
    BATCH_WORDS,
    EPOCH,
    PREDICTION_SPEED,
    SCORE,
    SECONDS,
    TRAIN_SPEED,
    TRAIN_WORDS,
)

CONFIG, SUMMARY, META = "config.yaml", "summary.json", "meta.json"
BEST, LAST = "model-best", "model-last"
ERRORS = "errors.html"  # what model-best gets wrong on the dev set, see commands/run_page.py
CONFUSION = "confusion.svg"  # beside it: gold labels by predicted labels
PREVIOUS = "previous-run"  # inside a run's folder: the run that was in it before
KERNEL = "kernel"  # tag, and key of summary.json: which machine code computed, see model/ops/


@dataclass(frozen=True)
class Point:
    """An evaluation. loss: per word, of the updates since the one before; None where it is not known."""

    step: int
    epoch: float
    score: float | None  # None: the dev set has no gold
    loss: float | None = None


@dataclass(frozen=True)
class PastRun:
    """Values that are not known are None, or missing from the mapping."""

    place: str  # as the user named it
    name: str
    status: str  # FINISHED, FAILED, KILLED; RUNNING where nothing says how it ended
    run_id: str | None = None  # in MLflow
    uri: str | None = None  # of that store
    experiment: str | None = None  # its name there
    params: Mapping[str, str] = field(default_factory=dict)  # the config by dotted keys, output_dir left out
    config: Mapping[str, Any] | None = None  # the same, nested, from config.yaml
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, str]] = ()  # name, split, source, digest of each file
    points: Sequence[Point] = ()
    best: Mapping[str, float] = field(default_factory=dict)  # score, epoch, step
    scores: Mapping[str, float] = field(default_factory=dict)  # of the best evaluation
    final: Mapping[str, float] = field(default_factory=dict)  # score, epoch, step of the last evaluation
    figures: Mapping[str, float] = field(default_factory=dict)  # train_words, seconds, train_words_per_second, …
    weights: Mapping[str, str] = field(default_factory=dict)  # model → sha256 of its weights
    predictions: Path | None = None  # the file, see components/predictions.py

    def digests(self, split: str) -> list[str] | None:
        """Checksums of the files that a split of the corpus was read from; None if they are not known."""
        digests = sorted(dataset["digest"] for dataset in self.datasets if dataset["split"] == split)
        return digests or None


def from_folder(folder: Path) -> PastRun:
    """Read the folder of a run. Raises RunnerError where it is none."""
    summary = _mapping(folder / SUMMARY, json.loads)
    if summary is None:
        raise RunnerError(
            "this is not the folder of a run: it has no summary.json",
            place=str(folder),
            hint="Of a multirun, name the folders of its jobs, or the whole: --sweep FOLDER."
            if any(folder.glob(f"*/{SUMMARY}"))
            else "It is written when a run ends; or name the run by its MLflow id.",
        )
    config = _mapping(folder / CONFIG, yaml.safe_load)
    try:
        return _from_files(folder, summary, config, _journal(folder / JOURNAL))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunnerError(f"the run's files are damaged ({type(error).__name__}: {error})", place=str(folder)) from None


def folders_of(sweep: Path) -> list[Path]:
    """The folders of a multirun's jobs, in the order of their numbers. Raises RunnerError where there are none."""
    folders = [
        path.parent
        for path in sweep.rglob(SUMMARY)
        if (path.parent / CONFIG).is_file() and not path.parent.name.startswith(PREVIOUS)
    ]
    if not folders:
        raise RunnerError("there is no run in this folder", place=str(sweep), hint="Name the folder of a multirun.")
    return sorted(folders, key=lambda folder: [(len(part), part) for part in folder.relative_to(sweep).parts])


def _from_files(
    folder: Path, summary: Mapping[str, Any], config: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]]
) -> PastRun:
    start = next((event for event in events if event["event"] == "start"), {})
    metrics = [event for event in events if event["event"] == "metrics"]
    evaluations = [event for event in events if event["event"] == "evaluation"]
    settings = {key: value for key, value in (config or {}).items() if key != "output_dir"}
    best = summary.get("best") or {}
    weights = {}
    for name in (BEST, LAST):
        meta = _mapping(folder / name / META, json.loads) or {}
        if meta.get("weights_sha256"):
            weights[name] = str(meta["weights_sha256"])
    tags = dict(start.get("tags", {}))
    if not tags and (digest := (_mapping(folder / LAST / META, json.loads) or {}).get("data_digest")):
        tags = {"data_digest": str(digest)}
    if summary.get(KERNEL):
        tags[KERNEL] = str(summary[KERNEL])  # the journal's start does not know of those that came later
    last: Mapping[str, Any] = evaluations[-1] if evaluations else {}
    values = last.get("values", {})
    end: Mapping[str, Any] = next((event["values"] for event in reversed(events) if event["event"] == "finish"), {})
    names = {"train_words": TRAIN_WORDS, "seconds": SECONDS, "train_words_per_second": TRAIN_SPEED}
    figures = {key: end.get(name, summary.get(key)) for key, name in names.items()}
    figures["prediction_words_per_second"] = values.get(PREDICTION_SPEED)
    path = folder / PREDICTIONS
    return PastRun(
        place=str(folder),
        name=str(start.get("name") or folder.name),
        status=str(summary.get("status")),
        run_id=summary.get("run_id"),
        uri=start.get("uri"),
        experiment=start.get("experiment"),
        params=start.get("params") or flatten(settings),
        config=config,
        tags=tags,
        datasets=start.get("datasets", ()),
        points=points(
            [(event["step"], event["values"][EPOCH], event["values"].get(SCORE)) for event in evaluations],
            ((event["step"], event["values"][BATCH_LOSS], event["values"][BATCH_WORDS]) for event in metrics),
        ),
        best={key: float(best[key]) for key in ("score", "epoch", "step") if best.get(key) is not None},
        scores={key: float(value) for key, value in best.get("scores", {}).items() if value is not None},
        final=_final(values, last["step"]) if values else {},
        figures={key: float(value) for key, value in figures.items() if value is not None},
        weights=weights,
        predictions=path if path.is_file() else None,
    )


def _final(values: Mapping[str, float], step: int) -> dict[str, float]:
    names = {"score": SCORE, "epoch": EPOCH}
    return {**{key: values[name] for key, name in names.items() if name in values}, "step": step}


def points(
    evaluations: Sequence[tuple[int, float, float | None]], updates: Iterable[tuple[int, float, float]]
) -> list[Point]:
    """evaluations: (step, epoch, score). updates: (step, loss, words) of every step.

    >>> points([(2, 1, 0.5), (4, 2, 0.7)], [(1, 8.0, 2), (2, 4.0, 2), (3, 3.0, 3), (4, 1.0, 5)])[1]
    Point(step=4, epoch=2, score=0.7, loss=0.5)
    """
    curve: list[Point] = []
    queue = sorted(updates)
    position = 0
    for step, epoch, score in sorted(evaluations, key=lambda one: one[:2]):
        loss = words = 0.0
        while position < len(queue) and queue[position][0] <= step:
            loss, words = loss + queue[position][1], words + queue[position][2]
            position += 1
        curve.append(Point(int(step), epoch, score, loss / words if words else None))
    return curve


def weights_sha256(model: Path) -> str | None:
    """The checksum of a model's weights, from its meta.json; None if it is not there."""
    try:
        sha256 = json.loads(read_file(model / META)).get("weights_sha256")
    except (OSError, ValueError, AttributeError):
        return None
    return str(sha256) if sha256 else None


def _journal(path: Path) -> list[dict[str, Any]]:
    try:
        return read_journal(path)
    except OSError:
        return []


def _mapping(path: Path, parse: Any) -> dict[str, Any] | None:
    """None where there is no such file. Raises RunnerError where it is damaged."""
    try:
        value = parse(read_file(path))
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        fact = error.strerror if isinstance(error, OSError) else "the file is damaged"
        raise RunnerError(str(fact), place=str(path)) from None
    if not isinstance(value, dict):
        raise RunnerError("the file is damaged: it holds no mapping", place=str(path))
    return value
