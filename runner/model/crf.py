"""A linear-chain CRF over BILUO tags in which only legal sequences have any probability.

A token has 4 L + 1 states for L labels: O, then B-, I-, L-, U- of every label. Legal sequences: after O, L-x or U-x
("closed") comes O, B-y or U-y; after B-x or I-x ("x is open") comes I-x or L-x; a doc starts and ends closed. Transitions
have no weights, so only L + 1 numbers pass from one token to the next: the mass of "closed" and of each open label.
Forward-backward and Viterbi are in ops/sequences.py.

Forward-backward: Rabiner (1989); CRF: Lafferty et al. (2001). The tokens' own scores come from the layers below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d, Layout
from runner.model.ops import Ops


def n_states(n_labels: int) -> int:
    return 4 * n_labels + 1


def state_of(tag: str, labels: Mapping[str, int]) -> int:
    """The row of a BILUO tag.

    >>> [state_of(tag, {"LOC": 0, "PER": 1}) for tag in ("O", "B-LOC", "U-PER")]
    [0, 1, 8]
    """
    if tag == "O":
        return 0
    return 1 + "BILU".index(tag[0]) * len(labels) + labels[tag[2:]]


UNKNOWN, OTHER = -1, -2  # gold states that are none: any may be right; any of others[k] may be, for OTHER - k


def loss(
    ops: Ops,
    scores: Floats2d,
    layout: Layout,
    gold: NDArray[np.integer[Any]],
    others: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float64], Floats2d]:
    """Negative log-probability of each doc's gold tags, and its gradient.

    scores: (n_states, n_tokens). gold: (n_tokens,) states, UNKNOWN or OTHER - k: all legal ways to fill the gaps count as
    right (Bellare and McCallum, 2007). others: (n_sets, n_states), the states that OTHER - k stands for are those of row k; O
    must be one of them.
    Returns (n_docs,) and (n_states, n_tokens): p(state) - p(state | gold).
    """
    free = ops.crf_marginals(scores, layout)
    known = np.flatnonzero(gold >= 0)
    if len(known) == len(gold):
        doc_of = np.repeat(np.arange(len(layout.lengths)), layout.lengths)
        gold_scores = scores[gold, known].astype("float64")
        gold_score = np.bincount(doc_of, weights=gold_scores, minlength=len(layout.lengths))
        gradient = free.probabilities
        gradient[gold, known] -= 1
        return free.log_partition - gold_score, gradient
    allowed = np.ones(scores.shape, dtype=bool)
    allowed[:, known] = False
    allowed[gold[known], known] = True
    if others is not None:
        for k, states in enumerate(others):
            allowed[np.ix_(~states, gold == OTHER - k)] = False
    within = ops.crf_marginals(scores, layout, allowed)
    return free.log_partition - within.log_partition, free.probabilities - within.probabilities
