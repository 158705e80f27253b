"""The tag by which MLflow's runs page sorts runs: within a task, the best first; failed and killed runs last.

MLflow sorts its page by one column. A score alone would rank a tagger among recognizers, and runs that broke among those
that ended.
"""

from __future__ import annotations

TAG = "rank"


def rank(task: str, score: float | None, *, is_broken: bool = False) -> str:
    """The tag's value; values sort as texts. score: the best on the dev set, 0 to 1. is_broken: failed or killed.

    >>> sorted([rank("tagger", 0.9), rank("ner", 0.5), rank("ner", None), rank("ner", 0.8), rank("ner", 1, is_broken=True)])
    ['1 ner 0.200000', '1 ner 0.500000', '1 ner 2', '1 tagger 0.100000', '2 ner 0.000000']
    """
    last = f"{max(0.0, 1 - score):.6f}" if score is not None else "2"  # after every score
    return f"{2 if is_broken else 1} {task} {last}"
