"""Docs → what models read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc
from runner.corpus.lexemes import Lexemes, LexemeTable
from runner.model.layout import Layout, Packed, Tokens


@dataclass(frozen=True)
class Batch:
    """Docs on their way through a component.

    known: how often the training of this component saw each norm (hash → count), where the pipeline's own counts are of
    other training; None: the pipeline's.
    temperature: divides the scores from which the component computes its confidence in what it predicts, and no other
    scores; None: nobody asks for confidence.
    question: what a student asks beside the words, see Component.question.
    """

    docs: Sequence[Doc]
    layout: Layout
    rows: NDArray[np.int64]  # (n_tokens,) the lexeme of each token
    lexemes: LexemeTable
    vectors: Packed | None = None  # the tok2vec's, for components that have one
    temperature: float | None = None
    known: Mapping[int, int] | None = None
    question: Any = None

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
        hashes = [self.lexemes.hashes(feature, distinct) for feature in features]
        counts = self.lexemes.counts(distinct) if self.known is None else self.lexemes.counts_in(self.known, distinct)
        words = partial(self.lexemes.spelled, distinct)
        return Tokens(np.stack(hashes, axis=1), inverse, self.layout, counts, words)
