"""Which words a component hides from its tok2vec, so that it learns to tell them from the words around them.

Of the words of a batch that are hidden while training, some are replaced by a mask, some by another word of the batch, and some
are left as they are (Devlin et al., 2019, "BERT: pre-training of deep bidirectional transformers", section 3.1): a tok2vec that
only ever saw masks would learn nothing of the words themselves. For a score the hidden words of a text are a function of the
text alone, and all of them are masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc
from runner.corpus.lexemes import hash64
from runner.model.dropout import Dropout
from runner.model.layout import Tokens

MASK = np.uint64(2)  # the hash of every feature of a mask; 1 is the unknown word's (model/tok2vec.py)
_OFTEN = 1 << 40  # how often training has seen a mask: it is never hidden as a rare word is


class Shares(NamedTuple):
    """hidden: of all words. other, kept: of the hidden words, those replaced by another word, and those left as they are."""

    hidden: float = 0.15
    other: float = 0.1
    kept: float = 0.1


def hide_at_random(tokens: Tokens, shares: Shares, source: Dropout) -> tuple[Tokens, NDArray[np.intp]]:
    """Hide words while training. Returns what the tok2vec reads, and the positions of the hidden words, (n_hidden,)."""
    n = len(tokens.inverse)
    hidden = np.flatnonzero(source.uniform(n) < shares.hidden)
    how = source.uniform(len(hidden))
    others = (source.uniform(len(hidden)) * n).astype("int64")  # where the word stands that takes the place
    is_other = how < shares.other
    is_masked = how >= shares.other + shares.kept
    read = masked(tokens, hidden[is_masked])
    read.inverse[hidden[is_other]] = tokens.inverse[others[is_other]]
    return read, hidden


def masked(tokens: Tokens, positions: NDArray[np.intp]) -> Tokens:
    """The tokens with a mask at these positions: a lexeme of its own, which has no static vector."""
    inverse, words = tokens.inverse.copy(), tokens.words
    inverse[positions] = len(tokens.features)
    mask = np.full((1, tokens.features.shape[1]), MASK)
    counts = tokens.counts
    return tokens._replace(
        features=np.concatenate([tokens.features, mask]),
        inverse=inverse,
        counts=np.append(counts, _OFTEN) if counts is not None else None,
        words=(lambda: [*words(), ""]) if words is not None else None,
    )


def hidden_of(doc: Doc, share: float) -> NDArray[np.intp]:
    """The positions of the words of a doc that are hidden for a score: always the same ones, and one at least."""
    if not len(doc):
        return np.zeros(0, dtype="intp")
    bits: Any = np.random.SFC64(hash64("\0".join(doc.words)))
    draws = bits.random_raw(len(doc)) / 2.0**64
    return np.flatnonzero(draws < max(share, draws.min() + 1e-12))


def hidden_in(docs: Sequence[Doc], share: float) -> NDArray[np.intp]:
    """`hidden_of` for docs that stand one behind the other in a batch."""
    positions, start = [np.zeros(0, dtype="intp")], 0
    for doc in docs:
        positions.append(start + hidden_of(doc, share))
        start += len(doc)
    return np.concatenate(positions)
