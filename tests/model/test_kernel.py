"""The line that says which machine code computes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from runner.model.kernel import faster_kernel, kernel

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


@pytest.mark.parametrize(
    ("blas_kernel", "instructions", "is_faster"),
    [("Haswell", "AVX512_ICL", True), ("Zen", "X86_V4", True), ("SkylakeX", "AVX512_SPR", False),
     ("Haswell", "AVX2", False), ("neoversen1", "ASIMD", False), (None, "AVX512_SKX", False)],
)  # fmt: skip
def test_a_faster_kernel_is_named_where_openblas_leaves_avx512_unused(
    blas_kernel: str | None, instructions: str, is_faster: bool
) -> None:
    assert (faster_kernel(blas_kernel, instructions) is not None) is is_faster


@pytest.mark.skipif(
    not any(faster_kernel(one.get("architecture")) for one in OPENBLAS), reason="nothing is left unused"
)
def test_the_setting_that_is_named_changes_the_kernel() -> None:
    name, _, value = next(filter(None, (faster_kernel(one.get("architecture")) for one in OPENBLAS))).partition("=")
    code = "from runner.model.kernel import kernel; print(kernel('numpy'))"
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: value}, capture_output=True, text=True, check=True
    ).stdout
    assert value in told
