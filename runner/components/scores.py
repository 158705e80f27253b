"""Scores of predictions against gold: precision, recall and F of entities, token accuracy.

Entities count as right when start, end and label all are (the CoNLL 2003 rule, seqeval's in strict mode). A gold entity
that does not align with the predicted tokens is left out, and counted; so are predicted entities over tokens whose gold is
not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from runner import registry
from runner.corpus.example import Example

Scores = dict[str, float]
PerType = dict[str, dict[str, float]]
Entity = tuple[int, int, str]  # start, end, label
Scorer = Callable[[Sequence[Example]], tuple[Scores, PerType]]


def prf(n_right: int, n_predicted: int, n_gold: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean; 0 where there is nothing to divide by.

    >>> [round(x, 3) for x in prf(2, 4, 3)]
    [0.5, 0.667, 0.571]
    """
    p = n_right / n_predicted if n_predicted else 0.0
    r = n_right / n_gold if n_gold else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@registry.scorers("ents")
def ents() -> Scorer:
    """ents_p, ents_r, ents_f over all examples whose reference has entities annotated (micro average), and by type."""

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        right: Counter[str] = Counter()
        predicted: Counter[str] = Counter()
        gold: Counter[str] = Counter()
        for example in examples:
            if not example.reference.has_ents:
                continue
            found, expected = entities(example)
            right.update(label for _, _, label in found & expected)
            predicted.update(label for _, _, label in found)
            gold.update(label for _, _, label in expected)
        p, r, f = prf(right.total(), predicted.total(), gold.total())
        per_type: PerType = {}
        for label in sorted(gold | predicted):
            tp, tr, tf = prf(right[label], predicted[label], gold[label])
            per_type[label] = {"p": tp, "r": tr, "f": tf, "support": gold[label]}
        return {"ents_p": p, "ents_r": r, "ents_f": f}, per_type

    return score


def entities(example: Example) -> tuple[set[Entity], set[Entity]]:
    """The predicted entities that count, and the gold ones, of an example whose reference has entities annotated."""
    tags = example.biluo() or []
    found = {
        ent.as_tuple()
        for ent in example.predicted.ents
        if "-" not in tags[ent.start : ent.end]  # what is not annotated there cannot be wrong
    }
    return found, set(example.aligned_ents())


@registry.scorers("tokens")
def tokens() -> Scorer:
    """token_acc: right tokens / predicted tokens; a token is right when a gold one has the same characters."""

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        counts = [example.token_counts() for example in examples]
        n_right, n_predicted = sum(c[0] for c in counts), sum(c[1] for c in counts)
        return {"token_acc": n_right / n_predicted if n_predicted else 0.0}, {}

    return score
