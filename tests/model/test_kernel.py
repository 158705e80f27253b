"""The line that says which machine code computes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from runner.model.kernel import kernel

OPENBLAS = [one for one in threadpool_info() if one["internal_api"] == "openblas"]


def test_it_names_library_version_and_vector_instructions():
    assert kernel("numpy").startswith("OpenBLAS " if OPENBLAS else "")
    assert ", numpy " in kernel("numpy")
    assert kernel("blis").startswith("BLIS ")
    assert kernel("numpy") == kernel("numpy")


def test_numba_names_its_processor():
    pytest.importorskip("numba", reason="the extra numba is not installed")
    assert kernel("numba").startswith(f"{kernel('numpy')}, numba ")


@pytest.mark.skipif(not any(one.get("architecture") for one in OPENBLAS), reason="numpy has another BLAS")
def test_another_kernel_is_another_line():
    lines = {
        subprocess.run(
            [sys.executable, "-c", "from runner.model.kernel import kernel; print(kernel('numpy'))"],
            env={**os.environ, "OPENBLAS_CORETYPE": name}, capture_output=True, text=True, check=True,
        ).stdout
        for name in ("Nehalem", "Sandybridge")
    }  # fmt: skip
    assert sorted(line.split(",")[0].split()[-1] for line in lines) == ["Nehalem", "Sandybridge"]
