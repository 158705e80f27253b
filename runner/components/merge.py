"""Merge multi-word phrases and entities into one token each, before the components that follow.

    components:
      ner: {type: ner, …}
      merge: {type: merge, phrases: [good wifi]}
      parser: {type: parser, …}

Merging has no weights. Training merges the gold entities, or those of a component that annotates (`training.annotating`);
prediction merges the entities of the component before.
A merged token takes the annotations of its head token (corpus/example.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from thinc.api import Model

from runner import registry
from runner.components.base import Component, PerType
from runner.components.inputs import Batch
from runner.components.scores import Scores
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d


@registry.components("merge")
def merge(name: str, *, entities: bool = True, phrases: Sequence[str] = ()) -> Merger:
    """entities: merge each entity. phrases: texts to merge wherever whole tokens spell them, ignoring case."""
    for phrase in phrases:
        if not phrase.strip():
            raise RunnerError("a phrase is empty", hint="Remove it from phrases.")
    return Merger(name, entities=entities, phrases=phrases)


class Merger(Component):
    """A step that merges tokens for the later components."""

    type = "merge"
    heading = "Merge"
    scores_unpredicted: ClassVar = True
    annotation: ClassVar = ("entities",)
    score_weights: ClassVar = {}
    has_weights = False

    def __init__(self, name: str, *, entities: bool, phrases: Sequence[str]) -> None:
        super().__init__(name, None)
        self.entities = entities
        self.phrases = {"".join(phrase.lower().split()) for phrase in phrases}
        self._longest = max(map(len, self.phrases), default=0)

    def retokenized(self, example: Example) -> Example:
        """The example with merged predicted tokens, cached in the example.

        Gold entities decide what is merged; if another component has annotated the predicted doc (`annotating`), its
        entities do, as in prediction.
        """
        if self.name not in example.targets:
            is_annotated = example.predicted.has_ents
            doc = example.predicted.copy() if is_annotated else example.predicted.copy_unannotated()
            ents = [(start, end) for start, end, _ in example.aligned_ents()]
            if is_annotated:
                ents = [(ent.start, ent.end) for ent in doc.ents]
            doc.retokenize(self.spans(doc, ents))
            example.targets[self.name] = Example(doc, example.reference, is_augmented=example.is_augmented)
        merged: Example = example.targets[self.name]
        return merged

    def on_same_tokens(self, example: Example) -> Example:
        """For scoring later components: merge reference tokens wherever one predicted token covers several."""
        groups = [span for span in example.alignment.merged()[0] if span is not None and span[1] - span[0] > 1]
        if not groups:
            return example
        reference = example.reference.copy()
        reference.retokenize(groups)
        return Example(example.predicted, reference)

    def spans(self, doc: Doc, ents: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The token ranges to merge: entities first, then phrases from left to right, preferring the longest phrase."""
        spans = [(start, end) for start, end in ents if end - start > 1] if self.entities else []
        taken = {i for start, end in spans for i in range(start, end)}
        i = 0
        while i < len(doc.words) and self.phrases:
            text, best = "", i
            for j in range(i, len(doc.words)):
                text += "".join(doc.words[j].lower().split())
                if j in taken or len(text) > self._longest:
                    break
                if text in self.phrases:
                    best = j + 1
            if best > i + 1:
                spans.append((i, best))
            i = max(best, i + 1)
        return sorted(spans)

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        return []

    def build_head(self, width: int, dropout: Dropout) -> Model[Any, Any]:
        return Model(self.name, lambda model, X, is_train: (X, lambda dX: dX))

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        return 0.0, None

    def annotate(self, batch: Batch) -> None:
        for doc in batch.docs:
            doc.retokenize(self.spans(doc, [(ent.start, ent.end) for ent in doc.ents]))

    def as_record(self, doc: Doc) -> dict[str, Any]:
        return {"words": doc.words}

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        return {}, {}
