"""spaCy's side of one run: `python -m benchmarks.defaults.peer JSON`, with the keys of ours.py's `Work`.

A blank pipeline with the component's default model, trained as `spacy train` does with its default settings: batches of
100 to 1,000 words, dropout .1, Adam at .001 with L2 .01, an evaluation every 200 steps, until 1,600 steps have brought
nothing better, at most 20,000. One difference is to spaCy's advantage: its parameters are averaged. One may cost it a
little: a training is cut after `most_seconds` CPU seconds, long after most curves are flat, and the record says so.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.util import fix_random_seed
from thinc.api import Adam, compounding

from benchmarks.convert import spacy_doc
from benchmarks.defaults.ours import Work, files_of, numbers
from benchmarks.defaults.records import PATIENCE
from benchmarks.measure import machine, peak_mb, versions
from benchmarks.peer import BAG_OF_WORDS, read, scores_of, text_of
from runner.corpus.readers.jsonl import jsonl

EVAL_EVERY, MOST_STEPS = 200, 20_000


def most_seconds(size: int) -> float:
    """CPU seconds of training after which a cell of `size` docs is cut."""
    return next((seconds for most, seconds in ((300, 90.0), (1200, 120.0), (4000, 180.0)) if size <= most), 400.0)


def measure(work: Work) -> dict[str, Any]:
    """Train in this process. Returns plain values: a record without its name and date."""
    run = work.run
    fix_random_seed(run.seed)
    nlp = pipeline_of(run.component)
    train, dev, test = (examples(nlp, Path(work.folder) / run.corpus, stem) for stem in files_of(run).values())
    nlp.initialize(lambda: train)
    sgd = Adam(0.001, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True, use_averages=True)
    train_words = sum(len(example.reference) for example in train)
    source = batches(train, run.seed)
    curve: list[dict[str, Any]] = []
    best: dict[Any, Any] = {}
    best_scores: dict[str, float] = {}
    best_score, best_step, cpu, words, steps, is_cut = -1.0, 0, 0.0, 0, 0, False
    while steps < MOST_STEPS and steps - best_step < PATIENCE and not is_cut:
        began = time.process_time()
        for _ in range(EVAL_EVERY):
            batch = next(source)
            nlp.update(batch, drop=0.1, sgd=sgd, losses={})
            words += sum(len(example.reference) for example in batch)
            steps += 1
            if cpu + time.process_time() - began > most_seconds(run.size):
                is_cut = True
                break
        cpu += time.process_time() - began
        with nlp.use_params(sgd.averages):
            scores = scored(nlp, dev)
        score = sum(scores[key] * weight for key, weight in run.weights.items())
        curve.append(
            {"step": steps, "epoch": round(words / train_words, 3), "cpu_seconds": round(cpu, 3), "score": score}
        )
        if score > best_score:
            best_score, best_step, best_scores = score, steps, numbers(scores)
            best = {key: value.copy() for key, value in sgd.averages.items()}
    with nlp.use_params(best):
        tested = numbers(scored(nlp, test))
    return {
        "curve": curve, "cpu_seconds": round(cpu, 3), "words": words, "train_words": train_words, "steps": steps,
        "dev": best_scores, "test": tested, "is_cut": is_cut, "peak_mb": round(peak_mb()),
        "versions": versions("spacy", "thinc"), "machine": machine(),
    }  # fmt: skip


def pipeline_of(component: str) -> Any:
    """A blank pipeline with one component."""
    nlp = spacy.blank("en")
    if component == "textcat_bow":
        nlp.add_pipe("textcat", config={"model": BAG_OF_WORDS})
    else:
        nlp.add_pipe(component)
    return nlp


def batches(train: list[Example], seed: int) -> Iterator[list[Example]]:
    """Batches without end; the examples are shuffled before each epoch."""
    draw, sizes = random.Random(seed), compounding(100.0, 1000.0, 1.001)
    while True:
        draw.shuffle(train)
        yield from minibatch_by_words(train, size=sizes)


def examples(nlp: Any, folder: Path, stem: str) -> list[Example]:
    """The docs of a file, converted once to spaCy's format."""
    path = folder / f"{stem}.spacy"
    if not path.is_file():
        docs = list(jsonl()(folder / f"{stem}.jsonl"))
        labels = sorted({label for doc in docs for label in doc.cats or ()})
        unfinished = path.with_suffix(f".part{time.time_ns()}")
        DocBin(docs=[spacy_doc(nlp.vocab, doc, labels) for doc in docs], store_user_data=True).to_disk(unfinished)
        unfinished.replace(path)
    return read(nlp, path)


def scored(nlp: Any, gold: list[Example]) -> Mapping[str, float]:
    """The component's scores on the gold docs' words."""
    made = [spacy.tokens.Doc(nlp.vocab, *text_of(example.reference)) for example in gold]
    return scores_of(nlp, [Example(doc, one.reference) for doc, one in zip(nlp.pipe(made), gold, strict=True)])


if __name__ == "__main__":
    from benchmarks.turns import reply

    reply(measure(Work.from_json(sys.argv[1])))
