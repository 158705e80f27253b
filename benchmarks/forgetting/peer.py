"""spaCy's way to keep old labels: `nlp.rehearse` beside `nlp.update`, on the same texts.

    ner.add_label(label); sgd = nlp.resume_training()       the model as it is now is what is rehearsed
    nlp.update(batch); nlp.rehearse(batch's texts)          batch by batch

Batches of 100 to 1,000 words, dropout .1, Adam with averages, as in benchmarks/defaults/peer.py; an evaluation an epoch, of
which the best on dev is kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.corpus.readers.jsonl import jsonl

EPOCHS = 8


class Rehearsed:
    """A pipeline with a recognizer, which learns one label after the other."""

    def __init__(self, seed: int) -> None:
        import spacy
        from spacy.util import fix_random_seed

        fix_random_seed(seed)
        self._random = random.Random(seed)
        self.nlp = spacy.blank("en")
        self._ner: Any = self.nlp.add_pipe("ner")
        self._is_first = True

    def learn(self, folder: Path, label: str) -> None:
        """Learn from train.jsonl, where this label alone is annotated; keep the epoch that is best on dev.jsonl."""
        from thinc.api import Adam

        train, dev = (self._examples(folder / f"{part}.jsonl") for part in ("train", "dev"))
        sgd = Adam(0.001, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True, use_averages=True)
        if self._is_first:
            self.nlp.initialize(lambda: train)
        else:
            self._ner.add_label(label)
            self.nlp.resume_training(sgd=sgd)
        best, kept = -1.0, self.nlp.to_bytes()
        for _ in range(EPOCHS):
            for batch in self._batches(train):
                self.nlp.update(batch, drop=0.1, sgd=sgd)
                if not self._is_first:
                    self.nlp.rehearse(self._texts(batch), sgd=sgd)
            with self.nlp.use_params(sgd.averages):
                f = self._f(dev)["all"]
                if f > best:
                    best, kept = f, self.nlp.to_bytes()
        self.nlp.from_bytes(kept)
        self._is_first = False

    def scores(self, path: Path) -> dict[str, float]:
        """F of all labels, and of each, on a file."""
        return self._f(self._examples(path))

    def _examples(self, path: Path) -> list[Any]:
        from spacy.tokens import Doc
        from spacy.training import Example

        from benchmarks.convert import spacy_doc

        golds = [spacy_doc(self.nlp.vocab, doc, []) for doc in jsonl()(path)]
        return [
            Example(Doc(self.nlp.vocab, [t.text for t in gold], [bool(t.whitespace_) for t in gold]), gold)
            for gold in golds
        ]

    def _batches(self, train: list[Any]) -> Iterator[list[Any]]:
        from spacy.training.batchers import minibatch_by_words
        from thinc.api import compounding

        self._random.shuffle(train)
        yield from minibatch_by_words(train, size=compounding(100.0, 1000.0, 1.001))

    def _texts(self, batch: Sequence[Any]) -> list[Any]:
        from spacy.training import Example

        return [Example(one.predicted.copy(), one.predicted.copy()) for one in batch]

    def _f(self, examples: Sequence[Any]) -> dict[str, float]:
        from spacy.training import Example

        docs = self.nlp.pipe([one.predicted.copy() for one in examples])
        found = self._ner.score([Example(doc, one.reference) for doc, one in zip(docs, examples, strict=True)])
        return {"all": found["ents_f"] or 0.0, **{label: row["f"] for label, row in found["ents_per_type"].items()}}
