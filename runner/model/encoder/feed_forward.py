"""The feed-forward layer of a transformer: Y = f(X @ U.T + b_U) @ D.T + b_D, each row by itself."""

from __future__ import annotations

from collections.abc import Callable

from thinc.api import Model

from runner.model.layout import Floats2d
from runner.model.parameters import Initializer, learns


def feed_forward(
    name: str, *, width: int, hidden: int, activation: str, init: dict[str, Initializer]
) -> Model[Floats2d, Floats2d]:
    """(n, width) → (n, width).

    Parameters: U (hidden, width), b_U (hidden,), D (width, hidden), b_D (width,). activation: see ops/transformer.py.
    init: initial values by name.
    """
    shapes = {"U": (hidden, width), "b_U": (hidden,), "D": (width, hidden), "b_D": (width,)}
    return Model(
        name,
        forward,
        dims={"nO": width, "nI": width},
        params=dict.fromkeys(shapes),
        attrs={"activation": activation, "init": {key: (shape, init[key]) for key, shape in shapes.items()}},
    )


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    U, D = model.get_param("U"), model.get_param("D")
    H = X @ U.T  # (n, hidden)
    slope = model.ops.activation(model.attrs["activation"], H, model.get_param("b_U"), is_train=is_train)
    Y = H @ D.T
    Y += model.get_param("b_D")

    def backprop(dY: Floats2d) -> Floats2d:
        dH = dY @ D
        dH *= slope
        if learns(model):
            model.inc_grad("D", dY.T @ H)
            model.inc_grad("b_D", dY.sum(axis=0))
            model.inc_grad("U", dH.T @ X)
            model.inc_grad("b_U", dH.sum(axis=0))
        return dH @ U

    return Y, backprop
