"""Layer norm with a residual: Y = layer_norm(X + dropout(branch)) * G + b (Ba et al., 2016)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d
from runner.model.parameters import Initializer, learns

Backprop = Callable[[Floats2d], tuple[Floats2d, Floats2d]]


def residual_norm(
    name: str, *, width: int, eps: float, dropout: Dropout, init: dict[str, Initializer]
) -> Model[tuple[Floats2d, Floats2d], Floats2d]:
    """(X, branch), (n, width) each → (n, width). Parameters: G and b (width,). init: their initial values by name."""
    return Model(
        name,
        forward,
        dims={"nO": width},
        params={"G": None, "b": None},
        attrs={"eps": eps, "dropout": dropout, "init": {key: ((width,), make) for key, make in init.items()}},
    )


def forward(
    model: Model[tuple[Floats2d, Floats2d], Floats2d], inputs: tuple[Floats2d, Floats2d], is_train: bool
) -> tuple[Floats2d, Backprop]:
    """Overwrites the branch."""
    X, branch = inputs
    mask = model.attrs["dropout"].mask(*branch.shape) if is_train else None
    if mask is not None:
        branch *= mask
    branch += X
    Y, backprop_norm = model.ops.layer_norm(
        branch, model.get_param("G"), model.get_param("b"), model.attrs["eps"], is_train=is_train
    )

    def backprop(dY: Floats2d) -> tuple[Floats2d, Floats2d]:
        """dY → (dX, gradient of the branch)"""
        if learns(model):
            dX = backprop_norm(dY, model.get_grad("G"), model.get_grad("b"))
        else:
            dX = backprop_norm(dY, np.zeros_like(dY[0]), np.zeros_like(dY[0]))
        return dX, dX * mask if mask is not None else dX.copy()

    return Y, backprop
