"""spaCy's side: the same arguments and output as ours.py. Nothing of this project but the clockwork is imported here.

spaCy reads its own format, made beforehand by convert.py, so that neither its start nor its memory pays for our reader.
Components have their default settings, but for the width and depth of the token vectors where the run names others;
Adam at its default config's settings, with averaged parameters, which that config leaves off. Scored by spaCy's own scorers.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.util import fix_random_seed, minibatch
from thinc.api import Adam, compounding

from benchmarks.jobs import LEARN_RATE, REGIMES, Spec, find_job
from benchmarks.measure import Text, counted, drive, versions

BAG_OF_WORDS = {  # the quickstart's bag of words: single words, 2^18 rows
    "@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1, "no_output_layer": False,
    "length": 262144, "nO": None,
}  # fmt: skip


class Peer:
    """A blank English pipeline with the job's components."""

    def __init__(self, spec: Spec) -> None:
        job = find_job(spec.job)
        fix_random_seed(spec.seed)
        self.random = random.Random(spec.seed)
        self.nlp = spacy.blank("en")
        for name in job.components:
            add_component(self.nlp, name, spec.width, spec.depth)
        self.train = read(self.nlp, Path(spec.data) / "train.spacy")
        self.dev = read(self.nlp, Path(spec.data) / "dev.spacy")
        self.nlp.initialize(lambda: self.train)
        self.sgd = Adam(LEARN_RATE, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True, use_averages=True)
        self.train_words = sum(len(example.reference) for example in self.train)
        regime = REGIMES[spec.batch]
        self.dropout, self.is_by_words = regime.spacy_dropout, regime.unit == "words"
        self.sizes = compounding(regime.start, regime.stop, regime.compound)

    def batches(self, epoch: int) -> Iterator[tuple[list[Example], int]]:
        self.random.shuffle(self.train)
        cut = minibatch_by_words if self.is_by_words else minibatch
        for batch in cut(self.train, size=self.sizes):
            yield batch, sum(len(example.reference) for example in batch)

    def update(self, batch: list[Example]) -> None:
        self.nlp.update(batch, drop=self.dropout, sgd=self.sgd, losses={})

    def texts(self) -> tuple[list[Text], int]:
        return counted([text_of(example.reference) for example in self.dev])

    def predict(self, texts: list[Text]) -> list[Doc]:
        return list(self.nlp.pipe(Doc(self.nlp.vocab, words=words, spaces=spaces) for words, spaces in texts))

    def score(self, docs: list[Doc]) -> Mapping[str, float]:
        found = [Example(doc, example.reference) for doc, example in zip(docs, self.dev, strict=True)]
        return scores_of(self.nlp, found)

    def averaged(self) -> Any:
        return self.nlp.use_params(self.sgd.averages)


def add_component(nlp: Any, name: str, width: int, depth: int) -> None:
    """A component with its default model, but for width and depth."""
    if name in ("textcat_bow", "textcat_bow_pairs"):
        ngram_size = 2 if name == "textcat_bow_pairs" else 1
        nlp.add_pipe("textcat", config={"model": {**BAG_OF_WORDS, "ngram_size": ngram_size}})
    elif name == "textcat":
        size = {"embed": {"width": width}, "encode": {"width": width, "depth": depth}}
        nlp.add_pipe(name, config={"model": {"tok2vec": size}})
    else:
        nlp.add_pipe(name, config={"model": {"tok2vec": {"width": width, "depth": depth}}})


def read(nlp: Any, path: Path) -> list[Example]:
    """Gold docs, each beside an unannotated copy of its tokens."""
    docs = DocBin().from_disk(path).get_docs(nlp.vocab)
    examples = []
    for doc in docs:
        words, spaces = text_of(doc)
        examples.append(Example(Doc(nlp.vocab, words=words, spaces=spaces), doc))
    return examples


def text_of(doc: Doc) -> Text:
    return [token.text for token in doc], [bool(token.whitespace_) for token in doc]


def scores_of(nlp: Any, examples: list[Example]) -> dict[str, float]:
    """Every component's scores that are single numbers."""
    scores: dict[str, float] = {}
    for _, component in nlp.pipeline:
        found = component.score(examples)
        scores |= {key: float(value) for key, value in found.items() if isinstance(value, (int, float))}
    return scores


def measure(spec: Spec) -> dict[str, Any]:
    """Run a spec in this process."""
    assert spec.epochs is not None
    found = drive(
        Peer(spec),
        score_weights=find_job(spec.job).score,
        epochs=spec.epochs,
        words=spec.words,
        evals=spec.evals,
        is_curve=spec.kind == "accuracy",
    )
    return {**found, "versions": versions("spacy", "thinc", "numpy")}


if __name__ == "__main__":
    from benchmarks.turns import reply

    reply(measure(Spec.from_json(sys.argv[1])))
