"""Static vectors in the embedding: known before training, never trained, projected to the width of a tok2vec.

    Y[:, lexeme] = W @ v(word)           v: zeros for a word without a vector

An unknown word of the training data that has a vector is no stranger any more: its neighbours' annotation tells of it
(Turian, Ratinov and Bengio, 2010, "Word representations: a simple and general method for semi-supervised learning").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from thinc.api import Model

from runner.model.layout import Floats2d
from runner.model.parameters import glorot_uniform


class StaticVectors(Protocol):
    """Vectors of words, from wherever (registry kind `vectors`)."""

    @property
    def dim(self) -> int:
        """The length of a vector."""

    def of(self, words: Sequence[str]) -> Floats2d:
        """The vector of each word: (n, dim) float32; zeros for a word without one."""

    def knows(self, words: Sequence[str]) -> Any:
        """Whether each word has a vector: (n,) bool."""

    def files(self) -> dict[str, Any]:
        """The files by name that a trained model must hold, for `take_files`."""

    def take_files(self, files: Mapping[str, Any]) -> None:
        """Use these files of a trained model in place of the source. Raises ValueError if they are others."""


@runtime_checkable
class Projects(Protocol):
    """Vectors that are means of few distinct rows, so that prediction can project these once, and not each word."""

    def project(self, W: Floats2d) -> Floats2d | None:
        """All rows times W.T; None where that would take long."""

    def projected(self, words: Sequence[str], table: Floats2d) -> Floats2d:
        """The vector of each word, of rows that are projected already: (n, nO) float32."""


class _Projected(NamedTuple):
    W: Floats2d  # a copy of that which has projected
    table: Floats2d | None


def static(name: str, vectors: StaticVectors, *, nO: int) -> Model[Sequence[str], Floats2d]:
    """Words → (nO, n_words). Parameter: W (nO, dim). The vectors are no parameter."""
    shape = (nO, vectors.dim)
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": vectors.dim},
        params={"W": None},
        attrs={"vectors": vectors, "init": {"W": (shape, glorot_uniform(shape[1], shape[0]))}},
    )


def forward(
    model: Model[Sequence[str], Floats2d], words: Sequence[str], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Sequence[str]]]:
    vectors = model.attrs["vectors"]
    if not is_train and isinstance(vectors, Projects) and (table := _table(model, vectors)) is not None:
        return np.ascontiguousarray(vectors.projected(words, table).T), _no_backprop
    V = vectors.of(words)  # (n_words, dim)

    def backprop(dY: Floats2d) -> Sequence[str]:
        model.inc_grad("W", dY @ V)
        return words

    return np.matmul(model.get_param("W"), V.T), backprop


def _table(model: Model[Sequence[str], Floats2d], vectors: Projects) -> Floats2d | None:
    """The projected rows for the weights of now."""
    W = model.get_param("W")
    kept: _Projected | None = model.attrs.get("projected")
    if kept is None or not np.array_equal(kept.W, W):
        model.attrs["projected"] = kept = _Projected(W.copy(), vectors.project(W))
    return kept.table


def _no_backprop(dY: Floats2d) -> Sequence[str]:
    raise AssertionError("a prediction has no gradient")
