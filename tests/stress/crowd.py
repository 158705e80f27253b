"""Many jobs at once into one store: is anything lost, or there twice? Counted against each job's own journal.

python -m tests.stress.crowd --jobs 8                 into one SQLite file
python -m tests.stress.crowd --jobs 8 --postgres      through an MLflow server on PostgreSQL, both started here on loopback
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from runner.tracking.journal import read_journal
from runner.tracking.metric_names import as_shown
from tests.commands.test_resume import TINY
from tests.stress.servers import mlflow_server, postgres


def sweep(folder: Path, n_jobs: int, uri: str) -> tuple[int, str]:
    """That many jobs at once; exit code and all that was printed."""
    words = [*TINY, "-m", f"seed=range(0,{n_jobs})", f"tracking.uri={uri}", "output_dir=sweep",
             "hydra/launcher=joblib", f"hydra.launcher.n_jobs={n_jobs}"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "runner", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def differences(folder: Path, uri: str) -> list[str]:
    """What the store has not, or has other or more often, than the journals of the sweep's jobs say."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    found: list[str] = []
    journals = sorted((folder / "sweep").glob("[0-9]*/journal.jsonl"))
    for path in journals:
        events = read_journal(path)
        run = client.get_run(json.loads((path.parent / "summary.json").read_text())["run_id"])
        name = path.parent.name
        wanted: Counter[Any] = Counter()
        for event in events:
            if event["event"] in ("metrics", "evaluation", "finish"):
                wanted.update(
                    (key, event["step"], as_shown(key, float(value))) for key, value in event["values"].items()
                )
        there: Counter[Any] = Counter()
        for key in run.data.metrics:
            there.update((key, one.step, one.value) for one in client.get_metric_history(run.info.run_id, key))
        if wanted != there:
            found.append(f"job {name}: {(wanted - there).total()} metrics lost, {(there - wanted).total()} too many")
        params = next(event for event in events if event["event"] == "start")["params"]
        if run.data.params != params:
            found.append(f"job {name}: parameters differ")
        artifacts = {one.path for one in client.list_artifacts(run.info.run_id)}
        if not {"config.yaml", "table.txt", "per_type_scores.json"} <= artifacts:
            found.append(f"job {name}: artifacts {sorted(artifacts)}")
        models = client.search_logged_models(
            [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
        )
        if sorted(model.name for model in models) != ["model-best", "model-last"]:
            found.append(f"job {name}: models {[model.name for model in models]}")
        if run.info.status != "FINISHED":
            found.append(f"job {name}: {run.info.status}")
    runs = client.search_runs([client.get_experiment_by_name("runner").experiment_id])
    if len(runs) != len(journals) + 2:  # the sweep's own, and the aggregate of its seeds
        found.append(f"{len(runs)} runs for {len(journals)} jobs")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--postgres", action="store_true")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        if arguments.postgres:
            store = stack.enter_context(postgres(folder))
            uri = stack.enter_context(mlflow_server(folder, store))
        began = time.monotonic()
        code, printed = sweep(folder, arguments.jobs, uri)
        seconds = time.monotonic() - began
        wrong = differences(folder, uri)
        if code:
            wrong.append(f"exit code {code}: {printed[-1000:]}")
        if "locked" in printed:
            wrong.append("database is locked")
        n = sum(len(event["values"]) for path in (folder / "sweep").glob("[0-9]*/journal.jsonl")
                for event in read_journal(path) if event["event"] in ("metrics", "evaluation", "finish"))  # fmt: skip
        print(*wrong, sep="\n")
        where = "an MLflow server on PostgreSQL" if arguments.postgres else "one SQLite file"
        print(f"{arguments.jobs} jobs at once into {where}: {n:,} metrics, {len(wrong)} differences, {seconds:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
