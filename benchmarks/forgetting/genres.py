"""A tagger of four genres of the English Web Treebank learns a fifth from 200 sentences. What becomes of the four?

The genre stands in the ids of the treebank's documents: answers, email, newsgroup, reviews, weblog. Ways to go on (`init.model`):

    finetune   the 200 sentences alone
    itself     with teacher=itself
    texts      with teacher=itself, and 2,000 old sentences without their annotation beside them

The best epoch is picked on the dev sentences of all genres; old and new genres are scored apart, before and after.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import runner
from benchmarks.defaults.sources import source
from benchmarks.forgetting.runs import Record, Results, points, train, write
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.readers.conllu import conllu

GENRES = ("answers", "email", "newsgroup", "reviews", "weblog")
N_NEW, N_TEXTS = 200, 2000  # sentences
WAYS = ("finetune", "itself", "texts")
PARTS = ("train", "dev", "test")
ByGenre = Mapping[str, Mapping[str, Sequence[Doc]]]  # part → genre → sentences


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genres", nargs="+", choices=GENRES, default=["weblog", "email"], help="the fifth genre")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--update", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of the updates alone")


def run(args: argparse.Namespace) -> str:
    """Measure what is missing; return the table."""
    folder, sentences = Path(args.folder), by_genre()
    results = Results(folder / "genres.jsonl", ("genre", "way", "seed", "update"))
    for seed in args.seeds:
        for genre in args.genres:
            moved = Moved(sentences, genre, seed, folder / f"{genre}-{seed}", args.set)
            for way in args.ways:
                identity = {"genre": genre, "way": way, "seed": seed, "update": " ".join(args.update)}
                results.measure(identity, partial(moved.measure, way, args.update))
    return table(results.records)


def by_genre() -> ByGenre:
    """The treebank's sentences: words, and fine tags."""
    found: dict[str, dict[str, list[Doc]]] = {part: {genre: [] for genre in GENRES} for part in PARTS}
    for part in PARTS:
        path = source("ud_english_ewt", f"en_ewt-ud-{part}.conllu")
        genre, genre_of = "", []
        for line in path.read_text(encoding="utf8").splitlines():
            if line.startswith("# newdoc id = "):
                genre = line.removeprefix("# newdoc id = ").partition("-")[0]
            elif line.startswith("# sent_id"):
                genre_of.append(genre)
        for doc, genre in zip(conllu()(path), genre_of, strict=True):
            found[part][genre].append(Doc(doc.words, doc.spaces, tags=doc.tags))
    return found


class Moved:
    """One experiment: the tagger of the other genres, and its scores."""

    def __init__(self, sentences: ByGenre, genre: str, seed: int, place: Path, settings: Sequence[str]) -> None:
        self._sentences, self.genre, self._place = sentences, genre, place
        self._settings = ["pipeline=tagger", *settings, f"seed={seed}"]
        draw = random.Random(seed)
        self._new = draw.sample(sentences["train"][genre], N_NEW)
        self._texts = draw.sample(self._old("train"), N_TEXTS)
        every = [doc for name in GENRES for doc in sentences["dev"][name]]
        self._dev = write(place / "dev.jsonl", every)

    def _old(self, part: str) -> list[Doc]:
        return [doc for name in GENRES if name != self.genre for doc in self._sentences[part][name]]

    def before(self) -> tuple[Path, Record]:
        """Train the tagger of the four genres, unless it is there; its scores."""
        run, scores = self._place / "before", self._place / "before.json"
        if not scores.exists():
            train_file = write(self._place / "old.jsonl", self._old("train"))
            dev = write(self._place / "old_dev.jsonl", self._old("dev"))
            data = ["corpus=files", f"corpus.train={train_file}", f"corpus.dev={dev}"]
            train([*self._settings[:1], *data, *self._settings[1:], f"output_dir={run}"])
            scores.write_text(json.dumps(self._scores(run)))
        return run, json.loads(scores.read_text())

    def measure(self, way: str, update: Sequence[str]) -> dict[str, Any]:
        """Go on with the sentences of the fifth genre; accuracies of old genres and of the new one, before and after."""
        model, before = self.before()
        new = write(self._place / "new.jsonl", self._new)
        texts = write(self._place / "texts.jsonl", [Doc(doc.words, doc.spaces) for doc in self._texts])
        run = self._place / way
        told = ["teacher=itself"] if way != "finetune" else []
        learned = f"[{new},{texts}]" if way == "texts" else str(new)
        data = ["corpus=files", f"corpus.train={learned}", f"corpus.dev={self._dev}", f"init.model={model}"]
        train([*data, *told, *self._settings[1:], f"output_dir={run}", *update])
        best = json.loads((run / "summary.json").read_text())["best"]
        return {"before": before, "after": self._scores(run), "epoch": best["epoch"]}

    def _scores(self, run: Path) -> Record:
        nlp = runner.load(run, ops="numba")

        def accuracy(docs: Sequence[Doc]) -> float:
            return float(nlp.evaluate([Example.from_doc(doc) for doc in docs])["tag_acc"])

        return {
            f"{what}_{part}": accuracy(docs)
            for part in ("dev", "test")
            for what, docs in (("old", self._old(part)), ("new", self._sentences[part][self.genre]))
        }


def table(records: Sequence[Record]) -> str:
    """One row for each genre and way: changes in points, means over seeds and 95 % intervals."""
    lines = [
        "| fifth genre | way | seeds | old genres: change, dev | test | fifth: change, dev | test |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for one in records:
        groups.setdefault((one["genre"], one["way"], one["update"]), []).append(one)
    for (genre, way, update), some in sorted(groups.items()):
        changes = [
            points([one["after"][f"{what}_{part}"] - one["before"][f"{what}_{part}"] for one in some], 2)
            for what in ("old", "new")
            for part in ("dev", "test")
        ]
        lines.append(f"| {' | '.join([genre, f'{way} {update}'.strip(), str(len(some)), *changes])} |")
    before = {(one["genre"], one["seed"]): one["before"] for one in records}
    for genre in sorted({genre for genre, _ in before}):
        some = [scores for (name, _), scores in before.items() if name == genre]
        old, new = (
            " / ".join(points([one[f"{what}_{part}"] for one in some], 2) for part in ("dev", "test"))
            for what in ("old", "new")
        )
        lines.append(f"Before {genre}, dev / test: old genres {old}; {genre} {new} ({len(some)} seeds).")
    return "\n".join(lines)
