"""Training data with the pseudo-labels of a teacher, written once, before training.

    labelled, written = pseudo_labelled(examples, teacher, {"ner": Rule(0.9, frozenset(["LOC"]))}, key)

Packed examples are packed again with the new labels; see corpus/packed/packing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.components.base import Component
from runner.components.predictor import Predictor
from runner.components.pseudo_labels import Rule, Written
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import JoinedExamples, PackedExamples, StoredExamples
from runner.corpus.packed.packing import repacked

_WORDS_HELD = 12_000  # labelled at once


def annotated_labels(component: Component, examples: Sequence[Example]) -> frozenset[str]:
    """The labels that the examples annotate for the component. Packed examples are not made for it, but for a few."""
    shown = examples.covering() if isinstance(examples, StoredExamples) else examples
    return frozenset(component.labels_in(shown))


def pseudo_labelled(
    examples: Sequence[Example], teacher: Predictor, rules: Mapping[str, Rule], key: str
) -> tuple[Sequence[Example], dict[str, Written]]:
    """The examples with the labels that the teacher is sure of; and for each component with a rule, what was written.

    The teacher reads the words of the references. key: a text that changes whenever the teacher would write otherwise.
    """
    written = {name: Written() for name in rules}
    if isinstance(examples, JoinedExamples):
        parts = [pseudo_labelled(part, teacher, rules, key) for part in examples.parts]
        for name, one in ((name, one) for _, found in parts for name, one in found.items()):
            written[name].add(one)
        return JoinedExamples([part for part, _ in parts]), written

    def label(references: Iterable[Doc]) -> Iterator[Doc]:
        for some in _held(reference.copy() for reference in references):
            for of_doc in teacher.pseudo_label(some, rules):
                for name, one in of_doc.items():
                    one.n_docs = int(bool(one.labels))
                    written[name].add(one)
            yield from some

    if not isinstance(examples, PackedExamples):
        references = label(one.reference for one in examples)
        pairs = zip(examples, references, strict=True)
        return [Example(one.predicted, reference, alignment=one.alignment) for one, reference in pairs], written
    text = f"{key} {sorted((name, rule.minimum, sorted(rule.annotated)) for name, rule in rules.items())}"
    packed, told = repacked(examples, label, text, lambda: _plain(written))
    return packed, {name: Written.of(one) for name, one in told.items()}


def _plain(written: Mapping[str, Written]) -> dict[str, Any]:
    return {name: one.as_dict() for name, one in written.items()}


def _held(docs: Iterable[Doc]) -> Iterator[list[Doc]]:
    """The docs, in order, in lists of about _WORDS_HELD words."""
    held: list[Doc] = []
    n_words = 0
    for doc in docs:
        held.append(doc)
        n_words += len(doc)
        if n_words >= _WORDS_HELD:
            yield held
            held, n_words = [], 0
    if held:
        yield held
