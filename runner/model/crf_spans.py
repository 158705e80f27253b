"""The exact probability of a whole entity, from the CRF's probabilities of single tokens (crf.py).

An entity x from token i to j is the path B-x, I-x, …, L-x. Once x is open only I-x or L-x may follow, and transitions have
no weights, so the rest of the path does not depend on the tokens before:

    P(x from i to j) = P(B-x at i) · ∏ P(I-x at t) / (P(I-x at t) + P(L-x at t)) · P(L-x at j) / (P(I-x at j) + P(L-x at j))

with t from i + 1 to j - 1. For an entity of one token, it is P(U-x at i). This is the marginal over all legal sequences:
the total probability of those that contain the entity.
"""

from __future__ import annotations

import numpy as np

from runner.model.layout import Floats2d

SMALLEST = 0.01  # the lowest threshold: it keeps the number of candidates near that of tokens


def entity_probabilities(P: Floats2d, threshold: float) -> list[tuple[int, int, int, float]]:
    """(start, end, label's row, probability) of every entity of one doc at or above the threshold; `end` is exclusive.

    P: (4 n_labels + 1, n_tokens), columns sum to 1: the doc's columns of `ops.crf_marginals(…).probabilities`.
    """
    threshold = max(threshold, SMALLEST)
    L = (len(P) - 1) // 4
    P = P.astype("float64")
    B, inside, last, unit = P[1 : L + 1], P[L + 1 : 2 * L + 1], P[2 * L + 1 : 3 * L + 1], P[3 * L + 1 :]
    open_before = inside + last  # x is open before the token
    with np.errstate(divide="ignore", invalid="ignore"):
        closes = np.where(open_before > 0, last / open_before, 0.0)
    entities = [(i, i + 1, x, float(unit[x, i])) for x, i in zip(*np.nonzero(unit >= threshold), strict=True)]
    for x, i in zip(*np.nonzero(threshold <= B), strict=True):
        still_open = float(B[x, i])
        for j in range(i + 1, P.shape[1]):
            if still_open < threshold:
                break
            probability = still_open * float(closes[x, j])
            if probability >= threshold:
                entities.append((int(i), j + 1, int(x), probability))
            still_open *= 1.0 - float(closes[x, j])
    return sorted((int(i), int(j), int(x), p) for i, j, x, p in entities)
