"""Which words training has seen, and how often: a pipeline's counts, and those of components that learned from other data.

A tok2vec hides the words that its training never saw (model/tok2vec.py). So a component that learns no more must not get
to know the words that the others go on to learn: their rows of its tables have never been trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

    def take(self, name: str, counts: dict[int, int], *, is_first: bool) -> None:
        """Give a component the counts of its past training. is_first: no component here has learned anything yet."""
        if is_first:
            self.lexemes = Lexemes(dict(counts))
        elif counts != self.lexemes.frequencies:
            self.own[name] = dict(counts)
