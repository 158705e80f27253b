"""Trainings in this process, their models' scores, and the file of results that a command adds to."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import runner
from runner.corpus.doc import Doc
from runner.corpus.writers.jsonl import Encoder
from runner.files import write_file
from runner.launch.results import spread

Record = dict[str, Any]


class Results:
    """The lines of a JSON lines file: each has an identity (its values under `keys`) and what was measured."""

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        self._path, self._keys = path, keys
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text("utf8").splitlines() if path.exists() else []
        self.records: list[Record] = [json.loads(line) for line in lines]

    def measure(self, identity: Mapping[str, Any], measure: Callable[[], Mapping[str, Any]]) -> None:
        """Add the record of this identity, unless it is there."""
        if any(all(one.get(key) == identity[key] for key in self._keys) for one in self.records):
            return
        print(" ".join(f"{key}={identity[key]}" for key in self._keys), file=sys.stderr, flush=True)
        record = {**identity, **measure()}
        with self._path.open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        self.records.append(record)


def train(words: Sequence[str]) -> None:
    """One run in this process. Raises SystemExit with what it said where it fails."""
    from runner.__main__ import main as runner_main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = runner_main(["tracking=none", "training.errors=false", *words])
    if code:
        raise SystemExit(said.getvalue()[-2000:])


def write(path: Path, docs: Iterable[Doc], labels: Collection[str] | None = None) -> Path:
    """Write docs as JSON lines. labels: of the entities that are kept; None: all."""
    encode = Encoder()
    lines = []
    for doc in docs:
        kept = [(ent.start, ent.end, ent.label) for ent in doc.ents or () if labels is None or ent.label in labels]
        copy = Doc(doc.words, doc.spaces, ents=kept) if labels is not None else doc
        lines.append(encode(copy))
    write_file(path, "".join(lines))
    return path


def entities_f(model: Path, gold: Sequence[Doc], labels: Collection[str]) -> float:
    """Micro F of the entities of these labels, 0 to 1; entities of other labels are ignored on both sides."""
    found = list(runner.load(model, ops="numba").pipe([doc.copy_unannotated() for doc in gold]))
    n_right = n_found = n_gold = 0
    for ours, theirs in zip(found, gold, strict=True):
        a, b = ({(e.start, e.end, e.label) for e in doc.ents or () if e.label in labels} for doc in (ours, theirs))
        n_right, n_found, n_gold = n_right + len(a & b), n_found + len(a), n_gold + len(b)
    return 2 * n_right / max(n_found + n_gold, 1)


def points(values: Sequence[float], digits: int = 1) -> str:
    """Mean and half of the 95 % interval, in points.

    >>> points([0.5, 0.52, 0.54])
    '52.0 ± 5.0'
    """
    one = spread([100 * value for value in values])
    return f"{one.mean:.{digits}f}" + (f" ± {one.high - one.mean:.{digits}f}" if one.n > 1 else "")
