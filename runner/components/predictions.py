"""predictions.jsonl: a model's prediction for each dev doc, and the doc's counts for the scores.

    {"text": "Ada slept.", "words": ["Ada", "slept", "."], "spaces": [true, false, false], "entities": [[0, 3, "PER"]],
     "counts": {"ents_f": [1, 1, 1]}}

Each line is an example in the project's own format, which can be read as a corpus, converted and compared. counts.py
describes `counts`. `words` is left out if no annotation refers to words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.components.counts import Counts
from runner.components.pipeline import Pipeline
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.writers.jsonl import LAYERS, Encoder
from runner.errors import RunnerError
from runner.files import read_file, write_file

FILE_NAME = "predictions.jsonl"


@dataclass(frozen=True)
class Predictions:
    """texts: each doc's text without white space. counts: each doc's counts."""

    texts: list[str]
    counts: list[Counts]


def save(path: Path, pipeline: Pipeline, examples: Sequence[Example]) -> None:
    """Write the file atomically. The examples must be predicted already, in corpus order.

    If the pipeline changes tokens, `save` predicts copies of the docs itself. Raises RunFailed if writing fails.
    """
    if pipeline.changes_tokens:
        examples = pipeline.predicted_copies(examples)
    write_file(path, "".join(_lines(pipeline, examples)))


def load(path: Path) -> Predictions:
    """Read a file that `save` wrote. Raises RunnerError that names the damaged line."""
    try:
        lines = read_file(path).split(b"\n")
    except OSError as error:
        raise RunnerError(f"cannot read: {error.strerror}", place=str(path)) from None
    texts, counts = [], []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
            texts.append("".join(record["text"].split()))
            counts.append({str(key): _checked(value) for key, value in record["counts"].items()})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise RunnerError("this is no prediction of runner", place=f"{path}:{number}") from None
    return Predictions(texts, counts)


def _lines(pipeline: Pipeline, examples: Sequence[Example]) -> Iterator[str]:
    encode = Encoder()
    for example, counts in zip(examples, pipeline.counts(examples), strict=True):
        doc = example.predicted
        line = encode(doc) if _speaks_of_words(doc) else json.dumps({"text": doc.text, "cats": doc.cats}) + "\n"
        yield f'{line[:-2]}, "counts": {json.dumps(counts, ensure_ascii=False)}}}\n'


def _speaks_of_words(doc: Doc) -> bool:
    return doc.has_ents or doc.cats is None or any(getattr(doc, layer) is not None for layer in LAYERS)


def _checked(value: Any) -> Any:
    """Return the value if it is a triple of counts, or triples by label. Raises ValueError or TypeError otherwise."""
    triples = value.values() if isinstance(value, dict) else [value]
    for right, predicted, gold in triples:
        if not (type(right) is type(predicted) is type(gold) is int and 0 <= right <= min(predicted, gold)):
            raise ValueError
    return value
