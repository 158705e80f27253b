"""Docs → what a tok2vec reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.corpus.doc import Doc
from runner.corpus.lexemes import Lexemes
from runner.model.layout import Layout, Tokens


def layout_of(docs: Sequence[Doc]) -> Layout:
    return Layout([len(doc) for doc in docs])


def tokens_of(docs: Sequence[Doc], layout: Layout, lexemes: Lexemes, features: Sequence[str]) -> Tokens:
    """The batch's distinct lexemes with the hashes of the asked attributes, and where they stand."""
    distinct, inverse = np.unique(lexemes.rows(docs), return_inverse=True)
    hashes = [lexemes.hashes(feature, distinct) for feature in features]
    return Tokens(np.stack(hashes, axis=1), inverse, layout)
