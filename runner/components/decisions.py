"""`Decisions`: probabilities of labels, and the threshold from which each label counts as predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decisions:
    """A component's yes-or-no decisions on texts with gold annotation.

    labels: (n_labels). probabilities: (n_texts, n_labels), 0 to 1. is_gold: (n_texts, n_labels). may_hold: (n_texts, n_labels)
    the decisions that a threshold takes: False where the gold is unknown, and where another label is more probable if
    only one label may hold. least: (n_labels,) the thresholds now. default: of a label without a threshold.
    A label is predicted where may_hold is True and its probability is at least its threshold.
    """

    labels: Sequence[str]
    probabilities: NDArray[np.float64]
    is_gold: NDArray[np.bool_]
    may_hold: NDArray[np.bool_]
    least: NDArray[np.float64]
    default: float
