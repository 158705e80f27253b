"""A run's training data with the pseudo-labels of its teacher (`teacher=labels`), and what the run tells of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.components.labelling import annotated_labels, pseudo_labelled
from runner.components.pipeline import Pipeline
from runner.components.predictor import Predictor
from runner.components.pseudo_labels import Rule, Written
from runner.components.teacher import Teacher
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.corpus.digests import sha256_of
from runner.launch.fingerprint import code_digest
from runner.model.kernel import kernel
from runner.tracking.initial import initial_model

_NAMED = 8  # labels that a line names


def with_pseudo_labels(
    config: RunConfig, corpus: Corpus, teacher: Predictor, names: Sequence[str]
) -> tuple[Corpus, dict[str, Written]]:
    """The corpus with what the teacher is sure of; component → what was written, which is printed too.

    names: the components that learn and that the teacher has. The labels that the data annotate are those that occur in
    them, or `corpus.partial_labels`.
    """
    rules = {}
    for name in names:
        if config.corpus.partial_labels and teacher.components[name].partial_labels is not None:
            annotated = frozenset(config.corpus.partial_labels)
        else:
            annotated = annotated_labels(teacher.components[name], corpus.train)
        rules[name] = Rule(config.teacher.min_confidence, annotated)
    reference, key = (
        (config.teacher.model, "teacher.model") if config.teacher.model else (config.init.model, "init.model")
    )
    assert reference is not None
    model = initial_model(reference, config.tracking.get("uri"), key)
    code = [code_digest(), *(sha256_of(Path(path).expanduser()) for path in config.code)]
    recipe = json.dumps([model.digest, code, kernel(config.compute.ops)])
    train, written = pseudo_labelled(corpus.train, teacher, rules, recipe)
    for name, one in written.items():
        print(f"{name}: {told(one)}", file=sys.stderr, flush=True)  # stdout may be JSON
    return replace(corpus, train=train), written


def take_labels(pipeline: Pipeline, teacher: Teacher) -> None:
    """Let the components that learn know all labels that the teacher tells them of; the data may have none of these."""
    for name in pipeline.pipe_names:
        for label in teacher.nlp.components[name].labels if teacher.knows(name) else ():
            pipeline.components[name].add_label(label)


def told(written: Written) -> str:
    """What was written, in words.

    >>> from collections import Counter
    >>> told(Written(Counter(PER=1200, LOC=3), 14, 900))
    '1,203 pseudo-labels in 900 texts (PER 1,200, LOC 3); 14 words stay open'
    """
    n = written.labels.total()
    labels = list(written.as_dict()["labels"].items())
    named = ", ".join(f"{label} {count:,}" for label, count in labels[:_NAMED]) + (
        ", …" if len(labels) > _NAMED else ""
    )
    text = f"{n:,} pseudo-label{'s' if n != 1 else ''} in {written.n_docs:,} text{'s' if written.n_docs != 1 else ''}"
    text += f" ({named})" if named else ""
    return text + (f"; {written.n_open:,} words stay open" if written.n_open else "")


def pseudo_label_tags(written: Mapping[str, Written]) -> dict[str, str]:
    """What MLflow is told: a tag a component."""
    return {f"pseudo_labels.{name}": told(one) for name, one in written.items()}
