"""Static vectors in the embedding: known before training, never trained, projected to the width of a tok2vec.

    Y[:, lexeme] = W @ v(word)           v: zeros for a word without a vector

An unknown word of the training data that has a vector is no stranger any more: its neighbours' annotation tells of it
(Turian, Ratinov and Bengio, 2010, "Word representations: a simple and general method for semi-supervised learning").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

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
    V = model.attrs["vectors"].of(words)  # (n_words, dim)

    def backprop(dY: Floats2d) -> Sequence[str]:
        model.inc_grad("W", dY @ V)
        return words

    return np.matmul(model.get_param("W"), V.T), backprop
