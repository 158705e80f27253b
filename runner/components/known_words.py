"""Which words training has seen, and how often: a pipeline's counts, and those of components that learned from other data.

A tok2vec hides the words that its training never saw (model/tok2vec.py). So a component that learns no more must not get
to know the words that the others go on to learn: their rows of its tables have never been trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from runner.corpus.doc import Doc
from runner.corpus.lexemes import Lexemes


class KnownWords:
    """lexemes: of the pipeline, for all components that are not in `own`. own: component → hash of a norm → count."""

    def __init__(self) -> None:
        self.lexemes = Lexemes()
        self.own: dict[str, dict[int, int]] = {}

    def of(self, name: str) -> dict[int, int]:
        """The counts that this component goes by."""
        return self.own.get(name, self.lexemes.frequencies)

    def learn(self, docs: Sequence[Doc], learning: Iterable[str], others: Iterable[str]) -> None:
        """Count words never seen as seen once. learning: components that learn from the docs. others: those that do not."""
        table = self.lexemes.table
        if table.has_new(docs):
            for name in others:
                self.own.setdefault(name, dict(self.lexemes.frequencies))
        self.lexemes.learn(docs)
        own = [self.own[name] for name in learning if name in self.own]
        for norm in table.norms(docs) if own else ():
            for counts in own:
                counts.setdefault(norm, 1)

    def add(self, counts: Mapping[str, Mapping[int, int]], readers: Collection[str]) -> None:
        """Add counts of earlier training to those of some components. counts: by component. readers: all that have a tok2vec.

        A word of the earlier training is not hidden as unknown then, although these components have not learned from it.
        """
        some = list(counts.values())
        if not self.own and set(counts) == set(readers) and all(one == some[0] for one in some):
            self.lexemes.add(some[0])
            return
        for name, earlier in counts.items():
            own = dict(self.of(name))
            for norm, n in earlier.items():
                own[norm] = own.get(norm, 0) + n
            self.own[name] = own

    def take(self, name: str, counts: dict[int, int], *, is_first: bool) -> None:
        """Give a component the counts of its past training. is_first: no component here has learned anything yet."""
        if is_first:
            self.lexemes = Lexemes(dict(counts))
        elif counts != self.lexemes.frequencies:
            self.own[name] = dict(counts)


def packed_counts(frequencies: Mapping[int, int]) -> dict[str, bytes]:
    """Word counts as the file holds them, in the order of the hashes."""
    return {
        "norms": np.fromiter(sorted(frequencies), "<u8", len(frequencies)).tobytes(),
        "counts": np.array([frequencies[norm] for norm in sorted(frequencies)], dtype="<u8").tobytes(),
    }


def own_counts(words: Mapping[str, Any], names: Collection[str]) -> dict[str, dict[int, int]]:
    """The word counts of components that have some of their own. Raises ValueError for a component that is none."""
    own = words.get("own", {})
    if not isinstance(own, dict) or not own.keys() <= set(names):
        raise ValueError("the words of a component are of none in the model")
    return {name: read_counts(counts) for name, counts in own.items()}


def read_counts(words: Mapping[str, Any]) -> dict[int, int]:
    norms, counts = (np.frombuffer(words[key], dtype="<u8") for key in ("norms", "counts"))
    if not (norms[:-1] < norms[1:]).all() or (counts >= 1 << 62).any():
        raise ValueError("the words are not in order")
    return dict(zip(norms.tolist(), counts.tolist(), strict=True))
