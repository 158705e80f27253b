"""What a parser asks its teacher, what the teacher believes, and what the student's scores should then be.

A word's head is a distribution over all heads of its piece, and its label a distribution given one head: the gold head, or
without gold the head in the teacher's best tree. Teacher and student score the same pieces with the same heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc
from runner.corpus.pieces import sentence_lengths
from runner.model.biaffine import Arcs, Floats3d
from runner.model.layout import Floats2d

Ints = NDArray[np.intp]


class Question(NamedTuple):
    """What a teacher must be told, beside the words."""

    heads: Ints  # (n_tokens,) gold heads as positions in docs; -1: the teacher decides
    max_length: int  # tokens; the student cuts docs that are longer
    pieces: dict[int, list[int]]  # index of such a doc in the batch → lengths of its pieces

    @classmethod
    def without_gold(cls, docs: Sequence[Doc], max_length: int) -> Question:
        """Of docs without annotation, those that are too long cut into sentences."""
        pieces = {i: sentence_lengths(doc, max_length) for i, doc in enumerate(docs) if len(doc) > max_length}
        return cls(np.full(sum(map(len, docs)), -1), max_length, pieces)


class TreeBeliefs(NamedTuple):
    """What a teacher believes about one group of pieces (parser_pieces.py)."""

    heads: Ints  # (n_tokens,) positions in their pieces: the gold heads, else those of the teacher's best trees
    arcs: list[Floats3d]  # (n_pieces, longest, longest) a bucket: [d, i, j], the probability of head j for token i
    labels: Floats2d  # (n_labels, n_tokens) probabilities of the labels of these heads


def soft_arc_loss(
    arcs: Arcs, believed: Sequence[Floats3d], gold: Ints, weight: float
) -> tuple[float, float, list[Floats3d]]:
    """-Σ target log P over the heads of each token, P a softmax over all heads; and its gradient, P - target.

    believed: probabilities in the same buckets. gold: (n_tokens,) positions, -1 for unknown heads. The target of a token is
    its gold head and the teacher's belief, mixed by `weight`; without gold head it is the belief.
    Returns (loss against the gold heads, loss against the beliefs, gradient of the scores).
    """
    learned = taught = 0.0
    gradients = []
    for (columns, _, inside), S, B in zip(*arcs, believed, strict=True):
        P = S - S.max(axis=2, keepdims=True)
        np.exp(P, out=P)
        P /= P.sum(axis=2, keepdims=True)
        heads = np.where(inside, gold[columns], -1)
        is_gold = heads >= 0
        target = B.astype(P.dtype)
        target[is_gold] *= weight
        target[(*np.nonzero(is_gold), heads[is_gold])] += 1 - weight
        losses = -np.log(np.maximum(P, 1e-30), dtype="float64")
        of_gold = (1 - weight) * float(losses[(*np.nonzero(is_gold), heads[is_gold])].sum())
        learned += of_gold
        taught += float((target * losses)[inside].sum()) - of_gold
        P -= target
        P[~inside] = 0
        gradients.append(P)
    return learned, taught, gradients
