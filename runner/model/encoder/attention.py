"""Multi-head self-attention within each sequence (Vaswani et al., 2017).

    for each head:  softmax(Q K.T / sqrt(head_width)) V          Y = all heads side by side @ W_O.T + b_O

Queries, keys and values of all pieces are one product. The attention itself runs over sequences of equal length at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.encoder.sequences import Bucket, Pieces
from runner.model.layout import Floats2d
from runner.model.parameters import Initializer, learns

Floats4d = NDArray[Any]


def attention(
    name: str, *, width: int, n_heads: int, dropout: Dropout, init: dict[str, Initializer]
) -> Model[Pieces, Floats2d]:
    """Pieces (n, width) → (n, width).

    Parameters: W (3 width, width) and b (3 width,) of queries, keys and values, one below the other; W_O (width, width),
    b_O (width,). init: initial values by name. dropout: of the attention weights.
    """
    shapes = {"W": (3 * width, width), "b": (3 * width,), "W_O": (width, width), "b_O": (width,)}
    return Model(
        name,
        forward,
        dims={"nO": width, "nI": width},
        params=dict.fromkeys(shapes),
        attrs={
            "n_heads": n_heads,
            "dropout": dropout,
            "init": {key: (shape, init[key]) for key, shape in shapes.items()},
        },
    )


def forward(
    model: Model[Pieces, Floats2d], pieces: Pieces, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    X, sequences = pieces
    n, width = X.shape
    n_heads = model.attrs["n_heads"]
    scale = np.float32((width // n_heads) ** -0.5)
    W, W_O = model.get_param("W"), model.get_param("W_O")
    QKV = X @ W.T  # (n, 3 width)
    QKV += model.get_param("b")
    QKV[:, :width] *= scale
    C = np.empty((n, width), dtype=X.dtype)  # what each piece takes from the others
    kept: list[tuple[Floats4d, Floats4d | None]] = []
    for bucket in sequences.buckets:
        Q, K, V = _heads(QKV, bucket, n_heads, 3)
        P = Q @ K.swapaxes(2, 3)  # (n_sequences, n_heads, length, length)
        model.ops.softmax_rows(P)
        mask = model.attrs["dropout"].mask(*P.shape) if is_train else None
        np.matmul(P if mask is None else P * mask, V, out=_heads(C, bucket, n_heads)[0])
        if is_train:
            kept.append((P, mask))
    Y = C @ W_O.T
    Y += model.get_param("b_O")

    def backprop(dY: Floats2d) -> Floats2d:
        if learns(model):
            model.inc_grad("W_O", dY.T @ C)
            model.inc_grad("b_O", dY.sum(axis=0))
        dC = dY @ W_O
        # The sum over j of P_ij dP_ij is dC_i · C_i, whatever was dropped (Dao et al., 2022).
        along = np.einsum("ij,ij->i", dC.reshape(n * n_heads, -1), C.reshape(n * n_heads, -1)).reshape(n, n_heads)
        dQKV = np.empty_like(QKV)
        for bucket, (P, mask) in zip(sequences.buckets, kept, strict=True):
            (dCs,), (Q, K, V) = _heads(dC, bucket, n_heads), _heads(QKV, bucket, n_heads, 3)
            dQ, dK, dV = _heads(dQKV, bucket, n_heads, 3)
            dropped = P if mask is None else P * mask
            np.matmul(dropped.swapaxes(2, 3), dCs, out=dV)
            dP = dCs @ V.swapaxes(2, 3)
            if mask is not None:
                dP *= mask
            dP -= along[bucket.rows].reshape(bucket.n, bucket.length, n_heads).swapaxes(1, 2)[..., None]
            dP *= P
            np.matmul(dP, K, out=dQ)
            np.matmul(dP.swapaxes(2, 3), Q, out=dK)
        dQKV[:, :width] *= scale
        if learns(model):
            model.inc_grad("W", dQKV.T @ X)
            model.inc_grad("b", dQKV.sum(axis=0))
        return dQKV @ W

    return Y, backprop


def _heads(A: Floats2d, bucket: Bucket, n_heads: int, n_parts: int = 1) -> list[Floats4d]:
    """Views of a bucket's rows for each of `n_parts` groups of columns: (n_sequences, n_heads, length, head_width)."""
    parts = A[bucket.rows].reshape(bucket.n, bucket.length, n_parts, n_heads, -1)
    return [parts[:, :, i].swapaxes(1, 2) for i in range(n_parts)]
