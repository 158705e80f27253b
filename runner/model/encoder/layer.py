"""One layer of a transformer: attention, then a feed-forward layer, each with a residual and a layer norm after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.encoder.architecture import Architecture
from runner.model.encoder.attention import attention
from runner.model.encoder.feed_forward import feed_forward
from runner.model.encoder.norm import residual_norm
from runner.model.encoder.pretrained import Pretrained, initializers
from runner.model.encoder.sequences import Pieces
from runner.model.layout import Floats2d
from runner.model.parameters import Initializer

Rows = NDArray[np.integer]
Backprop = Callable[[Floats2d], Floats2d]


def layer(
    name: str, a: Architecture, source: Pretrained, number: int, dropout: Dropout, *, is_fixed: bool
) -> Model[tuple[Pieces, Rows | None], Floats2d]:
    """(Pieces (n, width), rows) → (n, width), or (n_rows, width) of the asked rows. number: of the layer, from 0.

    is_fixed: its weights do not learn.
    """

    def init(part: str) -> dict[str, Initializer]:
        return initializers(source, a, part, number)

    width, norm_init = a.width, init("attention_norm")
    made: Model[Any, Any] = Model(
        name,
        forward,
        layers=[
            attention(f"{name}/attention", width=width, n_heads=a.n_heads, dropout=dropout, init=init("attention")),
            residual_norm(f"{name}/attention_norm", width=width, eps=a.eps, dropout=dropout, init=norm_init),
            feed_forward(
                f"{name}/feed_forward", width=width, hidden=a.hidden, activation=a.activation, init=init("feed_forward")
            ),
            residual_norm(
                f"{name}/feed_forward_norm", width=width, eps=a.eps, dropout=dropout, init=init("feed_forward_norm")
            ),
        ],
        dims={"nO": width},
    )
    for part in made.layers:
        part.attrs["is_fixed"] = is_fixed
    return made


def forward(
    model: Model[tuple[Pieces, Rows | None], Floats2d], asked: tuple[Pieces, Rows | None], is_train: bool
) -> tuple[Floats2d, Backprop]:
    """Attention reads all rows; what follows is computed for the asked rows alone."""
    pieces, rows = asked
    attend, attend_norm, feed, feed_norm = model.layers
    A, backprop_attend = attend(pieces, is_train)
    X = pieces.X
    if rows is not None:
        X, A = X.take(rows, axis=0), A.take(rows, axis=0)
    H, backprop_attend_norm = attend_norm((X, A), is_train)
    F, backprop_feed = feed(H, is_train)
    Y, backprop_feed_norm = feed_norm((H, F), is_train)

    def backprop(dY: Floats2d) -> Floats2d:
        dH, dF = backprop_feed_norm(dY)
        dH += backprop_feed(dF)
        dX, dA = backprop_attend_norm(dH)
        if rows is not None:
            dX, dA = _spread(dX, rows, len(pieces.X)), _spread(dA, rows, len(pieces.X))
        dX += backprop_attend(dA)
        return dX

    return Y, backprop


def _spread(dY: Floats2d, rows: Rows, n: int) -> Floats2d:
    """The gradient of the distinct `rows` among n rows."""
    dX = np.zeros((n, dY.shape[1]), dtype=dY.dtype)
    dX[rows] = dY
    return dX
