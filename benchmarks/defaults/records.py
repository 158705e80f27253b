"""The file of results: one line of JSON a finished run, and which runs those lines make superfluous.

A record has the keys of `Run`, "name", "commit", "measured"; from the process that trained "curve" (for each evaluation its
step, epoch, cpu_seconds and score), "cpu_seconds" (training alone), "words", "train_words", "steps", "dev" and "test" (the
scores of the best epoch), "peak_mb" (10^6 bytes), "versions", "machine"; of ours "settings", of spaCy's "is_cut".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.defaults.cells import SCORES, Cell, Run
from benchmarks.report import best_score

RUNS = "runs.jsonl"
PATIENCE = 1600  # steps without a better score, after which spaCy's side stops
LONG = 600.0  # CPU seconds of spaCy's side: at all examples of a corpus one seed is enough then

Record = Mapping[str, Any]


def read(folder: Path) -> list[dict[str, Any]]:
    """The records of a folder, in the file's order; a line that was not finished is left out.

    Of several records with the same name and settings the last one counts: runs may be repeated.
    """
    path = folder / RUNS
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    records: dict[Any, dict[str, Any]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records.pop(key_of(record), None)
        records[key_of(record)] = record
    return list(records.values())


def read_all(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The records of several folders; of the same run and settings, the first folder's counts."""
    records: dict[Any, dict[str, Any]] = {}
    for folder in reversed(folders):
        records |= {key_of(record): record for record in read(folder)}
    return list(records.values())


def append(folder: Path, record: Record) -> None:
    """Add a line. One write: the lines of several processes never mix."""
    with (folder / RUNS).open("ab+", buffering=0) as file:
        is_torn = file.tell() > 0 and _last_byte(file) != b"\n"  # a line that a killed process left
        file.write((b"\n" if is_torn else b"") + (json.dumps(record) + "\n").encode())


def _last_byte(file: Any) -> bytes:
    file.seek(-1, 2)
    found: bytes = file.read(1)
    return found


def key_of(record: Record) -> tuple[str, tuple[str, ...]]:
    """What tells runs apart: the name, and the settings of our side."""
    return record["name"], tuple(record.get("settings", ()))


def run_of(record: Record) -> Run:
    return Run(*(record[key] for key in ("side", "component", "corpus", "size", "seed")))


def cell_of(record: Record) -> Cell:
    return run_of(record).cell


def dev_of(record: Record) -> float:
    """The component's score on dev, of the best epoch."""
    return float(record["dev"][SCORES[record["component"]]])


def test_of(record: Record) -> float:
    """The component's score on test, of the best epoch on dev."""
    return float(record["test"][SCORES[record["component"]]])


def whole_seconds(record: Record) -> float:
    """CPU seconds of a training; of one that was cut, at least those that its patience would have taken.

    >>> curve = [{"step": 200, "score": 0.5}, {"step": 400, "score": 0.4}]
    >>> whole_seconds({"curve": curve, "cpu_seconds": 80.0, "steps": 400, "is_cut": True})
    360.0
    """
    seconds = float(record["cpu_seconds"])
    if not record.get("is_cut"):
        return seconds
    best = best_score(record)
    best_step = next(point["step"] for point in record["curve"] if point["score"] == best)
    return max(seconds, seconds / record["steps"] * (best_step + PATIENCE))


def is_enough(run: Run, first_seed: int, largest: int, records: Iterable[Record]) -> bool:
    """Whether the run's cell needs no further seed: all examples of a corpus, and long for spaCy's side.

    largest: the number of all examples. Without a record of spaCy's first seed the answer is no.
    """
    if run.size != largest or run.seed == first_seed:
        return False
    name = Run("spacy", run.component, run.corpus, run.size, first_seed).name
    return any(whole_seconds(record) > LONG for record in records if record["name"] == name)


def of_settings(records: Iterable[Record], settings: Sequence[str]) -> list[Record]:
    """The records of our sides with these settings, and all of spaCy's."""
    return [one for one in records if one["side"] == "spacy" or list(one.get("settings", ())) == list(settings)]
