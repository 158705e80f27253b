"""Linear layers from token vectors to scores: Y = W @ X + b, feature-major."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from thinc.api import Model

from runner.model.layout import Floats2d, Packed
from runner.model.parameters import zeros

Result = tuple[Floats2d, Callable[[Floats2d], Floats2d]]


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
        attrs={"init": {key: (shape, zeros) for key, shape in shapes.items()}},
    )


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
