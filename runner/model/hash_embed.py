"""Hashed embeddings: four rows of a table, picked by four hashes of a word's attribute, are summed.

Two words rarely share all four rows, so a small table holds a large vocabulary (Serrà and Karatzoglou, 2017; Miranda et
al., 2022). The layer reads each distinct lexeme of a batch once; the caller gathers the rows back to tokens.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray
from thinc.api import Model

from runner.model.layout import Floats2d
from runner.model.noise import Noise
from runner.model.parameters import uniform


def hash_embed(
    name: str, *, nO: int, rows: Sequence[int], features: Sequence[str], seed: int, noise: Noise
) -> Model[NDArray[Any], Floats2d]:
    """(n_lexemes, n_features) uint64 → (n_lexemes, n_features * nO) float32.

    Parameters: one table E_<feature> (rows, nO) a feature. Each table hashes with a seed of its own, made from `seed`
    and the feature's name. Dropout takes whole columns, the same for every lexeme of a batch.
    """
    seeds = [zlib.crc32(f"{seed}/{feature}".encode()) for feature in features]
    return Model(
        name,
        forward,
        dims={"nO": nO * len(features)},
        params={f"E_{feature}": None for feature in features},
        attrs={
            "features": tuple(features),
            "seeds": seeds,
            "noise": noise,
            "init": {
                f"E_{feature}": ((n_rows, nO), uniform(0.1)) for feature, n_rows in zip(features, rows, strict=True)
            },
        },
    )


def forward(
    model: Model[NDArray[Any], Floats2d], hashes: NDArray[Any], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], NDArray[Any]]]:
    ops = model.ops
    features: tuple[str, ...] = model.attrs["features"]
    n, nO = len(hashes), model.get_dim("nO") // len(features)
    Y = ops.xp.empty((n, nO * len(features)), dtype=model.get_param(f"E_{features[0]}").dtype)
    keys = []
    for f, feature in enumerate(features):
        E = model.get_param(f"E_{feature}")
        ids = ops.xp.ascontiguousarray(hashes[:, f])
        keys.append((ops.hash(ids, model.attrs["seeds"][f]) % E.shape[0]).astype("int32"))  # (n, 4)
        if n:  # thinc's kernel reads past the end of nothing
            Y[:, f * nO : (f + 1) * nO] = ops.gather_add(E, keys[f])
    mask = model.attrs["noise"].mask(Y.shape[1]) if is_train else None
    if mask is not None:
        mask = ops.xp.asarray(mask)
        Y *= mask

    def backprop(dY: Floats2d) -> NDArray[Any]:
        if mask is not None:
            dY = dY * mask
        for f, feature in enumerate(features if n else ()):
            dE = model.get_grad(f"E_{feature}")
            d_feature = ops.xp.ascontiguousarray(dY[:, f * nO : (f + 1) * nO])
            for column in range(4):
                ops.scatter_add(dE, ops.xp.ascontiguousarray(keys[f][:, column]), d_feature)
        return hashes

    return Y, backprop
