"""The array types, compiler options and constants of the compiled loops."""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, uint16, uint64

OPTIONS = {"cache": True, "error_model": "numpy"}  # "numpy": division by 0 gives inf or nan
ZERO, HALF, ONE = map(np.float32, (0, 0.5, 1))

vector, matrix, cube = float32[::1], float32[:, ::1], float32[:, :, ::1]
doubles, double_matrix = float64[::1], float64[:, ::1]
draws = uint16[:, ::1]
hashes = uint64[::1]
places = int32[:, ::1]
longs = int64[::1]
