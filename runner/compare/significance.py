"""Test whether one model is better than another, or only lucky: two paired resampling tests on per-doc counts.

    approximate randomization     If the models were equal, their predictions could be exchanged. So each round exchanges
    (Noreen, 1989; Yeh, 2000)     each doc's predictions with probability 1/2. A round is extreme if its difference, in either
                                  direction, is at least as large as the observed difference.
                                  p = (extreme rounds + 1) / (rounds + 1)
    paired bootstrap              Docs are drawn with replacement, the same docs for both models; the interval holds the
    (Efron, 1979; Koehn, 2004)    middle 95 % of the differences.

Every round computes the scores anew from the docs' counts (components/counts.py), so the tests assume no distribution.
The tests compare two trained models on these docs; other seeds would give other models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.components.counts import Counts, Triple

ROUNDS = 10_000
CONFIDENCE = 0.95
_CELLS = 2_000_000  # most array cells for the rounds computed at once
_SAME = 1e-12  # differences closer than 1e-12 count as equal: sums in another order round differently

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """One score of two models, a and b, on the same docs."""

    key: str
    a: float
    b: float
    p: float
    low: float  # confidence interval of b - a: low to high
    high: float
    n_docs: int  # docs with the annotation

    @property
    def difference(self) -> float:
        return self.b - self.a


def compare(a: Sequence[Counts], b: Sequence[Counts], *, rounds: int = ROUNDS, seed: int = 0) -> list[Difference]:
    """Test every score that both models have. a, b: the counts of each doc, in the same order."""
    keys = [key for key in keys_of(a) if key in keys_of(b)]
    return [paired(key, a, b, rounds=rounds, seed=seed) for key in keys]


def keys_of(docs: Sequence[Counts]) -> list[str]:
    """Return the scores for which any doc has gold, in the docs' order."""
    return list(dict.fromkeys(key for doc in docs for key in doc if any(t[2] for _, t in _by_label(doc[key]))))


def gold_of(docs: Sequence[Counts], key: str) -> list[object]:
    """Return each doc's gold count by label, or None. Models scored on the same gold have equal counts."""
    return [
        {label: triple[2] for label, triple in _by_label(doc[key]) if triple[2]} if key in doc else None for doc in docs
    ]


def paired(key: str, a: Sequence[Counts], b: Sequence[Counts], *, rounds: int = ROUNDS, seed: int = 0) -> Difference:
    """Test the score `key`."""
    first, second = _arrays(key, a, b)
    rng = np.random.default_rng(seed)
    score_a, score_b = (float(score(x.sum(axis=0))) for x in (first, second))
    p = randomization(first, second, rounds, rng)
    low, high = bootstrap(first, second, rounds, rng)
    return Difference(key, score_a, score_b, p, low, high, len(first))


def score(sums: Floats) -> Floats:
    """Return the mean F over labels that occur. sums: of right, predicted and gold, (…, n_labels, 3) → (…)."""
    right, total = sums[..., 0], sums[..., 1] + sums[..., 2]  # (…, n_labels)
    occurs = total > 0
    f = np.divide(2 * right, total, out=np.zeros_like(right), where=occurs)
    return np.asarray(f.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1))


def randomization(a: Floats, b: Floats, rounds: int, rng: np.random.Generator) -> float:
    """Return the p-value. a, b: (n_docs, n_labels, 3)."""
    sum_a, sum_b = a.sum(axis=0), b.sum(axis=0)
    observed = abs(score(sum_a) - score(sum_b))
    deltas = (b - a)[(a != b).any(axis=(1, 2))]  # exchanging equal counts changes nothing
    if not len(deltas):
        return 1.0
    n_extreme = 0
    for size in _pieces(rounds, len(deltas)):
        bits = np.unpackbits(rng.integers(0, 256, (size, -(-len(deltas) // 8)), dtype=np.uint8), axis=1)
        moved = _weighted(bits[:, : len(deltas)].astype(float), deltas)  # (size, n_labels, 3)
        differences = np.abs(score(sum_a + moved) - score(sum_b - moved))
        n_extreme += int((differences >= observed - _SAME).sum())
    return (n_extreme + 1) / (rounds + 1)


def bootstrap(a: Floats, b: Floats, rounds: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the interval of score(b) - score(a) over samples of docs. a, b: (n_docs, n_labels, 3)."""
    n_docs = len(a)
    if not n_docs:
        return 0.0, 0.0
    differences = []
    for size in _pieces(rounds, n_docs):
        drawn = rng.integers(0, n_docs, (size, n_docs)) + n_docs * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n_docs).reshape(size, n_docs).astype(float)
        differences.append(score(_weighted(times, b)) - score(_weighted(times, a)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.concatenate(differences), [tail, 100 - tail])
    return float(low), float(high)


def _weighted(times: Floats, docs: Floats) -> Floats:
    """Return each round's sum of docs' counts, weighted by `times` (n_rounds, n_docs). Exact: all are whole numbers."""
    return (times @ docs.reshape(len(docs), -1)).reshape(len(times), *docs.shape[1:])


def _pieces(rounds: int, n_docs: int) -> Iterator[int]:
    """Yield numbers of rounds to compute at once; the numbers sum to `rounds`."""
    most = max(1, _CELLS // n_docs)
    for start in range(0, rounds, most):
        yield min(most, rounds - start)


def _arrays(key: str, a: Sequence[Counts], b: Sequence[Counts]) -> tuple[Floats, Floats]:
    """Return a's and b's counts for docs with the score in both, each (n_docs, n_labels, 3)."""
    docs = [(x[key], y[key]) for x, y in zip(a, b, strict=True) if key in x and key in y]
    labels: dict[str, int] = {}
    for pair in docs:
        for counts in pair:
            for label, _ in _by_label(counts):
                labels.setdefault(label, len(labels))

    def fill(number: int) -> Floats:
        array = np.zeros((len(docs), len(labels), 3))
        for row, pair in zip(array, docs, strict=True):
            for label, triple in _by_label(pair[number]):
                row[labels[label]] = triple
        return array

    return fill(0), fill(1)


def _by_label(counts: Triple | Mapping[str, Triple]) -> Iterator[tuple[str, Triple]]:
    """Yield (label, counts) for each label. A score without labels has the label ""."""
    if isinstance(counts, Mapping):
        yield from counts.items()
    else:
        yield "", counts
