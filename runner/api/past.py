"""`runner.runs`: past runs as a table of pandas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunnerError

if TYPE_CHECKING:
    import pandas

    from runner.tracking.listed import ListedRun

OUTPUTS = Path("outputs")  # where runs without an output_dir lie
_BESIDE = (
    "output_dir=",
    "tracking",
    "resume=",
    "force=",
    "fail_fast=",
    "code=",
    "hydra",
)  # words that change no result


def runs(folder: str | Path | None = None, *, uri: str | None = None) -> pandas.DataFrame:
    """A row for each past run, the latest first.

        runs = runner.runs()
        print(runs[runs.component == "ner"].sort_values("score", ascending=False).head())

    folder: list the runs in and below it. Without a folder the runs of an MLflow store are listed: of `uri`, else of
    MLFLOW_TRACKING_URI, else of mlflow.db in the current folder; where there is none of these, the runs below outputs/.

    Columns: score (of model-best on the dev set, from 0 to 1), differs (the overrides that not all of the runs share), component,
    corpus, seed, status, epoch, start (local time), seconds, path, run_id (in MLflow). A value that is not known is missing.

    Raises RunnerError if there is no such folder or store, or neither a store nor outputs/.
    """
    import pandas

    listed = _listed(folder, uri)
    differs = _differing([run.overrides for run in listed])
    frame = pandas.DataFrame(
        [
            {
                "score": run.score,
                "differs": words,
                "component": run.component,
                "corpus": run.corpus,
                "seed": run.seed,
                "status": run.status,
                "epoch": run.epoch,
                "start": pandas.Timestamp.fromtimestamp(int(run.began)) if run.began else pandas.NaT,
                "seconds": run.seconds,
                "path": run.path,
                "run_id": run.run_id,
            }
            for run, words in zip(listed, differs, strict=True)
        ],
        columns=[
            "score",
            "differs",
            "component",
            "corpus",
            "seed",
            "status",
            "epoch",
            "start",
            "seconds",
            "path",
            "run_id",
        ],
    )
    return frame.astype({"score": "float64", "seed": "Int64", "epoch": "Int64", "seconds": "float64"})


def _listed(folder: str | Path | None, uri: str | None) -> list[ListedRun]:
    from runner.tracking.listed import in_folder
    from runner.tracking.mlflow.store import sqlite_path, store_uri

    if folder is not None:
        if uri is not None:
            hint = "Give one of them: runs are read from their folders, or from MLflow."
            raise RunnerError("folder and uri are given both", place="runner.runs", hint=hint)
        return in_folder(Path(folder))
    if uri is None:
        default = sqlite_path(store_uri(None))
        if default is not None and not default.is_file():
            if not OUTPUTS.is_dir():
                hint = "Name the folder of your runs: runner.runs(FOLDER)."
                raise RunnerError(
                    f"there is neither {default} nor a folder outputs/ here", place="runner.runs", hint=hint
                )
            return in_folder(OUTPUTS)
    from runner.tracking.mlflow.listed import in_store

    return in_store(uri)


def _differing(overrides: Sequence[Sequence[str]]) -> list[str]:
    """Of each run the overrides that not all runs share, without those that change no result.

    >>> _differing([("pipeline=ner", "seed=0", "output_dir=a"), ("pipeline=ner", "seed=1", "output_dir=b")])
    ['seed=0', 'seed=1']
    """
    shared = set.intersection(*map(set, overrides)) if len(overrides) > 1 else set()
    return [
        " ".join(word for word in words if word not in shared and not word.startswith(_BESIDE)) for words in overrides
    ]
