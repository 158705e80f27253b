"""A linear layer from token vectors to scores: Y = W @ X + b, feature-major."""

from __future__ import annotations

from collections.abc import Callable

from thinc.api import Model

from runner.model.layout import Floats2d, Packed
from runner.model.parameters import zeros


def scores(name: str, *, nO: int, nI: int) -> Model[Packed, Floats2d]:
    """Packed (nI, n_tokens) → (nO, n_tokens). W (nO, nI) and b (nO,) start at zero: every class is equally likely."""
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={"init": {"W": ((nO, nI), zeros), "b": ((nO,), zeros)}},
    )


def forward(
    model: Model[Packed, Floats2d], packed: Packed, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    X = packed.X
    W = model.get_param("W")
    Y = model.ops.gemm(W, X)  # (nO, n_tokens)
    Y += model.get_param("b")[:, None]

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("W", model.ops.gemm(dY, X, trans2=True))
        model.inc_grad("b", dY.sum(axis=1))
        return model.ops.gemm(W, dY, trans1=True)

    return Y, backprop
