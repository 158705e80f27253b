"""Labels in order: each step's data annotate one new label alone. What is left of the labels before it?

A recognizer learns the first label, goes on from there with the second, and so on (`init.model`). The dev and test sets of a
step hold all labels so far; the best epoch is picked on dev and scored on test once. Ways to go on:

    finetune   nothing is said: what is not annotated counts as no entity
    partial    corpus.partial_labels: any other label is unknown there
    itself     teacher=itself: the model before tells the labels before
    labels     teacher=labels: the model before writes what it is sure of into the data
    both       teacher=both: its labels where it is sure, its beliefs where it is not
    spacy      spaCy: nlp.rehearse beside nlp.update, on the same texts (peer.py; not by default)
    joint      one training on everything at once, what the others are measured by
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.defaults.corpora import CORPORA
from benchmarks.forgetting.peer import Rehearsed
from benchmarks.forgetting.runs import Results, train, write

WAYS = ("finetune", "partial", "itself", "labels", "both", "spacy", "joint")
ORDERS = ("PER,LOC,ORG,MISC", "MISC,ORG,PER,LOC", "LOC,MISC,ORG,PER")


@dataclass(frozen=True)
class Run:
    """One chain of trainings. order: the labels, joined by commas."""

    way: str
    order: str
    seed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", help="folder with train.jsonl, dev.jsonl and test.jsonl (default: Wikigold)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[way for way in WAYS if way != "spacy"])
    parser.add_argument("--orders", nargs="+", default=ORDERS, help="labels joined by commas")


def run(args: argparse.Namespace) -> str:
    """Train what is missing, one line of FOLDER/forgetting.jsonl a chain; return the table."""
    folder = Path(args.folder)
    data = Path(args.data) if args.data else wikigold(folder / "wikigold")
    results = Results(folder / "forgetting.jsonl", ("way", "order", "seed"))
    orders = {"joint": args.orders[:1]}
    for seed in args.seeds:
        for way in args.ways:
            for order in orders.get(way, args.orders):
                one = Run(way, order, seed)
                results.measure(asdict(one), partial(_steps, one, data, folder, args.set))
    return table(results.records)


def wikigold(folder: Path) -> Path:
    """Write Wikigold's three parts into the folder: three fifths, a fifth, a fifth, in the file's order."""
    for name, docs in CORPORA["wikigold"].read()._asdict().items():
        write(folder / f"{name}.jsonl", docs)
    return folder


def _steps(run: Run, data: Path, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    return {"steps": list(chain(run, data, folder, overrides))}


def chain(run: Run, data: Path, folder: Path, overrides: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Train step by step; yield what each scores on dev and test: F of all labels so far, and of each."""
    labels = run.order.split(",")
    steps = [labels] if run.way == "joint" else [labels[: k + 1] for k in range(len(labels))]
    place = folder / f"{run.way}-{run.order.replace(',', '-')}-{run.seed}"
    before: Path | None = None
    peer = Rehearsed(run.seed) if run.way == "spacy" else None
    for number, seen in enumerate(steps):
        here = place / str(number)
        here.mkdir(parents=True, exist_ok=True)
        annotated = seen if run.way == "joint" else seen[-1:]
        for part, kept in (("train", annotated), ("dev", seen), ("test", seen)):
            (here / f"{part}.jsonl").write_text("".join(_only(data / f"{part}.jsonl", kept)), "utf8")
        if peer is not None:
            peer.learn(here, annotated[0])
            yield {"labels": seen, **{part: peer.scores(here / f"{part}.jsonl") for part in ("dev", "test")}}
            continue
        words = [f"corpus.{part}={here / part}.jsonl" for part in ("train", "dev", "test")]
        if before is not None:
            words.append(f"init.model={before}")
            words += [f"teacher={run.way}"] if run.way in ("itself", "labels", "both") else []
            words += [f"corpus.partial_labels={json.dumps(annotated)}"] if run.way == "partial" else []
        train(["corpus=files", *words, f"seed={run.seed}", f"output_dir={here / 'run'}", *overrides])
        before = here / "run"
        yield {"labels": seen, **{part: scores(before, here / f"{part}.jsonl") for part in ("dev", "test")}}


def scores(run: Path, path: Path) -> dict[str, Any]:
    """F of all labels, and of each, of the run's best model on a file."""
    import runner

    found = runner.load(run).evaluate(list(runner.read_corpus(path)))
    by_label = {label: row["f"] for label, row in found["per_type"]["ner"].items() if row["support"]}
    return {"all": found["ents_f"], **by_label}


def _only(path: Path, labels: Sequence[str]) -> Iterator[str]:
    """The file's lines with the entities of these labels alone."""
    for line in path.read_text("utf8").splitlines():
        record = json.loads(line)
        record["entities"] = [entity for entity in record["entities"] if entity[2] in labels]
        yield json.dumps(record) + "\n"


def table(records: Sequence[dict[str, Any]]) -> str:
    """Means over orders and seeds: at the last step, F of all labels, of those before the last, and of the last; and F of the
    first label at its own step and at the end."""
    lines = [
        "| way | chains | all, dev / test | labels before, test | last label, test | first label, then → now, test |"
    ]
    lines.append("| --- | ---: | --- | ---: | ---: | --- |")
    for way in WAYS:
        own = [one for one in records if one["way"] == way]
        if not own:
            continue
        last = [one["steps"][-1] for one in own]
        new = [one["order"].split(",")[-1] for one in own]
        first = [one["order"].split(",")[0] for one in own]
        old = [
            statistics.mean(step["test"].get(label, 0.0) or 0.0 for label in step["labels"] if label != x)
            for step, x in zip(last, new, strict=True)
        ]
        newest = [step["test"].get(x) or 0.0 for step, x in zip(last, new, strict=True)]
        then = [one["steps"][0]["test"].get(x) or 0.0 for one, x in zip(own, first, strict=True)]
        now = [step["test"].get(x) or 0.0 for step, x in zip(last, first, strict=True)]
        both = " / ".join(_mean([step[part]["all"] for step in last]) for part in ("dev", "test"))
        arrow = "–" if way == "joint" else f"{_mean(then)} → {_mean(now)}"
        lines.append(f"| {way} | {len(own)} | {both} | {_mean(old)} | {_mean(newest)} | {arrow} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    return f"{100 * statistics.mean(values):.1f}"
