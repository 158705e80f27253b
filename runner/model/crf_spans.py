"""The exact probability of a whole entity, from the CRF's probabilities of single tokens (crf.py).

An entity x from token i to j is the path B-x, I-x, …, L-x. Once x is open only I-x or L-x may follow, and transitions have
no weights, so the rest of the path does not depend on the tokens before:

    P(x from i to j) = P(B-x at i) · ∏ P(I-x at t) / (P(I-x at t) + P(L-x at t)) · P(L-x at j) / (P(I-x at j) + P(L-x at j))

with t from i + 1 to j - 1. For an entity of one token, it is P(U-x at i). This is the marginal over all legal sequences:
the total probability of those that contain the entity. `entity_probabilities` looks for all likely entities so;
`path_probabilities` computes that of given ones from the scores, exact even where single states underflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

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


def path_probabilities(scores: Floats2d, entities: Sequence[tuple[int, int, int]]) -> list[float]:
    """The probability of each of these entities of one doc.

    scores: (4 n_labels + 1, n_tokens), the doc's columns of what `ops.crf_marginals` takes. entities: (start, end, label's
    row), in order, not overlapping; `end` is exclusive.

    With a_t the log of the sum over all legal ways to token t, by state (closed, or a label open), and b_t the same of the
    ways on from there, log P(x from i to j) = a_i(closed) + Σ scores of the path + b_j(closed) - log Σ exp(a_j + b_j).
    Both are computed in log space and float64, and only as far as the entities need them.
    """
    if not entities:
        return []
    S = scores.T.astype("float64", order="C")
    L = (S.shape[1] - 1) // 4
    before, after = _ways_to(S, entities[-1][1]), _ways_on(S, entities[0][1])
    probabilities = []
    for start, end, x in entities:
        if end - start == 1:
            path = float(S[start, 1 + 3 * L + x])
        else:
            inside = S[start + 1 : end - 1, 1 + L + x]
            path = float(S[start, 1 + x] + inside.sum() + S[end - 1, 1 + 2 * L + x])
        log_z = np.logaddexp.reduce(before[end] + after[end])
        log_p = float(before[start][0] + path + after[end][0] - log_z)
        probabilities.append(min(exp(log_p), 1.0))  # rounding may lead beyond 1
    return probabilities


def _ways_to(S: Floats2d, last: int) -> list[Floats2d]:
    """Forward: a_t for the tokens 0 … last, (1 + n_labels,) each: closed, then each label open. S: (n_tokens, n_states)."""
    begin, inside, closing, _ = _steps(S)
    a = np.full(1 + begin.shape[1], -np.inf)
    a[0] = 0.0
    ways = [a]
    for t in range(last):
        onward = np.empty_like(a)
        onward[0] = np.logaddexp.reduce(a + closing[t])
        np.logaddexp(a[0] + begin[t], a[1:] + inside[t], out=onward[1:])
        ways.append(a := onward)
    return ways


def _ways_on(S: Floats2d, first: int) -> list[Floats2d]:
    """Backward: b_t for the tokens first … n_tokens, as in `_ways_to`, at the index t."""
    begin, inside, closing, opening = _steps(S)
    b = np.full(1 + begin.shape[1], -np.inf)
    b[0] = 0.0
    ways = [b] * (len(S) + 1)
    for t in range(len(S) - 1, first - 1, -1):
        back = np.empty_like(b)
        back[0] = np.logaddexp.reduce(b + opening[t])
        np.logaddexp(b[0] + closing[t, 1:], b[1:] + inside[t], out=back[1:])
        ways[t] = b = back
    return ways


def _steps(S: Floats2d) -> tuple[Floats2d, Floats2d, Floats2d, Floats2d]:
    """Scores of each token's steps, (n_tokens, …): begin x, stay in x; to closed from each state, from closed to each."""
    L = (S.shape[1] - 1) // 4
    begin, inside, last = S[:, 1 : L + 1], S[:, L + 1 : 2 * L + 1], S[:, 2 * L + 1 : 3 * L + 1]
    stay = np.logaddexp.reduce(np.concatenate([S[:, :1], S[:, 3 * L + 1 :]], axis=1), axis=1, keepdims=True)
    return begin, inside, np.concatenate([stay, last], axis=1), np.concatenate([stay, begin], axis=1)
