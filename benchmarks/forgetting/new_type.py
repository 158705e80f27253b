"""A recognizer of WNUT17 without one of its types is given a few examples of that type. What becomes of the old types?

Up to 300 sentences with the new type are held back (of rarer types 100). The old model learns from all other sentences,
where the new type's entities are left without annotation. Then it goes on (`init.model`) with 10, 30, 100 or 300 of the
sentences that were held back and 300 old sentences without the new type; in all of them the new type alone is annotated.
Ways to go on:

    finetune   nothing is said: what is not annotated counts as no entity
    partial    corpus.partial_labels: any other label is unknown there
    itself     teacher=itself: the old model tells the old types

The old types are scored without entities of the new one, on dev and test, before and after.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.defaults.corpora import CORPORA, Parts
from benchmarks.forgetting.runs import Record, Results, entities_f, points, train, write

WAYS: Mapping[str, Sequence[str]] = {
    "finetune": (),
    "partial": ("corpus.partial_labels=[{label}]",),
    "itself": ("teacher=itself",),
}
SIZES = (10, 30, 100, 300)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", nargs="+", default=["location", "product"], metavar="LABEL", help="types left out")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="N", help="examples of the new type")
    parser.add_argument("--without", type=int, default=300, metavar="N", help="old sentences without the new type")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--update", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of the updates alone")


def run(args: argparse.Namespace) -> str:
    """Measure what is missing; return the table."""
    folder = Path(args.folder)
    results = Results(folder / "new_type.jsonl", ("label", "way", "size", "without", "seed", "update"))
    parts = CORPORA["wnut17"].read()
    types = sorted({ent.label for doc in parts.train for ent in doc.ents or ()})
    for seed in args.seeds:
        for label in args.labels:
            held = Held(parts, label, types, seed, folder / f"{label}-{seed}", args.set)
            for size in (size for size in args.sizes if size <= len(held.examples)):
                for way in args.ways:
                    identity = {"label": label, "way": way, "size": size, "without": args.without, "seed": seed}
                    measure = partial(held.measure, way, size, args.without, args.update)
                    results.measure({**identity, "update": " ".join(args.update)}, measure)
    return table(results.records)


class Held:
    """The parts of one experiment: the sentences held back, the old model and its scores."""

    def __init__(
        self, parts: Parts, label: str, types: Sequence[str], seed: int, place: Path, settings: Sequence[str]
    ) -> None:
        self.label, self.old = label, [one for one in types if one != label]
        self._parts, self._place, self._settings = parts, place, [*settings, f"seed={seed}"]
        having = [doc for doc in parts.train if any(ent.label == label for ent in doc.ents or ())]
        random.Random(seed).shuffle(having)
        self.examples = having[: 300 if len(having) > 330 else 100]
        self._without = [doc for doc in parts.train if not any(ent.label == label for ent in doc.ents or ())]
        random.Random(seed).shuffle(self._without)
        self._files = {name: write(place / f"{name}.jsonl", getattr(parts, name)) for name in ("dev", "test")}

    def before(self) -> tuple[Path, Record]:
        """Train the old model, unless it is there; its F of the old types."""
        run, scores = self._place / "before", self._place / "before.json"
        if not scores.exists():
            held = set(map(id, self.examples))
            rest = write(self._place / "old.jsonl", [d for d in self._parts.train if id(d) not in held], self.old)
            dev = write(self._place / "old_dev.jsonl", self._parts.dev, self.old)
            train(["corpus=files", f"corpus.train={rest}", f"corpus.dev={dev}", f"output_dir={run}", *self._settings])
            scores.write_text(json.dumps(self._scores(run)))
        return run, json.loads(scores.read_text())

    def measure(self, way: str, size: int, without: int, update: Sequence[str]) -> dict[str, Any]:
        """Go on with so many examples; F of old types and of the new one, before and after."""
        model, before = self.before()
        few = write(self._place / f"new-{size}.jsonl", [*self.examples[:size], *self._without[:without]], [self.label])
        run = self._place / f"{way}-{size}"
        told = [word.format(label=self.label) for word in WAYS[way]]
        data = ["corpus=files", f"corpus.train={few}", f"corpus.dev={self._files['dev']}"]
        train([*data, f"init.model={model}", *told, f"output_dir={run}", *self._settings, *update])
        best = json.loads((run / "summary.json").read_text())["best"]
        return {"before": before, "after": self._scores(run), "epoch": best["epoch"]}

    def _scores(self, run: Path) -> Record:
        return {
            f"{what}_{part}": entities_f(run, getattr(self._parts, part), labels)
            for part in ("dev", "test")
            for what, labels in (("old", self.old), ("new", [self.label]))
        }


def table(records: Sequence[Record]) -> str:
    """One row for each type, way and number of examples: means over seeds and 95 % intervals, in points."""
    lines = [
        "| new type | examples | way | seeds | old types: change, dev | test | new type, dev | test |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for one in records:
        groups.setdefault((one["label"], one["size"], one["way"], one["update"]), []).append(one)
    for (label, size, way, update), some in sorted(groups.items()):
        change = {p: [one["after"][f"old_{p}"] - one["before"][f"old_{p}"] for one in some] for p in ("dev", "test")}
        new = [points([one["after"][f"new_{p}"] for one in some]) for p in ("dev", "test")]
        name = f"{way} {update}".strip()
        cells = [label, str(size), name, str(len(some)), points(change["dev"]), points(change["test"]), *new]
        lines.append(f"| {' | '.join(cells)} |")
    old = {(one["label"], one["seed"]): one["before"] for one in records}
    for label in sorted({label for label, _ in old}):
        some = [before for (name, _), before in old.items() if name == label]
        dev, test = (points([one[f"old_{part}"] for one in some]) for part in ("dev", "test"))
        lines.append(f"Without {label}, before: {dev} on dev, {test} on test ({len(some)} seeds).")
    return "\n".join(lines)
