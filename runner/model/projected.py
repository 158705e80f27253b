"""The vectors of a tok2vec, projected to another width: Y = W @ X."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from thinc.api import Model

from runner.model.layout import Floats2d, Packed, Tokens
from runner.model.parameters import glorot_uniform


def projected(name: str, tok2vec: Model[Tokens, Packed], *, nO: int) -> Model[Tokens, Floats2d]:
    """Tokens → (nO, n_tokens). Parameter: W (nO, nI), where nI is the width of the tok2vec.

    A tok2vec with attrs["learns"] = False gets no gradient.
    """
    nI = tok2vec.get_dim("nO")
    return Model(
        name,
        forward,
        layers=[tok2vec],
        dims={"nO": nO, "nI": nI},
        params={"W": None},
        attrs={"init": {"W": ((nO, nI), glorot_uniform(nI, nO))}},
    )


def forward(
    model: Model[Tokens, Floats2d], tokens: Tokens, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Tokens]]:
    packed, backprop_tok2vec = model.layers[0](tokens, is_train)
    W: Any = model.get_param("W")

    def backprop(dY: Floats2d) -> Tokens:
        model.inc_grad("W", dY @ packed.X.T)
        if model.layers[0].attrs.get("learns", True):
            backprop_tok2vec(W.T @ dY)
        return tokens

    return np.matmul(W, packed.X), backprop
