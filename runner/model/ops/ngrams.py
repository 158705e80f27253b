"""Hashed n-grams of a batch of docs. The compiled loops are in kernels/ngrams.py, with the same constants."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import NumpyOps

from runner.model.layout import Layout

LongLongs = NDArray[np.uint64]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: multiplying by it loses nothing
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # SplitMix64's


class Ngrams(NamedTuple):
    """The distinct n-grams of each doc, doc by doc, as rows of a table."""

    rows: NDArray[np.int32]  # (n_ngrams,)
    signs: NDArray[np.float32]  # (n_ngrams,) 1 or -1
    docs: NDArray[np.int64]  # (n_ngrams,) the doc of each, ascending
    counts: NDArray[np.int64]  # (n_docs,) n-grams of each doc


class NgramOps(NumpyOps):
    """`extract_ngrams`."""

    def extract_ngrams(self, hashes: LongLongs, layout: Layout, n_rows: int, max_order: int) -> Ngrams:
        """All n-grams of 1 to `max_order` words, each once a doc. No n-gram reaches over the end of its doc.

        hashes: (n_tokens,) of the words. n_rows: of the table.
        """
        n_docs, n_tokens = len(layout.lengths), len(hashes)
        doc_of = np.repeat(np.arange(n_docs), layout.lengths)  # (n_tokens,)
        rest = np.repeat(layout.lengths, layout.lengths) - layout.position  # (n_tokens,) words up to the end of the doc
        cells = []
        combined = np.zeros(n_tokens, dtype="uint64")
        for order in range(1, max_order + 1):
            length = max(n_tokens - order + 1, 0)
            combined = (combined[:length] ^ (combined[:length] >> np.uint64(29))) * _MULTIPLIER + hashes[order - 1 :]
            fits = rest[:length] >= order
            mixed = _mix(combined[fits])
            rows = ((mixed >> np.uint64(32)) * np.uint64(n_rows)) >> np.uint64(32)  # 0 to n_rows - 1, each as likely
            is_negative = mixed & np.uint64(1)
            cells.append(2 * (doc_of[:length][fits] * n_rows + rows.astype("int64")) + is_negative.astype("int64"))
        distinct = np.concatenate(cells)
        distinct.sort()
        if len(distinct):
            distinct = distinct[np.concatenate([[True], distinct[1:] != distinct[:-1]])]
        signs = (1 - 2 * (distinct & 1)).astype("float32")
        distinct >>= 1
        docs = distinct // n_rows
        return Ngrams((distinct - docs * n_rows).astype("int32"), signs, docs, np.bincount(docs, minlength=n_docs))


def _mix(keys: LongLongs) -> LongLongs:
    """SplitMix64's finalizer (Steele et al., 2014): every bit of the result depends on every bit of the key."""
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX_2
    return keys ^ (keys >> np.uint64(31))
