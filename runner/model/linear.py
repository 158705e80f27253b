"""Linear layers from token vectors to scores: Y = W @ X + b, feature-major.

An entity label that is added to a layer that has learned starts below O for every input, so that the model predicts what it
predicted until it learns otherwise. With rows of zeros instead, a recognizer of WNUT 2017 to which a label was added lost a
quarter of its F (.249 → .190 on dev) before the first update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.layout import Floats2d, Packed
from runner.model.parameters import zeros

Result = tuple[Floats2d, Callable[[Floats2d], Floats2d]]
Arrays = Mapping[str, NDArray[np.float32]]  # name of a parameter → values
NEW_LABEL = 2.0  # nats that the states of a new entity label start below O


def linear(name: str, *, nO: int, nI: int) -> Model[Packed, Floats2d]:
    """Packed (nI, n_tokens) → (nO, n_tokens). W (nO, nI) and b (nO,) start at zero: every class is equally likely."""
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={"init": {"W": ((nO, nI), zeros), "b": ((nO,), zeros)}},
    )


def forward(model: Model[Packed, Floats2d], packed: Packed, is_train: bool) -> Result:
    X = packed.X
    W = model.get_param("W")
    Y = model.ops.gemm(W, X)  # (nO, n_tokens)
    Y += model.get_param("b")[:, None]

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("W", model.ops.gemm(dY, X, trans2=True))
        model.inc_grad("b", dY.sum(axis=1))
        return model.ops.gemm(W, dY, trans1=True)

    return Y, backprop


def linear_biluo(name: str, *, n_labels: int, nI: int) -> Model[Packed, Floats2d]:
    """Packed (nI, n_tokens) → scores of the states of crf.py, (4 n_labels + 1, n_tokens).

    Parameters, zero at first: W_O (1, nI), b_O (1,), W_BILU (4, n_labels, nI), b_BILU (4, n_labels). A new label is a new
    slice on the second axis, so that the weights of the old labels stay in place.
    """
    shapes = {"W_O": (1, nI), "b_O": (1,), "W_BILU": (4, n_labels, nI), "b_BILU": (4, n_labels)}
    return Model(
        name,
        forward_biluo,
        dims={"nO": 4 * n_labels + 1, "nI": nI},
        params=dict.fromkeys(shapes),
        attrs={"init": {key: (shape, zeros) for key, shape in shapes.items()}, "grow": grow_biluo},
    )


def grow_biluo(known: Arrays, grown: Arrays) -> None:
    """Set the new slices of `grown`: the states of a new label score `NEW_LABEL` less than O.

    A sequence with a new label then scores less than the same with O in its place: the best one has none. (Cermelli et al.,
    2020, start new classes from the background's weights too, and share its probability out equally.)
    """
    n = known["b_BILU"].shape[1]
    grown["W_BILU"][:, n:] = known["W_O"]
    grown["b_BILU"][:, n:] = known["b_O"] - NEW_LABEL


def forward_biluo(model: Model[Packed, Floats2d], packed: Packed, is_train: bool) -> Result:
    X = packed.X
    W_BILU, b_BILU = model.get_param("W_BILU"), model.get_param("b_BILU")
    W = np.concatenate([model.get_param("W_O"), W_BILU.reshape(-1, len(X))])  # (n_states, nI)
    Y = model.ops.gemm(W, X)  # (n_states, n_tokens)
    Y += np.concatenate([model.get_param("b_O"), b_BILU.ravel()])[:, None]

    def backprop(dY: Floats2d) -> Floats2d:
        dW, db = model.ops.gemm(dY, X, trans2=True), dY.sum(axis=1)
        model.inc_grad("W_O", dW[:1])
        model.inc_grad("b_O", db[:1])
        model.inc_grad("W_BILU", dW[1:].reshape(W_BILU.shape))
        model.inc_grad("b_BILU", db[1:].reshape(b_BILU.shape))
        return model.ops.gemm(W, dY, trans1=True)

    return Y, backprop
