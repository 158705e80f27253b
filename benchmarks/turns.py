"""Runs, each in a process of its own, the sides in turns: A B A B. What was measured before is read from its file.

records = run_all(plan(options), options)
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.jobs import JOBS, Spec, find_job
from runner.errors import RunFailed, RunnerError

ROOT = Path(__file__).resolve().parent.parent
# A run has its side's default threads unless the command line says otherwise, whatever the shell has set.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS")
REPLY = "benchmark: "  # before the JSON line that a run prints


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    jobs: Sequence[str] = ()
    batches: Sequence[str] = ("words", "sentences")
    sides: Sequence[str] = ("ours", "spacy")
    turns: int = 3
    seed: int = 0
    epochs: int | None = None
    words: int | None = None
    limit: int | None = None
    evals: int = 1
    width: int | None = None
    depth: int | None = None
    threads: int | None = None
    settings: Sequence[str] = ()
    data: str | None = None
    save: Path | None = None
    fresh: Sequence[str] = ()


def plan(kind: str, options: Options) -> list[Spec]:
    """All runs of a kind, in the order they are made."""
    names = options.jobs or [name for name, job in JOBS.items() if job.is_default]
    specs = []
    for name in names:
        find_job(name)
        for batch in options.batches:
            for turn in range(options.turns):
                for side in options.sides:
                    specs.append(_spec(kind, side, name, batch, options.seed + turn, options))
    return specs


def _spec(kind: str, side: str, name: str, batch: str, seed: int, options: Options) -> Spec:
    job = find_job(name)
    settings = tuple(options.settings) if side == "ours" else ()
    epochs = options.epochs or (job.epochs if kind == "accuracy" else 2)
    has_own_epochs = any(s.startswith(("experiment=", "training.max_epochs=")) for s in settings)
    return Spec(
        kind=kind,
        side=side,
        job=name,
        batch=batch,
        seed=seed,
        epochs=None if has_own_epochs and (kind == "accuracy" or options.epochs is None) else epochs,
        words=options.words,
        limit=options.limit or None,
        evals=options.evals if kind == "accuracy" else 1,
        width=options.width or job.width,
        depth=options.depth or job.depth,
        threads=options.threads,
        settings=settings,
        data=options.data or "",
    )


def run_all(specs: Sequence[Spec], options: Options) -> list[dict[str, Any]]:
    """The records of all runs, the new ones measured and kept where there is a folder."""
    records = []
    with work_folder(options.save) as folder:
        for i, spec in enumerate(specs, 1):
            path = options.save / spec.name if options.save is not None else None
            about = f"[{i}/{len(specs)}] {spec.kind} {spec.job} {spec.batch} {spec.side} seed {spec.seed}"
            if path is not None and path.is_file() and spec.side not in options.fresh:
                records.append(json.loads(path.read_text(encoding="utf8")))
                say(f"{about}: as kept in {path}")
                continue
            began = time.perf_counter()
            record = dated(spec.as_dict(), run(spec, folder))
            records.append(record)
            if path is not None:
                path.write_text(json.dumps(record, indent=1), encoding="utf8")
            say(f"{about}: {summary(record)} ({time.perf_counter() - began:.0f} s)")
    return records


def run_once(
    kind: str, about: Mapping[str, Any], options: Options, measure: Callable[[Path], Mapping[str, Any]]
) -> dict[str, Any]:
    """A measurement without turns, kept as those with. about: what tells it from others of its kind."""
    spec = {"kind": kind, **about}
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    path = options.save / f"{kind}.{digest}.json" if options.save is not None else None
    if path is not None and path.is_file() and about.get("side", "ours") not in options.fresh:
        say(f"{kind}: as kept in {path}")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf8"))
        return found
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        record = dated(spec, measure(Path(folder)))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1), encoding="utf8")
    say(f"{kind}: done ({time.perf_counter() - began:.0f} s)")
    return record


def dated(spec: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what was asked for, when, and of which state of the code."""
    return {"spec": dict(spec), "commit": commit(), "measured": time.strftime("%Y-%m-%d %H:%M:%S"), **result}


def run(spec: Spec, folder: Path) -> dict[str, Any]:
    """One run in a process of its own. folder: for converted data."""
    if spec.side == "spacy":
        spec = replace(spec, data=str(converted(spec, folder)))
    return in_process(f"benchmarks.{'peer' if spec.side == 'spacy' else 'ours'}", [spec.to_json()], spec.threads)


def converted(spec: Spec, folder: Path) -> Path:
    """The folder with the run's data in spaCy's format; made where it is not there yet."""
    job = find_job(spec.job)
    fold = spec.seed % job.folds if job.folds else None
    name = f"{job.corpus}{f'-fold{fold}' if fold is not None else ''}{f'-{spec.limit}' if spec.limit else ''}"
    overrides = [*job.pipeline, f"corpus={job.corpus}"]
    overrides += [f"corpus.fold={fold}"] if fold is not None else []
    overrides += [f"corpus.limit={spec.limit}"] if spec.limit else []
    target = folder / "converted" / name
    in_process("benchmarks.convert", [str(target), *overrides], None, spec.data, replies=False)
    return target


def in_process(
    module: str,
    arguments: Sequence[str],
    threads: int | None = None,
    data: str = "",
    *,
    replies: bool = True,
    python: str = sys.executable,
) -> dict[str, Any]:
    """Run `python -m module` and read what it replies. Raises RunnerError with its own message where it fails."""
    command = [python, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(threads, data), check=False)
    if done.returncode:
        raise failure(module, done.returncode, done.stderr)
    if not replies:
        return {}
    lines = [line for line in done.stdout.splitlines() if line.startswith(REPLY)]
    if not lines:
        raise RunFailed(f"{module} printed no result")
    result: dict[str, Any] = json.loads(lines[-1].removeprefix(REPLY))
    return result


def environment(threads: int | None = None, data: str = "") -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if key not in THREAD_VARIABLES}
    if threads is not None:
        env |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    if data:
        env["RUNNER_DATA_MIRROR"] = data
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    return env


def failure(module: str, code: int, stderr: str) -> RunnerError:
    """What a process said when it failed, as an error: a user's mistake as it stands, else its last line."""
    lines = [line for line in stderr.splitlines() if line.strip()] or [f"exit code {code}"]
    if code == RunnerError.exit_code and "Traceback" not in stderr:
        return RunnerError(lines[0], hint=" ".join(line.strip() for line in lines[1:3]) or None)
    return RunFailed(f"{module} failed with exit code {code}: {lines[-1]}", hint="\n".join(lines[-4:-1]) or None)


def reply(result: Mapping[str, Any]) -> None:
    """Hand a result to the process that asked for it."""
    print(REPLY + json.dumps(result), flush=True)


@contextmanager
def work_folder(save: Path | None) -> Iterator[Path]:
    """The folder of kept results, or one for the time of the runs."""
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        yield save
        return
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        yield Path(folder)


def commit() -> str:
    """Of this checkout; "" where there is none."""
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def summary(record: Mapping[str, Any]) -> str:
    """One run in a few words.

    >>> summary({"train_words": 90, "train_cpu_seconds": 2, "predict_words": 30, "predict_cpu_seconds": 1,
    ...          "curve": [{"score": 0.5}], "peak_mb": 200})
    'training 45, prediction 30 words/CPU s, score 0.5000, 200 MB'
    """
    best = max(point["score"] for point in record["curve"])
    train = record["train_words"] / max(record["train_cpu_seconds"], 1e-9)
    predict = record["predict_words"] / max(record["predict_cpu_seconds"], 1e-9)
    speeds = f"training {train:,.0f}, prediction {predict:,.0f} words/CPU s"
    return f"{speeds}, score {best:.4f}, {record['peak_mb']:,.0f} MB"


def say(line: str) -> None:
    """Progress, beside the tables."""
    print(line, file=sys.stderr, flush=True)
