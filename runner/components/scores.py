"""Scores of predictions against gold: precision, recall and F of entities, token accuracy.

An entity is right if start, end and label are right (the CoNLL 2003 rule, seqeval's strict mode). Gold entities that do not
align with the predicted tokens are left out (and counted), and so are predicted entities over tokens with unknown gold.

Without gold, precision, recall and F are None, both by label and over all labels. With gold but without predictions,
precision is 0 as in seqeval and scikit-learn (zero_division=0), so that predicting nothing is never rewarded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.corpus.example import Example
from runner.errors import RunnerError, suggest

Scores = dict[str, float | None]  # None: there is no gold to score against
PerType = dict[str, dict[str, float | None]]
Entity = tuple[int, int, str]  # start, end, label
Scorer = Callable[[Sequence[Example]], tuple[Scores, PerType]]


def prf(n_right: int, n_predicted: int, n_gold: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean; 0 if the divisor is 0.

    >>> [round(x, 3) for x in prf(2, 4, 3)]
    [0.5, 0.667, 0.571]
    """
    p = n_right / n_predicted if n_predicted else 0.0
    r = n_right / n_gold if n_gold else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def scored(n_right: int, n_predicted: int, n_gold: int) -> dict[str, float | None]:
    """p, r, f and support (n_gold); p, r and f are None without gold.

    >>> scored(0, 0, 4), scored(0, 4, 0)
    ({'p': 0.0, 'r': 0.0, 'f': 0.0, 'support': 4}, {'p': None, 'r': None, 'f': None, 'support': 0})
    """
    p, r, f = prf(n_right, n_predicted, n_gold) if n_gold else (None, None, None)
    return {"p": p, "r": r, "f": f, "support": n_gold}


def ents() -> Scorer:
    """Score entities over all examples that have them annotated, and p, r, f, support by label.

    ents_p, ents_r, ents_f: micro averages, every entity counts alike. ents_macro_f: the mean of f over the labels that occur
    in the gold annotation, every label counts alike: it sees a rare or a new label that is learned.
    """

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        right: Counter[str] = Counter()
        predicted: Counter[str] = Counter()
        gold: Counter[str] = Counter()
        for example in examples:
            if not example.reference.has_ents:
                continue
            guesses, expected = entities(example)
            right.update(label for _, _, label in guesses & expected)
            predicted.update(label for _, _, label in guesses)
            gold.update(label for _, _, label in expected)
        every = scored(right.total(), predicted.total(), gold.total())
        per_type = {label: scored(right[label], predicted[label], gold[label]) for label in sorted(gold | predicted)}
        of_labels = [row["f"] for row in per_type.values() if row["f"] is not None]
        macro = sum(of_labels) / len(of_labels) if of_labels else None
        return {**{f"ents_{key}": every[key] for key in "prf"}, "ents_macro_f": macro}, per_type

    return score


def entities(example: Example) -> tuple[set[Entity], set[Entity]]:
    """Return the predicted entities that count, and the gold entities. The example must have entities annotated."""
    tags = example.biluo() or []
    predicted = {
        ent.as_tuple()
        for ent in example.predicted.ents
        if "-" not in tags[ent.start : ent.end]  # tokens without gold cannot make a prediction wrong
    }
    return predicted, set(example.aligned_ents())


def tokens() -> Scorer:
    """Score token_acc = right tokens / predicted tokens. A token is right if a gold token has the same characters."""

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        counts = [example.token_counts() for example in examples]
        n_right, n_predicted = sum(c[0] for c in counts), sum(c[1] for c in counts)
        return {"token_acc": n_right / n_predicted if n_predicted else None}, {}

    return score


def final_score(scores: Mapping[str, Any], weights: Mapping[str, float]) -> float | None:
    """The weighted mean of the scores that are not None; the mean picks the best epoch.

    None if all scores are None or all weights are 0. Raises RunnerError for a weight whose score no component gives.
    """
    known = [key for key, value in scores.items() if value is None or isinstance(value, float)]
    for key in weights:
        if key not in known:
            fact = f"no component gives the score {key!r}; {suggest(key, known)}"
            raise RunnerError(fact, place="pipeline.score_weights")
    given = {key: weight for key, weight in weights.items() if scores[key] is not None}
    total = sum(given.values())
    return float(sum(scores[key] * weight for key, weight in given.items()) / total) if total else None
