"""Losses of a text's categories: one of them holds (softmax), or any number do (a sigmoid each).

Scores are (…, n_labels, n_docs), gold values (n_labels, n_docs) from 0 to 1; leading axes are parts of a model, each
with a loss of its own. Gradients are of the sum over docs, which the caller divides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def exclusive(Y: Floats, gold: Floats) -> tuple[float, Floats]:
    """Cross entropy with softmax. A doc's gold values add up to 1, or are all 0 where nothing is known of it."""
    log_p = Y - Y.max(axis=-2, keepdims=True) if Y.shape[-2] else Y
    log_p = log_p - np.log(np.exp(log_p).sum(axis=-2, keepdims=True))
    dY = np.exp(log_p) * (gold.sum(axis=0) > 0)
    dY -= gold
    return float(-(gold * log_p).sum()), dY


def independent(Y: Floats, gold: Floats) -> tuple[float, Floats]:
    """Cross entropy of each label with its sigmoid. NaN stands for a gold value that is not known: no loss there."""
    is_known = ~np.isnan(gold)
    target = np.where(is_known, gold, 0).astype(Y.dtype)
    losses = np.maximum(Y, 0) - Y * target + np.log1p(np.exp(-np.abs(Y)))
    return float((losses * is_known).sum()), (sigmoid(Y) - target) * is_known


def softmax(Y: Floats) -> Floats:
    """Over the labels; columns add up to 1."""
    e = np.exp(Y - Y.max(axis=-2, keepdims=True)) if Y.shape[-2] else Y
    return e / e.sum(axis=-2, keepdims=True)


def sigmoid(Y: Floats) -> Floats:
    """1 / (1 + exp(-Y)), without overflow."""
    e = np.exp(-np.abs(Y))
    return np.where(Y >= 0, 1, e) / (1 + e)
