"""How cost grows: with the corpus (EWT once, four times, sixteen times), and with the length of a doc.

corpus   seconds to the first update (reading included), training words per CPU second over a bounded number of words,
         peak memory; each size in a process of its own. What a million words more cost tells linear growth.
length   CPU seconds of one update and one prediction of one doc, 10 to 3,000 tokens, by component, and the exponent
         p of seconds ~ length^p from 300 tokens on: `python -m benchmarks.scale JOB LENGTHS` measures one job.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.jobs import Spec
from benchmarks.measure import describe, machine, peak_mb
from benchmarks.report import Table, number
from benchmarks.turns import in_process, say

if TYPE_CHECKING:
    from runner.corpus.example import Example

LENGTHS = (10, 30, 100, 300, 1000, 3000)
ASYMPTOTIC = 300  # tokens from which the exponent is fitted
REPEATS = 3
LENGTH_JOBS = ("tagger", "ner", "parser", "textcat")


def measure(
    folder: Path, data: str, *, sizes: Sequence[int], words: int, jobs: Sequence[str] = LENGTH_JOBS,
    lengths: Sequence[int] = LENGTHS, limit: int | None = None, threads: int | None = None, settings: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Both. folder: an empty one, for the repeated corpora. limit: sentences of EWT, to try things out. settings: overrides."""
    text = treebank(data)
    if limit:
        text = "\n\n".join(text.split("\n\n")[:limit]) + "\n\n"
    corpus = []
    for size in sizes:
        path = folder / f"ewt-{size}.conllu"
        with path.open("w", encoding="utf8") as file:
            for _ in range(size):
                file.write(text)
        spec = Spec("speed", "ours", "tagger", "words", epochs=1, words=words, threads=threads, data=data,
                    settings=(f"corpus.train={path}", f"corpus.cache={folder}", *settings))  # fmt: skip
        found = in_process("benchmarks.ours", [spec.to_json()], threads)
        n_words = round(found["train_words"] / found["curve"][-1]["epoch"])
        row = {
            "size": size,
            "words": n_words,
            "cold_start_seconds": found["cold_start_seconds"],
            "train_words_per_second": found["train_words"] / found["train_cpu_seconds"],
            "peak_mb": found["peak_mb"],
        }
        corpus.append(row)
        path.unlink()
        say(f"scale ×{size}: {json.dumps(row)}")
    by_length = {}
    for job in jobs:
        by_length[job] = in_process("benchmarks.scale", [json.dumps([job, list(lengths), list(settings)])], threads)
        say(f"scale {job}: {json.dumps(by_length[job])}")
    return {
        "corpus": corpus,
        "lengths": by_length,
        "trained_words": words,
        "settings": list(settings),
        "machine": machine(),
    }


def treebank(data: str) -> str:
    """EWT's training file. data: folder of the data sets; "" for the mirror or the download."""
    from runner.config.compose import compose
    from runner.corpus.locate import MIRROR_VARIABLE, locate

    if data:
        os.environ[MIRROR_VARIABLE] = data
    (path,) = locate(compose(["corpus=ud_english_ewt"]).corpus.train, "corpus.train")
    return path.read_text(encoding="utf8")


def exponent(lengths: Sequence[float], seconds: Sequence[float], start: float = ASYMPTOTIC) -> float | None:
    """The slope of log seconds over log length, by least squares, from `start` on; None of fewer than two points.

    >>> exponent([100, 1000, 2000, 4000], [9.0, 1.0, 4.0, 16.0])
    2.0
    """
    points = [(math.log(n), math.log(s)) for n, s in zip(lengths, seconds, strict=True) if n >= start and s > 0]
    if len(points) < 2:
        return None
    x, y = zip(*points, strict=True)
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in points) / sum((a - mean_x) ** 2 for a in x)
    return round(slope, 6)


def by_length(job: str, lengths: Sequence[int], settings: Sequence[str] = ()) -> dict[str, Any]:
    """Seconds of one update and one prediction for each length, on the bundled sample's words put end to end."""
    from benchmarks.ours import Ours
    from runner.config.compose import compose

    side = Ours(compose([f"pipeline={job}", "corpus=sample", "tracking=none", *settings]))
    updates, predictions = [], []
    for length in lengths:
        example = long_example(side.corpus.train, length)
        side.update([example])  # what is made once for a doc is made here
        taken: tuple[list[float], list[float]] = [], []
        for _ in range(REPEATS):
            began = time.process_time()
            side.update([example])
            taken[0].append(time.process_time() - began)
            text = example.predicted.words, example.predicted.spaces
            began = time.process_time()
            side.predict([text])
            taken[1].append(time.process_time() - began)
        updates.append(statistics.median(taken[0]))
        predictions.append(statistics.median(taken[1]))
    return {"lengths": list(lengths), "update_seconds": updates, "predict_seconds": predictions, "peak_mb": peak_mb()}


def long_example(examples: Sequence[Example], length: int) -> Example:
    """One doc of exactly so many tokens: docs put end to end, the last one cut.

    Entities that the cut would split are left out; a token whose head falls away becomes a root.
    """
    from runner.corpus.doc import Doc
    from runner.corpus.example import Example

    words: list[str] = []
    tags: list[str | None] = []
    deps: list[str | None] = []
    heads: list[int | None] = []
    ents: list[tuple[int, int, str]] = []
    for example in cycle(examples):
        doc, start = example.reference, len(words)
        words += doc.words
        tags += doc.tags or [None] * len(doc)
        deps += doc.deps or [None] * len(doc)
        heads += [None if head is None else start + head for head in doc.heads or [None] * len(doc)]
        ents += [(start + ent.start, start + ent.end, ent.label) for ent in doc.ents]
        if len(words) >= length:
            break
    kept = [i if head is not None and head >= length else head for i, head in enumerate(heads[:length])]
    reference = Doc(
        words[:length],
        tags=tags[:length],
        heads=kept,
        deps=deps[:length],
        ents=[ent for ent in ents if ent[1] <= length],
        cats=examples[0].reference.cats,
    )
    return Example.from_doc(reference)


def tables(record: Mapping[str, Any]) -> list[Table]:
    """By size of the corpus, and by length of a doc."""
    where = describe(record["machine"])
    rows = []
    before: Mapping[str, Any] | None = None
    for row in record["corpus"]:
        more = ["–", "–"]
        if before is not None:
            millions = (row["words"] - before["words"]) / 1e6
            more = [
                number((row[key] - before[key]) / millions, digits)
                for key, digits in (("cold_start_seconds", 1), ("peak_mb", 0))
            ]
        rows.append(
            [f"×{row['size']}", number(row["words"]), number(row["train_words_per_second"]),
             number(row["cold_start_seconds"], 1), more[0], number(row["peak_mb"]), more[1]]
        )  # fmt: skip
        before = row
    corpus = Table(
        f"Cost by size of the corpus, tagger, {record['trained_words']:,} words trained, {where}",
        [
            "EWT",
            "words",
            "training words/CPU s",
            "s to first update",
            "a million words more",
            "peak MB",
            "a million words more",
        ],
        rows,
        n_text=1,
    )
    lengths: Sequence[int] = next((found["lengths"] for found in record["lengths"].values()), ())
    length = Table(
        f"CPU seconds a doc by its length in tokens, {where}",
        ["job", "step", *(number(n) for n in lengths), "exponent", "peak MB"],
        notes=[f"exponent: p of seconds ~ length^p, from {ASYMPTOTIC} tokens on"],
    )
    for job, found in record["lengths"].items():
        for step in ("update", "predict"):
            seconds = found[f"{step}_seconds"]
            slope = exponent(found["lengths"], seconds)
            cells = [number(value, 4) for value in seconds]
            length.rows.append([job, step, *cells, number(slope, 2), number(found["peak_mb"])])
    if record.get("settings"):
        for table in (corpus, length):
            table.notes.append(f"with {' '.join(record['settings'])}")
    return [corpus, length]


def metrics(record: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in record["corpus"]:
        for name in ("train_words_per_second", "cold_start_seconds", "peak_mb"):
            found[f"scale.x{row['size']}.{name}"] = row[name]
    for job, values in record["lengths"].items():
        for step in ("update", "predict"):
            slope = exponent(values["lengths"], values[f"{step}_seconds"])
            if slope is not None:
                found[f"scale.{job}.{step}_exponent"] = slope
    return found


if __name__ == "__main__":
    from benchmarks.turns import reply

    reply(by_length(*json.loads(sys.argv[1])))
