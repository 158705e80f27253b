"""One measurement inside of its own process: warm up, then time prediction, or forward and backward, over all batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoder import texts
from benchmarks.measure import Stopwatch, machine, peak_mb

Rows = NDArray[np.float32]


class Encoder(Protocol):
    """What is measured. The vector of a word is that of its first word piece."""

    def prepare(self, sentences: Sequence[texts.Sentence]) -> Any:
        """The input of one batch; not timed."""

    def predict(self, batch: Any) -> Rows:
        """The vectors of all words of a batch: (n_words, width)."""

    def update(self, batch: Any, gradient: Rows) -> None:
        """Forward without dropout, backward from `gradient` (n_words, width), and gradients set back to zero."""


def measured(make: Callable[[], Encoder], task: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one side.

    task: "texts" (a file), "phase" ("predict" or "train"), "order" of the batches, "words" to time at least, and "outputs",
    a file that receives the vectors of all words in the order of the texts, untimed, or "".
    """
    encoder = make()
    sentences = texts.read(task["texts"])
    cut = texts.batches(texts.first(sentences, task["words"]), task["order"])
    prepared = [encoder.prepare(batch) for batch in cut]
    sizes = [sum(map(len, batch)) for batch in cut]
    if task["phase"] == "predict":
        width = encoder.predict(prepared[0]).shape[1]

        def step(batch: Any, n: int) -> Any:
            return encoder.predict(batch)

    else:
        width = encoder.predict(encoder.prepare([["word"]])).shape[1]
        gradient = np.random.default_rng(0).standard_normal((max(sizes), width), dtype="float32")

        def step(batch: Any, n: int) -> Any:
            return encoder.update(batch, gradient[:n])

        step(prepared[0], sizes[0])
    watch = Stopwatch()
    watch.start()
    for batch, n in zip(prepared, sizes, strict=True):
        step(batch, n)
    watch.stop()
    peak = peak_mb()
    if task["outputs"]:
        rows = [encoder.predict(encoder.prepare(batch)) for batch in texts.batches(sentences, "corpus")]
        np.save(Path(task["outputs"]), np.concatenate(rows))
    return {
        "n_words": sum(sizes), "cpu_seconds": watch.cpu, "wall_seconds": watch.wall, "peak_mb": peak,
        "machine": machine(),
    }  # fmt: skip
