"""Scores of categories: precision, recall and F over all decisions and by label, and the area under the ROC curve.

A decision is right or wrong at the threshold. The AUC depends only on the order of the probabilities: the AUC is the chance
that a text of the category ranks above a text outside the category (ties count a half); guessing gives 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.decisions import Decisions
from runner.components.outcomes import INVENTED, MISSED, RIGHT, Chance, Mark, Outcome, bucket
from runner.components.scores import PerType, Scorer, Scores, prf, scored
from runner.corpus.example import Example

Threshold = (
    float | Mapping[str, float] | None
)  # one for all labels, or label → its own (labels that it lacks: the default)


def cats(*, exclusive: bool = True, threshold: Threshold = None) -> Scorer:
    """Scores over all examples whose reference has categories.

    cats_p, cats_r, cats_f: micro averages over all decisions (all three equal accuracy if exclusive with threshold 0).
    cats_macro_p, cats_macro_r, cats_macro_f: means over the labels that occur in gold or prediction; a label's recall
    without gold and precision without prediction count as 0, as in scikit-learn.
    cats_macro_auc: mean over the labels with texts both in and outside the label; None if there is no such label.
    cats_score: cats_macro_f if exclusive, else cats_macro_auc. By label: p, r, f, support, and auc if defined.
    All scores are None if no text has a gold label; see scores.py for the scores by label.

    exclusive: the most probable label is predicted if its probability is at least `threshold` (null: 0). The gold label
    has the largest gold value; texts whose gold values are all 0 are left out. If not exclusive, each label with a
    probability of at least `threshold` (null: 0.5) is predicted, and each label with a gold value of at least 0.5 is
    gold; labels that the gold annotation does not name are left out.
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


def cats_counts(examples: Sequence[Example], *, exclusive: bool, threshold: Threshold) -> list[Counts]:
    """Each doc's counts for cats_macro_f, from the same decisions as `cats`."""
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


def graded_cats(examples: Sequence[Example], *, exclusive: bool) -> Graded:
    """If exclusive, the most probable label of each doc, which is right if it is the gold label. Else every label whose
    gold value is known, "right" if it is gold: of the labels given 30 %, 30 % should hold.
    """
    pairs: list[tuple[float, bool]] = []
    for example in examples:
        values = (example.predicted.confidence or {}).get("cats")
        gold = example.reference.cats
        if not values or not isinstance(values, Mapping) or gold is None or not _is_known(example, exclusive=exclusive):
            continue
        if exclusive:
            best = max(values, key=values.__getitem__)
            pairs.append((values[best], best == max(sorted(gold), key=gold.__getitem__)))
        else:
            pairs += [(value, gold[label] >= 0.5) for label, value in values.items() if label in gold]
    return Graded.of(pairs)


def cats_outcomes(example: Example, *, exclusive: bool, threshold: Threshold) -> list[Outcome]:
    """If exclusive, one outcome; else one for each label that is gold or predicted. From the same decisions as `cats`."""
    labels, _, values, is_gold, is_predicted = _decisions([example], exclusive=exclusive, threshold=threshold)
    if not len(is_gold):
        return []
    n = len(example.predicted)
    groups = {"length": bucket(max(n, 1), (10, 30, 100, 300), "words")}
    gold = [label for label, value in zip(labels, is_gold[0], strict=True) if value]
    predicted = [label for label, value in zip(labels, is_predicted[0], strict=True) if value]
    confidence = dict(zip(labels, values[0].tolist(), strict=True))
    told = (example.predicted.confidence or {}).get("cats")
    confidence |= told if isinstance(told, Mapping) else {}
    if exclusive:
        a, b = gold[0] if gold else None, predicted[0] if predicted else None
        pairs = [(a, b)] if a or b else []
    else:
        pairs = [(x if x in gold else None, x if x in predicted else None) for x in labels if x in {*gold, *predicted}]
    outcomes = []
    for a, b in pairs:
        kind = RIGHT if a == b else MISSED if b is None else INVENTED if a is None else "wrong category"
        marks = Mark(0, n, a) if a is not None else None, Mark(0, n, b) if b is not None else None
        outcomes.append(Outcome(kind, *marks, confidence[b if b is not None else str(a)], groups))
    return outcomes


def cats_chances(example: Example, *, exclusive: bool) -> list[Chance]:
    """The probability of each label whose gold value is known."""
    labels, gold, values, is_gold, _ = _decisions([example], exclusive=exclusive, threshold=None)
    if not len(gold):
        return []
    rows = zip(labels, values[0].tolist(), is_gold[0].tolist(), ~np.isnan(gold[0]), strict=True)
    return [Chance(label, value, yes) for label, value, yes, is_known in rows if is_known]


def _is_known(example: Example, *, exclusive: bool) -> bool:
    """Whether the example has gold categories that can be scored."""
    cats = example.reference.cats
    return cats is not None and (not exclusive or any(cats.values()))


def _decisions(
    examples: Sequence[Example], *, exclusive: bool, threshold: Threshold
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return labels, gold values (NaN: unknown), predicted values, is_gold and is_predicted.

    Each array is (n_docs, n_labels), over the examples with known categories.
    """
    annotated = [example for example in examples if example.reference.cats is not None]
    labels = sorted({label for e in annotated for doc in (e.reference, e.predicted) for label in doc.cats or {}})
    annotated = [example for example in annotated if _is_known(example, exclusive=exclusive)]
    gold = _matrix([e.reference.cats for e in annotated], labels, 0.0 if exclusive else np.nan)
    predicted = _matrix([e.predicted.cats for e in annotated], labels, 0.0)  # (n_docs, n_labels)
    least = least_probabilities(labels, exclusive=exclusive, threshold=threshold)
    if exclusive:
        return labels, gold, predicted, _only_largest(gold), _only_largest(predicted) & (predicted >= least)
    return labels, gold, predicted, gold >= 0.5, (predicted >= least) & ~np.isnan(gold)  # NaN compares false


def least_probabilities(labels: Sequence[str], *, exclusive: bool, threshold: Threshold) -> NDArray[np.float64]:
    """(n_labels,) the probability from which each label is predicted.

    >>> least_probabilities(["A", "B"], exclusive=False, threshold={"B": 0.2}).tolist()
    [0.5, 0.2]
    """
    default = 0.0 if exclusive else 0.5
    if isinstance(threshold, Mapping):
        return np.array([threshold.get(label, default) for label in labels], dtype="float64")
    return np.full(len(labels), default if threshold is None else threshold, dtype="float64")


def cats_decisions(examples: Sequence[Example], *, exclusive: bool, threshold: Threshold) -> Decisions | None:
    """The decisions of predicted examples; None if no text has gold categories."""
    labels, gold, predicted, is_gold, _ = _decisions(examples, exclusive=exclusive, threshold=threshold)
    if not len(predicted):
        return None
    may_hold = _only_largest(predicted) if exclusive else ~np.isnan(gold)
    least = least_probabilities(labels, exclusive=exclusive, threshold=threshold)
    return Decisions(labels, predicted, is_gold, may_hold, least, 0.0 if exclusive else 0.5)


def area_under_curve(is_gold: NDArray[np.bool_], values: NDArray[Any]) -> float | None:
    """The area under the ROC curve, from ranks (Mann and Whitney, 1947). None if all texts are gold, or no text is.

    >>> area_under_curve(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    0.75
    """
    n_gold = int(is_gold.sum())
    n_other = len(is_gold) - n_gold
    if not n_gold or not n_other:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ranks start at 1; equal values share their mean rank
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
