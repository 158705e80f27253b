"""Losses of classifiers, each with its gradient, and the probabilities that their scores stand for.

Feature-major as everything here: classes are the second to last axis, tokens or docs the last. Losses and gradients are
sums over tokens or docs; the caller divides them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d

Floats = NDArray[Any]


def softmax(scores: Floats) -> Floats:
    """(…, n_classes, n) → probabilities of the same shape; columns sum to 1."""
    if not scores.size:
        return scores.copy()
    P: Floats = scores - scores.max(axis=-2, keepdims=True)
    np.exp(P, out=P)
    P /= P.sum(axis=-2, keepdims=True)
    return P


def best_probability(scores: Floats2d, temperature: float = 1.0) -> NDArray[np.float64]:
    """The softmax probability of the best class. (n_classes, n) → (n,), float64.

    >>> best_probability(np.log(np.array([[3.0], [1.0]]))).tolist()
    [0.75]
    """
    below = (scores - scores.max(axis=0)).astype("float64") / temperature
    total: NDArray[np.float64] = np.exp(below, out=below).sum(axis=0)
    return 1.0 / total


def sigmoid(scores: Floats) -> Floats:
    """1 / (1 + exp(-scores)), without overflow."""
    e = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1, e) / (1 + e)


def cross_entropy(scores: Floats2d, gold: NDArray[np.integer[Any]]) -> tuple[float, Floats2d]:
    """Negative log-probability of each token's gold class under the softmax.

    scores: (n_classes, n_tokens). gold: (n_tokens,) classes, -1 if unknown: such a token has no loss and a gradient
    of 0. Returns the sum and its gradient, p - one_hot(gold): (n_classes, n_tokens).

    >>> value, gradient = cross_entropy(np.zeros((2, 2)), np.array([1, -1]))
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


def categorical_cross_entropy(scores: Floats, gold: Floats) -> tuple[float, Floats]:
    """Cross entropy of gold distributions with the softmax: exactly one category of a doc holds.

    scores: (n_parts, n_labels, n_docs); each part has a loss of its own. gold: (n_labels, n_docs) from 0 to 1; a doc's
    values sum to 1, or are all 0 if nothing is known of it.
    """
    log_p = scores - scores.max(axis=-2, keepdims=True) if scores.shape[-2] else scores
    log_p = log_p - np.log(np.exp(log_p).sum(axis=-2, keepdims=True))
    gradient = np.exp(log_p) * (gold.sum(axis=0) > 0)
    gradient -= gold
    return float(-(gold * log_p).sum()), gradient


def binary_cross_entropy(scores: Floats, gold: Floats) -> tuple[float, Floats]:
    """Cross entropy of each label with its own sigmoid: any number of categories of a doc hold.

    scores: (n_parts, n_labels, n_docs); each part has a loss of its own. gold: (n_labels, n_docs) from 0 to 1, NaN if
    unknown: no loss there.
    """
    is_known = ~np.isnan(gold)
    target = np.where(is_known, gold, 0).astype(scores.dtype)
    losses = np.maximum(scores, 0) - scores * target + np.log1p(np.exp(-np.abs(scores)))
    return float((losses * is_known).sum()), (sigmoid(scores) - target) * is_known
