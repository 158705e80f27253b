"""Labels in order: each step's data annotate one new label alone. What is left of the labels before it?

A recognizer learns the first label, goes on from there with the second, and so on (`init.model`). The dev and test sets of a
step hold all labels so far; the best epoch is picked on dev and scored on test once. Ways to go on:

    finetune   nothing is said: what is not annotated counts as no entity
    partial    corpus.partial_labels: any other label is unknown there
    itself     teacher=itself: the model before tells the labels before
    joint      one training on everything at once, what the others are measured by
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WAYS = ("finetune", "partial", "itself", "joint")
ORDERS = ("PER,LOC,ORG,MISC", "MISC,ORG,PER,LOC", "LOC,MISC,ORG,PER")


@dataclass(frozen=True)
class Run:
    """One chain of trainings. order: the labels, joined by commas."""

    way: str
    order: str
    seed: int


def main(argv: Sequence[str]) -> int:
    """Train what is missing, one line of FOLDER/forgetting.jsonl a chain, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks forgetting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="folder with train.jsonl, dev.jsonl and test.jsonl")
    parser.add_argument("--folder", required=True, help="where runs and results go")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--orders", nargs="+", default=ORDERS, help="labels joined by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of every training")
    args = parser.parse_args(argv)
    folder, results = Path(args.folder), Path(args.folder) / "forgetting.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in results.read_text("utf8").splitlines()] if results.exists() else []
    known = {Run(one["way"], one["order"], one["seed"]) for one in done}
    orders = {"joint": args.orders[:1]}
    wanted = [Run(w, o, s) for s in args.seeds for w in args.ways for o in orders.get(w, args.orders)]
    for run in wanted:
        if run not in known:
            print(f"{run.way} {run.order} seed {run.seed}", file=sys.stderr, flush=True)
            record = {**asdict(run), "steps": list(chain(run, Path(args.data), folder, args.set))}
            with results.open("a", encoding="utf8") as file:
                file.write(json.dumps(record) + "\n")
            done.append(record)
    print(table(done))
    return 0


def chain(run: Run, data: Path, folder: Path, overrides: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Train step by step; yield what each scores on dev and test: F of all labels so far, and of each."""
    labels = run.order.split(",")
    steps = [labels] if run.way == "joint" else [labels[: k + 1] for k in range(len(labels))]
    place = folder / f"{run.way}-{run.order.replace(',', '-')}-{run.seed}"
    before: Path | None = None
    for number, seen in enumerate(steps):
        here = place / str(number)
        here.mkdir(parents=True, exist_ok=True)
        annotated = seen if run.way == "joint" else seen[-1:]
        for part, kept in (("train", annotated), ("dev", seen), ("test", seen)):
            (here / f"{part}.jsonl").write_text("".join(_only(data / f"{part}.jsonl", kept)), "utf8")
        words = [f"corpus.{part}={here / part}.jsonl" for part in ("train", "dev", "test")]
        if before is not None:
            words.append(f"init.model={before}")
            words += {"partial": [f"corpus.partial_labels={json.dumps(annotated)}"], "itself": ["teacher=itself"]}.get(
                run.way, []
            )
        train(["corpus=files", *words, f"seed={run.seed}", f"output_dir={here / 'run'}", "tracking=none", *overrides])
        before = here / "run"
        yield {"labels": seen, **{part: scores(before, here / f"{part}.jsonl") for part in ("dev", "test")}}


def train(words: list[str]) -> None:
    """One run in this process. Raises SystemExit with what it said where it fails."""
    from runner.__main__ import main as runner_main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = runner_main(words)
    if code:
        raise SystemExit(said.getvalue()[-2000:])


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
