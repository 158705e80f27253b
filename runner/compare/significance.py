"""Is one model better than another, or were the dev texts kind to it? Two paired resampling tests on per-doc counts.

    approximate randomization     If the two models were the same, it would not matter which of them made which prediction. So
    (Noreen, 1989; Yeh, 2000)     they are exchanged doc by doc, each with probability 1/2; p is the share of such rounds whose
                                  difference is at least as large, in either direction, as the one observed:
                                  (those rounds + 1) / (rounds + 1)
    paired bootstrap              Docs are drawn with replacement, the same ones for both models; the interval holds the
    (Efron, 1979; Koehn, 2004)    middle 95 % of the differences.

Every round computes the scores anew from the docs' counts (components/counts.py): nothing is assumed about their
distribution. The tests compare two trained models on these docs; other seeds would give other models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.components.counts import Counts, Triple

ROUNDS = 10_000
CONFIDENCE = 0.95
_CELLS = 2_000_000  # of the arrays of the rounds that are computed at once
_SAME = 1e-12  # differences closer than that are equal: the order of sums must not decide

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """One score of two models, a and b, on the same docs."""

    key: str
    a: float
    b: float
    p: float
    low: float  # of the confidence interval of b - a
    high: float
    n_docs: int  # with the annotation

    @property
    def difference(self) -> float:
        return self.b - self.a


def compare(a: Sequence[Counts], b: Sequence[Counts], *, rounds: int = ROUNDS, seed: int = 0) -> list[Difference]:
    """Test every score that both models have. a, b: the counts of each doc, in the same order."""
    keys = [key for key in keys_of(a) if key in keys_of(b)]
    return [paired(key, a, b, rounds=rounds, seed=seed) for key in keys]


def keys_of(docs: Sequence[Counts]) -> list[str]:
    """The scores for which any doc has gold, in the docs' order."""
    return list(dict.fromkeys(key for doc in docs for key in doc if any(t[2] for _, t in _by_label(doc[key]))))


def gold_of(docs: Sequence[Counts], key: str) -> list[object]:
    """How much gold of each label a doc has: equal for two models that were scored against the same annotation."""
    return [
        {label: triple[2] for label, triple in _by_label(doc[key]) if triple[2]} if key in doc else None for doc in docs
    ]


def paired(key: str, a: Sequence[Counts], b: Sequence[Counts], *, rounds: int = ROUNDS, seed: int = 0) -> Difference:
    """Test one score."""
    first, second = _arrays(key, a, b)
    rng = np.random.default_rng(seed)
    score_a, score_b = (float(score(x.sum(axis=0))) for x in (first, second))
    p = randomization(first, second, rounds, rng)
    low, high = bootstrap(first, second, rounds, rng)
    return Difference(key, score_a, score_b, p, low, high, len(first))


def score(sums: Floats) -> Floats:
    """F from sums of right, predicted and gold, (…, n_labels, 3) → (…); the mean over the labels that occur."""
    right, total = sums[..., 0], sums[..., 1] + sums[..., 2]  # (…, n_labels)
    occurs = total > 0
    f = np.divide(2 * right, total, out=np.zeros_like(right), where=occurs)
    return np.asarray(f.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1))


def randomization(a: Floats, b: Floats, rounds: int, rng: np.random.Generator) -> float:
    """The p-value. a, b: (n_docs, n_labels, 3)."""
    sum_a, sum_b = a.sum(axis=0), b.sum(axis=0)
    observed = abs(score(sum_a) - score(sum_b))
    deltas = (b - a)[(a != b).any(axis=(1, 2))]  # docs on which both count the same may be exchanged unseen
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
    """The interval of score(b) - score(a) over samples of docs. a, b: (n_docs, n_labels, 3)."""
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
    """Each round's sum of the docs' counts, a doc as often as `times` (n_rounds, n_docs) says. Exact: all are whole numbers."""
    return (times @ docs.reshape(len(docs), -1)).reshape(len(times), *docs.shape[1:])


def _pieces(rounds: int, n_docs: int) -> Iterator[int]:
    """Numbers of rounds to compute at once, which sum up to `rounds`."""
    most = max(1, _CELLS // n_docs)
    for start in range(0, rounds, most):
        yield min(most, rounds - start)


def _arrays(key: str, a: Sequence[Counts], b: Sequence[Counts]) -> tuple[Floats, Floats]:
    """The counts of the docs that have the score in both, (n_docs, n_labels, 3)."""
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
    """The counts of each label; of a score without labels, those of the label ""."""
    if isinstance(counts, Mapping):
        yield from counts.items()
    else:
        yield "", counts
