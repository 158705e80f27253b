"""The vectors of word pieces, of their positions and of token types, added and normalized; projected where they are narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.encoder.architecture import Architecture
from runner.model.encoder.sequences import Sequences
from runner.model.layout import Floats2d
from runner.model.parameters import Initializer


def embeddings(
    name: str, architecture: Architecture, *, dropout: Dropout, init: dict[str, Initializer]
) -> Model[Sequences, Floats2d]:
    """Sequences → (n, width).

    Parameters: E (n_pieces, embed_width), a table whose rows are read one by one; positions (n_positions, embed_width);
    types (n_types, embed_width), of which the first row is used, where the architecture has types; G, b (embed_width,) of
    the norm; W (width, embed_width) and b_W (width,) where the embeddings are projected. init: initial values by name.
    """
    a = architecture
    shapes: dict[str, tuple[int, ...]] = {
        "E": (a.n_pieces, a.embed_width), "positions": (a.n_positions, a.embed_width),
        "G": (a.embed_width,), "b": (a.embed_width,),
    }  # fmt: skip
    if a.n_types:
        shapes["types"] = (a.n_types, a.embed_width)
    if a.embed_width != a.width:
        shapes |= {"W": (a.width, a.embed_width), "b_W": (a.width,)}
    return Model(
        name,
        forward,
        dims={"nO": a.width},
        params=dict.fromkeys(shapes),
        attrs={
            "first_position": a.first_position,
            "eps": a.eps,
            "dropout": dropout,
            "tables": {"E": None},
            "init": {key: (shape, init[key]) for key, shape in shapes.items()},
        },
    )


def forward(
    model: Model[Sequences, Floats2d], sequences: Sequences, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Sequences]]:
    ops, first = model.ops, model.attrs["first_position"]
    touched: Any = None
    if is_train:
        touched, keys = model.attrs["tables"]["E"].read(sequences.ids)
        X = touched.W.take(keys, axis=0)  # (n, embed_width)
    else:
        X = model.get_param("E").take(sequences.ids, axis=0)
    positions = model.get_param("positions")
    for bucket in sequences.buckets:
        X[bucket.rows].reshape(bucket.n, bucket.length, -1)[...] += positions[first : first + bucket.length]
    if model.has_param("types"):
        X += model.get_param("types")[0]
    N, backprop_norm = ops.layer_norm(
        X, model.get_param("G"), model.get_param("b"), model.attrs["eps"], is_train=is_train
    )
    mask = model.attrs["dropout"].mask(*N.shape) if is_train else None
    if mask is not None:
        N *= mask
    is_projected = model.has_param("W")
    Y = N @ model.get_param("W").T + model.get_param("b_W") if is_projected else N

    def backprop(dY: Floats2d) -> Sequences:
        dN = dY
        if is_projected:
            model.inc_grad("W", dY.T @ N)
            model.inc_grad("b_W", dY.sum(axis=0))
            dN = dY @ model.get_param("W")
        if mask is not None:
            dN = dN * mask
        dX = backprop_norm(dN, model.get_grad("G"), model.get_grad("b"))
        if model.has_param("types"):
            model.get_grad("types")[0] += dX.sum(axis=0)
        d_positions = model.get_grad("positions")
        for bucket in sequences.buckets:
            d_positions[first : first + bucket.length] += (
                dX[bucket.rows].reshape(bucket.n, bucket.length, -1).sum(axis=0)
            )
        dE = touched.zeros()
        ops.scatter_add(dE, touched.places, np.ascontiguousarray(dX))
        touched.add(dE)
        return sequences

    return Y, backprop
