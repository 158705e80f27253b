"""This project's encoder: `python -m benchmarks.encoder.ours TASK` prints its measurement as a JSON line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.encoder import clock, texts
from benchmarks.measure import blas, versions
from benchmarks.turns import reply
from runner.errors import RunnerError
from runner.model.allocator import IN_TRAINING, keep_freed_memory
from runner.model.dropout import Dropout
from runner.model.encoder.encoder import encoder
from runner.model.kernel import kernel
from runner.model.layout import Layout, Tokens
from runner.model.ops import make_ops
from runner.model.parameters import Parameters


class Ours(NamedTuple):
    """The encoder alone, all of whose weights learn; no dropout, and nothing beside it."""

    model: Any
    parameters: Parameters

    def prepare(self, sentences: Sequence[texts.Sentence]) -> Tokens:
        words = list(dict.fromkeys(chain.from_iterable(sentences)))
        number = {word: i for i, word in enumerate(words)}
        inverse = np.array([number[word] for sentence in sentences for word in sentence], dtype="int64")
        layout = Layout([len(sentence) for sentence in sentences])
        return Tokens(np.zeros((len(words), 0), "uint64"), inverse, layout, words=lambda: words)

    def predict(self, batch: Tokens) -> clock.Rows:
        rows: clock.Rows = self.model.predict(batch).X.T
        return rows

    def update(self, batch: Tokens, gradient: clock.Rows) -> None:
        _, backprop = self.model(batch, True)
        backprop(gradient.T)
        self.parameters.forget_gradient()


def make(folder: str, ops: str) -> Ours:
    """The encoder of a folder."""
    keep_freed_memory(IN_TRAINING)
    dropout = Dropout()
    dropout.reset(0.0, 0)
    model = encoder(folder)("tok2vec", 0, dropout)
    parameters = Parameters(make_ops(ops))
    parameters.bind({"tok2vec": model}, 0)
    return Ours(model, parameters)


def main(text: str) -> int:
    task = json.loads(text)
    try:
        with threadpool_limits(1):
            record = clock.measured(lambda: make(task["encoder"], task["ops"]), task)
            reply(record | {"kernel": kernel(task["ops"]), "blas": blas(), "versions": versions("numpy", "tokenizers")})
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
