"""Counts per doc, from which the score of any set of docs can be computed.

    [right, predicted, gold]              the score is F of the sums, 2 · right / (predicted + gold)
    {label: [right, predicted, gold]}     the score is the mean of F over the labels that occur (macro F)

Accuracy is F with one prediction per gold token. A doc without the gold annotation contributes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.components.scores import prf

Triple = Sequence[int]  # right, predicted, gold
Counts = dict[str, Triple | Mapping[str, Triple]]  # by the score's key


def score_of(docs: Sequence[Triple | Mapping[str, Triple]]) -> float:
    """The score of a set of docs, from the counts of each doc.

    >>> score_of([[1, 2, 1], [1, 2, 2]])
    0.5714285714285714
    >>> score_of([{"good": [1, 2, 1], "bad": [0, 0, 1]}])
    0.3333333333333333
    """
    sums: dict[str, list[int]] = {}
    for doc in docs:
        for label, triple in doc.items() if isinstance(doc, Mapping) else [("", triple) for triple in [doc]]:
            sums[label] = [a + b for a, b in zip(sums.get(label, (0, 0, 0)), triple, strict=True)]
    values = [prf(*triple)[2] for triple in sums.values() if triple[1] or triple[2]]
    return sum(values) / len(values) if values else 0.0
