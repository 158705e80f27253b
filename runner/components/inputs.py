"""Docs → what models read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc
from runner.corpus.lexemes import Lexemes, LexemeTable, hash64
from runner.errors import RunnerError
from runner.model.layout import Layout, Packed, Tokens

LAYERS = {"tag": "tags", "pos": "pos"}  # features of a token that another component has written → layer of the doc


@dataclass(frozen=True)
class Batch:
    """Docs on their way through a component.

    known: how often the training of this component saw each norm (hash → count), where the pipeline's own counts are of
    other training; None: the pipeline's.
    temperature: divides the scores from which the component computes its confidence in what it predicts, and no other
    scores; None: nobody asks for confidence.
    question: what a student asks beside the words, see Component.question.
    hidden: positions of the words that the tok2vec did not read, for a component that hides some.
    """

    docs: Sequence[Doc]
    layout: Layout
    rows: NDArray[np.int64]  # (n_tokens,) the lexeme of each token
    lexemes: LexemeTable
    vectors: Packed | None = None  # the tok2vec's, for components that have one
    temperature: float | None = None
    known: Mapping[int, int] | None = None
    question: Any = None
    hidden: NDArray[np.intp] | None = None  # (n_hidden,)

    @classmethod
    def of(cls, docs: Sequence[Doc], lexemes: Lexemes) -> Batch:
        table = lexemes.table
        return cls(docs, Layout([len(doc) for doc in docs]), table.rows(docs), table)

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """One batch of several, which a component reads with the same settings. Made of one, it is that one."""
        if len(batches) == 1:
            return batches[0]
        layout = Layout(np.concatenate([batch.layout.lengths for batch in batches]))
        vectors = [batch.vectors.X for batch in batches if batch.vectors is not None]
        return replace(
            batches[-1],  # its table holds the words of all
            docs=[doc for batch in batches for doc in batch.docs],
            layout=layout,
            rows=np.concatenate([batch.rows for batch in batches]),
            vectors=Packed(np.concatenate(vectors, axis=1), layout) if vectors else None,
        )

    def tokens(self, features: Sequence[str]) -> Tokens:
        """The distinct lexemes with the hashes of the asked attributes, and where they stand."""
        distinct, inverse = self.lexemes.distinct(self.rows)
        layers = [feature for feature in features if feature in LAYERS]
        written: dict[str, NDArray[np.uint64]] = {}
        for feature in layers:  # what is distinct from here on is a lexeme with what was written at its place
            values = self._layer(feature)  # (n_tokens,)
            kinds, kind = np.unique(values, return_inverse=True)
            pairs, inverse = np.unique(inverse * len(kinds) + kind, return_inverse=True)
            at = pairs // max(len(kinds), 1)
            distinct = distinct[at]
            written = {known: column[at] for known, column in written.items()}
            written[feature] = kinds[pairs % max(len(kinds), 1)]
        hashes = [
            written[feature] if feature in written else self.lexemes.hashes(feature, distinct) for feature in features
        ]
        counts = self.lexemes.counts(distinct) if self.known is None else self.lexemes.counts_in(self.known, distinct)
        words = partial(self.lexemes.spelled, distinct)
        return Tokens(np.stack(hashes, axis=1), inverse, self.layout, counts, words)

    def _layer(self, feature: str) -> NDArray[np.uint64]:
        """The hashes of what stands in a layer of the docs: (n_tokens,). Raises RunnerError where the layer is missing."""
        layer = LAYERS[feature]
        values: list[str | None] = []
        for doc in self.docs:
            own: list[str | None] | None = getattr(doc, layer)
            if own is None and len(doc):
                raise RunnerError(
                    f"the feature {feature!r} reads {layer} that another component has written, and a text has none",
                    place="tok2vec.features",
                    hint="Let a trained component before it write them while it learns: training.annotating=[tagger].",
                )
            values += own or ()
        hashes = {value: hash64(value or "") for value in set(values)}
        return np.array([hashes[value] for value in values], dtype="uint64")
