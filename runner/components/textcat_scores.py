"""Scores of categories: precision, recall and F over all decisions and by label, and the area under the ROC curve.

A decision is right or wrong at the threshold; the AUC looks at the order of the probabilities alone: how probable it is
that a text of the category is ranked above one that is not (ties count a half), 0.5 for guessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.components.counts import Counts
from runner.components.scores import PerType, Scorer, Scores, prf, scored
from runner.corpus.example import Example


def cats(*, exclusive: bool = True, threshold: float | None = None) -> Scorer:
    """Scores over all examples whose reference has categories.

    cats_p, cats_r, cats_f: micro, over all labels' decisions (all three are the accuracy where exclusive and threshold 0).
    cats_macro_p, cats_macro_r, cats_macro_f: means over the labels that occur, in gold or prediction; what one label has no
    gold or no prediction for counts 0 there, as in scikit-learn.
    cats_macro_auc: mean over the labels that have both texts in them and texts not in them; None where there is none.
    cats_score: cats_macro_f where exclusive, else cats_macro_auc. By label: p, r, f, support, and auc where defined.
    All are None where no text is of any label; see scores.py for those of one label.

    exclusive: the most probable label is the decision, if its probability is at least `threshold` (null: 0), and the
    gold label is the one with the largest value; texts whose values are all 0 are left out. Otherwise each label with at
    least `threshold` (null: 0.5) is one; gold values count from 0.5; a label that gold does not name is left out.
    """

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        labels, gold, predicted, is_gold, is_predicted = _decisions(examples, exclusive=exclusive, threshold=threshold)
        right, n_predicted, n_gold = ((x.sum(axis=0)) for x in (is_gold & is_predicted, is_predicted, is_gold))
        per_label: PerType = {}
        aucs: list[float] = []
        for i, label in enumerate(labels):
            per_label[label] = scored(int(right[i]), int(n_predicted[i]), int(n_gold[i]))
            is_known = ~np.isnan(gold[:, i])
            auc = area_under_curve(is_gold[is_known, i], predicted[is_known, i])
            if auc is not None:
                per_label[label]["auc"] = auc
                aucs.append(auc)
        every = scored(int(right.sum()), int(n_predicted.sum()), int(n_gold.sum()))
        rows = [
            prf(int(right[i]), int(n_predicted[i]), int(n_gold[i]))
            for i in range(len(labels))
            if n_predicted[i] or n_gold[i]
        ]
        scores: Scores = {f"cats_{key}": every[key] for key in "prf"}
        for i, key in enumerate("prf"):
            scores[f"cats_macro_{key}"] = _mean([row[i] for row in rows]) if n_gold.any() else None
        scores["cats_macro_auc"] = _mean(aucs)
        scores["cats_score"] = scores["cats_macro_f" if exclusive else "cats_macro_auc"]
        return scores, per_label

    return score


def cats_counts(examples: Sequence[Example], *, exclusive: bool, threshold: float | None) -> list[Counts]:
    """What each doc contributes to cats_macro_f, with the decisions of `cats`."""
    labels, _, _, is_gold, is_predicted = _decisions(examples, exclusive=exclusive, threshold=threshold)
    triples = np.stack([is_gold & is_predicted, is_predicted, is_gold], axis=-1).astype(int)  # (n_docs, n_labels, 3)
    rows = iter(triples.tolist())
    counts: list[Counts] = []
    for example in examples:
        known = _is_known(example, exclusive=exclusive)
        row = next(rows) if known else []
        counts.append(
            {"cats_macro_f": {label: t for label, t in zip(labels, row, strict=True) if any(t)}} if known else {}
        )
    return counts


def _is_known(example: Example, *, exclusive: bool) -> bool:
    """Whether the gold annotation tells of the example's categories."""
    cats = example.reference.cats
    return cats is not None and (not exclusive or any(cats.values()))


def _decisions(
    examples: Sequence[Example], *, exclusive: bool, threshold: float | None
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The labels, and of the examples whose categories are known (n_docs, n_labels) gold values (NaN: not known),
    predicted ones, and which label is one in gold and prediction."""
    least = threshold if threshold is not None else (0.0 if exclusive else 0.5)
    annotated = [example for example in examples if example.reference.cats is not None]
    labels = sorted({label for e in annotated for doc in (e.reference, e.predicted) for label in doc.cats or {}})
    annotated = [example for example in annotated if _is_known(example, exclusive=exclusive)]
    gold = _matrix([e.reference.cats for e in annotated], labels, 0.0 if exclusive else np.nan)
    predicted = _matrix([e.predicted.cats for e in annotated], labels, 0.0)  # (n_docs, n_labels)
    if exclusive:
        return labels, gold, predicted, _only_largest(gold), _only_largest(predicted) & (predicted >= least)
    return labels, gold, predicted, gold >= 0.5, (predicted >= least) & ~np.isnan(gold)  # NaN compares false


def area_under_curve(is_gold: NDArray[np.bool_], values: NDArray[Any]) -> float | None:
    """The area under the ROC curve, from ranks (Mann and Whitney, 1947); None where all are gold, or none.

    >>> area_under_curve(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    0.75
    """
    n_gold = int(is_gold.sum())
    n_other = len(is_gold) - n_gold
    if not n_gold or not n_other:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # from 1; equal values share the mean of their ranks
    return float((ranks[is_gold].sum() - n_gold * (n_gold + 1) / 2) / (n_gold * n_other))


def _matrix(rows: Sequence[Any], labels: Sequence[str], missing: float) -> NDArray[np.float64]:
    values = [[(row or {}).get(label, missing) for label in labels] for row in rows]
    return np.array(values, dtype="float64").reshape(len(rows), len(labels))


def _only_largest(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True at the first largest value of each row."""
    is_largest = np.zeros(values.shape, dtype=bool)
    if values.size:
        is_largest[np.arange(len(values)), values.argmax(axis=1)] = True
    return is_largest


def _mean(values: Sequence[float]) -> float | None:
    return float(sum(values) / len(values)) if values else None
