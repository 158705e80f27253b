"""One layer of the encoder: window, maxout, layer norm, dropout, and optionally a residual connection.

    Y = dropout(layer_norm(max over pieces of (W @ window(X) + b))) [+ X]

Maxout: Goodfellow et al. (2013); with one piece, it is taken against 0, which makes it a ReLU. Layer norm: Ba et al. (2016).
All arrays are feature-major, see layout.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Packed
from runner.model.ops import Ops
from runner.model.ops.windows import Activation
from runner.model.parameters import Initializer, Shape, ones, uniform, zeros

Backprop = Callable[[Floats2d], Floats2d]


def maxout_window(
    name: str,
    *,
    nO: int,
    nI: int,
    nP: int = 3,
    window_size: int = 0,
    is_residual: bool = False,
    dropout: Dropout,
) -> Model[Packed, Packed]:
    """Packed (nI, n_tokens) → Packed (nO, n_tokens), reading `window_size` neighbours on either side.

    Parameters: W (nP, nO, (2 * window_size + 1) * nI), b (nP, nO), layer norm's gain G (nO,) and bias (nO,).
    """
    assert not is_residual or nO == nI
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI, "nP": nP},
        params={"W": None, "b": None, "G": None, "bias": None},
        attrs={
            "window_size": window_size,
            "is_residual": is_residual,
            "dropout": dropout,
            "init": maxout_parameters(nO, (2 * window_size + 1) * nI, nP),
        },
    )


def maxout_parameters(nO: int, width: int, nP: int) -> dict[str, tuple[Shape, Initializer]]:
    """Shapes and initial values of W, b, G and bias. width: of the input that W multiplies."""
    scale = (
        6.0 / (nO + nP)
    ) ** 0.5  # thinc's for maxout; with layer norm, scale changes the length of a step, not the output
    return {"W": ((nP, nO, width), uniform(scale)), "b": ((nP, nO), zeros), "G": ((nO,), ones), "bias": ((nO,), zeros)}


def forward(model: Model[Packed, Packed], packed: Packed, is_train: bool) -> tuple[Packed, Backprop]:
    ops: Ops = model.ops
    X, layout = packed
    nO, nP = model.get_dim("nO"), model.get_dim("nP")
    window_size = model.attrs["window_size"]
    W = model.get_param("W").reshape(nP * nO, -1)
    C = ops.expand_window(X, layout, window_size)  # ((2k+1) nI, n_tokens)
    is_residual = model.attrs["is_residual"]
    Y, backprop_activate = activate(model, ops.gemm(W, C), X if is_residual else None, is_train=is_train)

    def backprop(dY: Floats2d) -> Floats2d:
        dP = backprop_activate(dY)
        model.inc_grad("W", ops.gemm(dP, C, trans2=True).reshape(nP, nO, -1))
        dC = ops.gemm(W, dP, trans1=True)
        return ops.backprop_expand_window(dC, layout, window_size, dY if is_residual else None)

    return Packed(Y, layout), backprop


def activate(
    model: Model[Any, Any], P: Floats2d, residual: Floats2d | None = None, *, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """What follows a layer's product, see Ops.activate: bias, maxout, layer norm, dropout, and `residual` added.

    Overwrites P. (nP nO, n_tokens) → (nO, n_tokens).
    """
    ops: Ops = model.ops
    draws = model.attrs["dropout"].draw(model.get_dim("nO"), P.shape[1]) if is_train else None
    weights = Activation(*(model.get_param(name) for name in Activation._fields))
    Y, backprop_activate = ops.activate(P, weights, draws, residual, is_train=is_train)

    def backprop(dY: Floats2d) -> Floats2d:
        return backprop_activate(dY, Activation(*(model.get_grad(name) for name in Activation._fields)))

    return Y, backprop
