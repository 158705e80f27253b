"""Whether confidence can be believed: of the predictions made with 80 %, 80 % should be right.

    graded = nlp.graded(examples)["ner"]["entities"]      predictions of a component, by layer
    calibration(graded).ece                               0.0 to 1.0; None without predictions

Expected calibration error: Naeini et al. (2015); Guo et al. (2017), "On calibration of modern neural networks", eq. 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_BINS = 15  # as Guo et al.


class Graded(NamedTuple):
    """Predictions that have gold to compare with."""

    confidences: NDArray[np.float64]  # (n,) 0 to 1
    is_right: NDArray[np.bool_]  # (n,)

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, bool]]) -> Graded:
        """From (confidence, whether it is right), one a prediction."""
        listed = list(pairs)
        confidences = np.array([value for value, _ in listed], dtype="float64")
        return cls(confidences, np.array([is_right for _, is_right in listed], dtype=bool))


class Bin(NamedTuple):
    """A point of the reliability curve: the predictions with a confidence above `low`, up to and including `high`."""

    low: float
    high: float
    n: int  # predictions, at least 1
    confidence: float  # their mean
    accuracy: float  # the share that is right


class Calibration(NamedTuple):
    """ece: expected calibration error, 0 to 1; None if there is no prediction. bins: without the empty ones, ascending."""

    ece: float | None
    n: int
    bins: list[Bin]


def calibration(graded: Graded, n_bins: int = N_BINS) -> Calibration:
    """The calibration error in `n_bins` bins of equal width, and the reliability curve.

    ece = Σ n_b / n · |accuracy_b - confidence_b| over the bins. A confidence of 0 is in the first bin.

    >>> pairs = [(0.9, True), (0.9, True), (0.9, False), (0.2, False)]
    >>> round(calibration(Graded.of(pairs)).ece, 3)         # (3 · |2/3 - 0.9| + 1 · |0 - 0.2|) / 4
    0.225
    """
    confidences, is_right = graded
    n = len(confidences)
    if not n:
        return Calibration(None, 0, [])
    places = np.clip(np.ceil(confidences * n_bins).astype("int64") - 1, 0, n_bins - 1)
    counts = np.bincount(places, minlength=n_bins)
    sums = np.bincount(places, weights=confidences, minlength=n_bins)
    n_right = np.bincount(places, weights=is_right, minlength=n_bins)
    bins = [
        Bin(i / n_bins, (i + 1) / n_bins, int(counts[i]), float(sums[i] / counts[i]), float(n_right[i] / counts[i]))
        for i in np.flatnonzero(counts).tolist()
    ]
    return Calibration(float(np.abs(n_right - sums).sum() / n), n, bins)
