"""Which rows of a table a batch reads."""

from __future__ import annotations

import numpy as np
import pytest

from runner.model.parameters import flat_zeros
from runner.model.tables import Table


@pytest.mark.parametrize("n_keys", [0, 1, 7, 40, 300, 3000])  # few, many, most rows
def test_each_row_that_is_named_is_read_once(n_keys):
    weights = np.arange(2400, dtype="float32").reshape(1200, 2)
    keys = np.random.default_rng(n_keys).integers(0, 1200, (4, n_keys)).astype("int32")
    touched, places = Table(weights, np.zeros_like(weights)).read(keys)
    rows = touched.rows if touched.rows is not None else np.arange(1200)
    if touched.rows is not None:
        assert rows.tolist() == sorted(set(keys.ravel().tolist()))
    assert (rows[places] == keys).all()
    assert (touched.W[places] == weights[keys]).all()


def test_a_flat_array_begins_at_a_cache_line():
    for n in (1, 1000, 100_003):
        flat = flat_zeros(n)
        assert flat.shape == (n,)
        assert flat.dtype == np.float32
        assert flat.ctypes.data % 64 == 0
        assert not flat.any()
