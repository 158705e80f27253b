"""Hashed embeddings: the vector of a word's attribute is the sum of four rows of a table, picked by four hashes.

Two words rarely share all four rows, so a small table holds a large vocabulary (Serrà and Karatzoglou, 2017; Miranda et
al., 2022). Each distinct value of each attribute is looked up once a batch: 550 lexemes in 1,000 words have 60 first
letters. The next layer (mix.py) gathers the vectors back to lexemes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.dropout import Dropout
from runner.model.layout import Floats2d
from runner.model.ops import Ops
from runner.model.parameters import uniform


class Values(NamedTuple):
    """Vectors of the distinct values of each attribute, one attribute after the other."""

    V: Floats2d  # (n_values, width) float32
    spans: list[slice]  # by attribute: its rows of V
    places: NDArray[np.int32]  # (n_features, n_lexemes) the row of V of each lexeme's attribute


def hash_embed(
    name: str, *, nO: int, rows: Sequence[int], features: Sequence[str], seed: int, dropout: Dropout
) -> Model[NDArray[Any], Values]:
    """(n_lexemes, n_features) uint64 → Values of width nO.

    Parameter: E (sum of rows, nO), the tables of all features one below the other. Each feature has its own hash seed,
    made from `seed` and its name. Dropout drops whole columns of a feature, the same for every value of a batch.
    """
    return Model(
        name,
        forward,
        dims={"nO": nO},
        params={"E": None},
        attrs={
            "seeds": [zlib.crc32(f"{seed}/{feature}".encode()) for feature in features],
            "rows": tuple(rows),
            "dropout": dropout,
            "tables": {"E": None},
            "init": {"E": ((sum(rows), nO), uniform(0.1))},
        },
    )


def forward(
    model: Model[NDArray[Any], Values], hashes: NDArray[Any], is_train: bool
) -> tuple[Values, Callable[[Floats2d], NDArray[Any]]]:
    ops: Ops = model.ops
    columns = np.ascontiguousarray(hashes.T)
    spans, places = [], np.empty(hashes.shape[::-1], dtype="int32")
    keys = np.empty((4, hashes.size), dtype="int32")
    start = first_row = 0
    for f, (seed, n_rows) in enumerate(zip(model.attrs["seeds"], model.attrs["rows"], strict=True)):
        values, where = ops.distinct(columns[f])
        np.add(where, start, out=places[f])
        stop = start + len(values)
        ops.hash_rows(values, seed, range(first_row, first_row + n_rows), keys, start)
        spans.append(slice(start, stop))
        start, first_row = stop, first_row + n_rows
    keys = np.ascontiguousarray(keys[:, :start])  # (4, n_values)
    if is_train:
        touched, keys = model.attrs["tables"]["E"].read(keys)
        E = touched.W
    else:
        E = model.get_param("E")
    V = ops.sum_rows(E, keys)
    masks = model.attrs["dropout"].mask(len(spans), V.shape[1]) if is_train else None
    if masks is not None:
        for span, mask in zip(spans, masks, strict=True):
            V[span] *= mask

    def backprop(dV: Floats2d) -> NDArray[Any]:
        """Overwrites dV (n_values, nO)."""
        if masks is not None:
            for span, mask in zip(spans, masks, strict=True):
                dV[span] *= mask
        dE = touched.zeros()
        ops.backprop_sum_rows(dV, touched.places, dE)
        touched.add(dE)
        return hashes

    return Values(V, spans, places), backprop
