"""Mix the vectors of several layers by learned shares: Y = scale * sum over i of softmax(shares)_i X_i (Peters et al., 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from thinc.api import Model

from runner.model.layout import Floats2d
from runner.model.parameters import ones, zeros


def mixed(name: str, *, n_layers: int) -> Model[Sequence[Floats2d], Floats2d]:
    """A list of n_layers arrays (n, width) → (n, width). Parameters: shares (n_layers,), equal at first; scale (1,)."""
    return Model(
        name,
        forward,
        params={"shares": None, "scale": None},
        attrs={"init": {"shares": ((n_layers,), zeros), "scale": ((1,), ones)}},
    )


def forward(
    model: Model[Sequence[Floats2d], Floats2d], Xs: Sequence[Floats2d], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[Floats2d]]]:
    shares, scale = np.exp(model.get_param("shares")), model.get_param("scale")[0]
    shares /= shares.sum()
    M = sum(share * X for share, X in zip(shares, Xs, strict=True))  # (n, width)

    def backprop(dY: Floats2d) -> list[Floats2d]:
        along = np.array([np.vdot(dY, X) for X in Xs], dtype="float32")
        model.inc_grad("shares", scale * shares * (along - (shares * along).sum()))
        model.inc_grad("scale", np.array([np.vdot(dY, M)], dtype="float32"))
        return [scale * share * dY for share in shares]

    return scale * M, backprop
