"""The labels that training data annotate are found without making every example of data that stay on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

import runner
from runner.components.labelling import annotated_labels
from runner.components.tagger import Tagger
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import PackedExamples
from tests.corpus.packed.test_docs import pack


def test_of_packed_examples_a_few_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = [Doc(["a", "b"], tags=["N", "V" if i == 70 else "N"]) for i in range(100)]
    nlp = runner.blank("en")
    nlp.add_pipe("tagger")
    tagger, shown = nlp.components["tagger"], []
    labels_in = Tagger.labels_in

    def counted(self: Tagger, examples: Iterable[Example]) -> list[str]:
        listed = list(examples)
        shown.append(len(listed))
        return labels_in(self, listed)

    monkeypatch.setattr(Tagger, "labels_in", counted)
    packed = PackedExamples(pack(tmp_path / "docs", docs))
    assert (
        annotated_labels(tagger, packed)
        == annotated_labels(tagger, [Example.from_doc(doc) for doc in docs])
        == {"N", "V"}
    )
    assert shown == [2, 100]
    assert packed.covering() is packed.covering()
    assert annotated_labels(tagger, packed[:50]) == {"N"}
