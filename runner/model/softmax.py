"""Softmax over the classes of each token, and the loss that trains it.

    loss = -sum over tokens of log p(gold);   gradient of the scores = p - one_hot(gold)

Feature-major as everything here: a column is a token, its rows are the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d


def softmax(scores: Floats2d) -> Floats2d:
    """(n_classes, n_tokens) → probabilities of the same shape; columns sum to 1."""
    if not scores.size:
        return scores.copy()
    P = scores - scores.max(axis=0)
    np.exp(P, out=P)
    P /= P.sum(axis=0)
    return P


def loss(scores: Floats2d, gold: NDArray[np.integer[Any]]) -> tuple[float, Floats2d]:
    """Negative log-probability of the gold classes, summed over tokens, and its gradient.

    scores: (n_classes, n_tokens). gold: (n_tokens,) classes, -1 where not known: such a token has no loss and a
    gradient of 0. Returns the loss and (n_classes, n_tokens).

    >>> value, gradient = loss(np.zeros((2, 2)), np.array([1, -1]))
    >>> round(value, 4), gradient.tolist()
    (0.6931, [[0.5, 0.0], [-0.5, 0.0]])
    """
    known = np.flatnonzero(gold >= 0)
    if not len(known):
        return 0.0, np.zeros_like(scores)
    S = scores - scores.max(axis=0)
    gold_scores = S[gold[known], known].astype("float64")
    gradient = np.exp(S, out=S)
    totals = gradient.sum(axis=0)  # (n_tokens,)
    value = float(np.log(totals[known], dtype="float64").sum() - gold_scores.sum())
    gradient /= totals
    gradient[gold[known], known] -= 1
    if len(known) < len(gold):
        gradient[:, gold < 0] = 0
    return value, gradient
