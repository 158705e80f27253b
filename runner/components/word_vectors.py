"""Pretraining on raw text: the tok2vec learns to tell hidden words from the words around them.

    hide some words → tok2vec → linear → the vector of each hidden word, or its letters

The component annotates nothing. What it is for is its tok2vec, from which other components start (`init.tok2vec`). Nothing of a
text but its words is read. The loss and the score count the hidden words alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.components.advice import Advice, Size, between
from runner.components.base import Component, PerType
from runner.components.hidden_words import Shares, hidden_in, hidden_of, hide_at_random, masked
from runner.components.inputs import Batch
from runner.components.scores import Scores
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Layout, Packed, Tokens
from runner.model.linear import linear
from runner.model.vectors.static import StaticVectors
from runner.model.word_targets import LetterTargets, VectorTargets, WordTargets

TOLD = "hidden"  # key in Doc.meta, and of the record in its place: [hidden words that have a target, sum of their likeness]
_LABEL = "word"  # every text has it: there is always something to learn
_OWN = "target/"  # begins the names of its own files, beside those of its tok2vec


@registry.components("word_vectors")
def word_vectors(
    name: str,
    tok2vec: registry.Tok2VecBlock,
    vectors: registry.VectorsBlock | None = None,
    hidden: float = 0.15,
    other: float = 0.1,
    kept: float = 0.1,
    dropout: registry.Schedule | None = None,
) -> WordVectors:
    """Pretraining of a tok2vec on raw text.

    vectors: of words, which are to be told; null: tell a word's first and last four letters. hidden: share of the words that
    are hidden. other, kept: of the hidden words, the shares that are replaced by another word, and left as they are; a mask
    hides the rest. dropout: this component's rate; null: the run's rate.
    """
    if not 0 < hidden <= 0.9:
        raise RunnerError(
            f"hidden is {hidden}; it must be above 0 and at most 0.9", hint="0.15 hides every seventh word."
        )
    if not (other >= 0 and kept >= 0 and other + kept <= 1):
        raise RunnerError(
            f"other is {other} and kept is {kept}; they are shares that make at most 1", hint="0.1 each is usual."
        )
    component = WordVectors(name, tok2vec, vectors, Shares(hidden, other, kept))
    component.dropout = dropout
    return component


class WordVectors(Component):
    """tok2vec → what is to be told of a hidden word.

    vectors: None: its letters.
    """

    type = "word_vectors"
    heading = "Hidden"
    scores_unpredicted: ClassVar = True
    columns: ClassVar = {"hidden_sim": "Hidden %"}
    score_weights: ClassVar = {"hidden_sim": 1.0}
    max_batch_size: ClassVar = 64
    hides_words = True

    def __init__(self, name: str, build_tok2vec: object, vectors: StaticVectors | None, shares: Shares) -> None:
        super().__init__(name, build_tok2vec)
        self.vectors = vectors
        self.shares = shares
        self.targets: WordTargets = VectorTargets(vectors) if vectors is not None else LetterTargets()

    def advice(self, size: Size) -> Advice:
        batch_words = between(100, size.words / 100, 2000)
        return Advice(learn_rate=0.002, dropout=(0.1, 0.1), batch_words=batch_words, epochs=20)

    def files(self) -> dict[str, bytes]:
        own = self.vectors.files() if self.vectors is not None else {}
        return {**super().files(), **{f"{_OWN}{name}": content for name, content in own.items()}}

    def take_files(self, files: Mapping[str, bytes]) -> None:
        own = {name.removeprefix(_OWN): content for name, content in files.items() if name.startswith(_OWN)}
        super().take_files({name: content for name, content in files.items() if not name.startswith(_OWN)})
        if self.vectors is not None:
            self.vectors.take_files(own)
        elif own:
            raise ValueError(f"{self.name!r} has no use for files")

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        return [_LABEL] if any(len(example.predicted) for example in examples) else []

    def build_head(self, width: int, dropout: Dropout) -> Model[Packed, Floats2d]:
        return linear(f"{self.name}/told", nO=self.targets.size, nI=width)

    def hide(self, tokens: Tokens, batch: Batch, *, is_train: bool) -> tuple[Tokens, NDArray[np.intp]]:
        if is_train:
            return hide_at_random(tokens, self.shares, self.masks)
        hidden = hidden_in(batch.docs, self.shares.hidden)
        return masked(tokens, hidden), hidden

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        assert self.head is not None
        assert batch.vectors is not None
        assert batch.hidden is not None
        if not len(batch.hidden):
            return 0.0, None
        X = batch.vectors.X
        Y, backprop = self.head.begin_update(_columns(X, batch.hidden))
        loss, dY = self.targets.loss(Y, _words(batch))
        dX = np.zeros_like(X)
        dX[:, batch.hidden] = backprop(dY)
        return loss, dX

    def annotate(self, batch: Batch) -> None:
        """Note in each doc's meta how many words were hidden, and how well they were told."""
        assert self.head is not None
        assert batch.vectors is not None
        assert batch.hidden is not None
        Y = self.head.predict(_columns(batch.vectors.X, batch.hidden))
        self.check_finite(Y)
        likeness = self.targets.likeness(Y, _words(batch))
        of_doc = np.searchsorted(batch.layout.starts + batch.layout.lengths, batch.hidden, side="right")
        is_known = ~np.isnan(likeness)
        counts = np.bincount(of_doc[is_known], minlength=len(batch.docs))
        sums = np.bincount(of_doc[is_known], weights=likeness[is_known], minlength=len(batch.docs))
        for doc, n, total in zip(batch.docs, counts.tolist(), sums.tolist(), strict=True):
            doc.meta[TOLD] = [n, total]

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """`hidden`: how many words were hidden; `hidden_sim`: how like them, in the mean, is what was told; None without any."""
        n, total = doc.meta.get(TOLD) or (0, 0.0)
        return {"words": doc.words, "hidden": n, "hidden_sim": total / n if n else None}

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        """hidden_sim: of the hidden words, the mean cosine with their vectors, or the share of their letters told right.

        None if no word is hidden; 0 if it is below 0. The same words are hidden every time.
        """
        told = [example.predicted.meta.get(TOLD) or (0, 0.0) for example in examples]
        n = sum(count for count, _ in told)
        if n:
            return {"hidden_sim": max(sum(total for _, total in told) / n, 0.0)}, {}
        some = any(len(hidden_of(example.predicted, self.shares.hidden)) for example in examples)
        return {"hidden_sim": 0.0 if some else None}, {}


def _columns(X: Floats2d, places: NDArray[np.intp]) -> Packed:
    return Packed(X.take(places, axis=1), Layout([len(places)]))


def _words(batch: Batch) -> Sequence[str]:
    assert batch.hidden is not None
    return batch.lexemes.spelled(batch.rows[batch.hidden])
