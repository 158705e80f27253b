"""This project's side: `python -m benchmarks.ours SPEC` (a Spec as JSON) prints its measurement as a JSON line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.jobs import Spec, find_job, our_overrides
from benchmarks.measure import Text, counted, drive, versions
from runner.assemble import make_corpus, make_learner, set_compute
from runner.config.compose import compose
from runner.config.schema import RunConfig
from runner.corpus.batching import shuffled
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.user_code import load_code


class Ours:
    """A pipeline and its corpus as the train command makes them, and that command's loop without its trackers."""

    def __init__(self, config: RunConfig) -> None:
        load_code(config.code)
        set_compute(config)
        self.corpus = make_corpus(config)
        self.pipeline, self.sgd, self.plan = make_learner(config)
        self.pipeline.initialize(lambda: self.corpus.train, sgd=self.sgd)
        self.n_words = np.array([len(example.predicted) for example in self.corpus.train])
        self.train_words = int(self.n_words.sum())

    def batches(self, epoch: int) -> Iterator[tuple[list[Example], int]]:
        order = shuffled(len(self.n_words), (self.plan.seed, epoch))
        for batch in self.plan.batcher(order, self.n_words, self.sgd.step):
            yield [self.corpus.train[i] for i in batch.indices], int(self.n_words[batch.indices].sum())

    def update(self, batch: list[Example]) -> None:
        losses: dict[str, float] = {}
        with np.errstate(all="ignore"):
            self.pipeline.update(batch, drop=self.plan.dropout(self.sgd.step), sgd=self.sgd, losses=losses)

    def texts(self) -> tuple[list[Text], int]:
        return counted([(example.predicted.words, example.predicted.spaces) for example in self.corpus.dev])

    def predict(self, texts: list[Text]) -> list[Doc]:
        docs = [Doc(words, spaces) for words, spaces in texts]
        self.pipeline.predict(docs)
        return docs

    def score(self, docs: list[Doc]) -> Mapping[str, float]:
        found = [
            Example(doc, example.reference, alignment=example.alignment)
            for doc, example in zip(docs, self.corpus.dev, strict=True)
        ]
        scores: dict[str, float] = {}
        for component in self.pipeline.components.values():
            scores.update(component.score(found)[0])
        return scores

    def averaged(self) -> Any:
        return self.pipeline.use_params(self.sgd.averages)


def measure(spec: Spec) -> dict[str, Any]:
    """Run a spec in this process."""
    if spec.data:
        os.environ["RUNNER_DATA_MIRROR"] = spec.data
    overrides = our_overrides(spec)
    config = compose(overrides)
    side = Ours(config)
    found = drive(
        side,
        score_weights=find_job(spec.job).score,
        epochs=config.training.max_epochs,
        words=spec.words,
        evals=spec.evals,
        is_curve=spec.kind == "accuracy",
    )
    return {
        **found,
        "overrides": overrides,
        "versions": versions("thinc", "numpy", *(["numba"] if config.compute.ops == "numba" else [])),
    }


def main(text: str) -> int:
    from benchmarks.turns import reply

    try:
        reply(measure(Spec.from_json(text)))
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
