"""Describe the machine code that computes here in one line: BLAS kernel, numpy's vector instructions, numba's processor.

Libraries choose their kernels by the processor, and kernels round differently: equal settings, data and code give equal
bits only if this line is equal too.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np


def kernel(ops: str) -> str:
    """The kernel of `compute.ops`, for example "OpenBLAS 0.3.31 Haswell, numpy AVX512_ICL, numba znver4".

    ops: a name in ops.OPS, whose library must be installed.
    """
    parts = [_blis() if ops == "blis" else _blas(), f"numpy {_vector_instructions()}"]
    if ops == "numba":
        parts.append(f"numba {_numba_processor()}")
    return ", ".join(parts)


def _blas() -> str:
    """Name, version and architecture of numpy's BLAS. If the process has several BLAS libraries, numpy's own is told."""
    from threadpoolctl import threadpool_info

    libraries = [one for one in threadpool_info() if one["user_api"] == "blas"]
    own = [one for one in libraries if f"{os.sep}numpy" in one["filepath"]]
    told = sorted({_told(one) for one in own or libraries})
    return " + ".join(told) or "another BLAS"


def _told(library: dict[str, Any]) -> str:
    name = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}.get(library["internal_api"], library["internal_api"])
    numbers = ".".join(str(library["version"] or "").split(".")[:3])
    return " ".join(part for part in (name, numbers, library.get("architecture")) if part)


def faster_kernel(blas_kernel: str | None, vector_instructions: str | None = None) -> str | None:
    """The setting of the environment with which OpenBLAS would use AVX-512 here; None where it does, or cannot.

    OpenBLAS 0.3.31 takes its AVX2 kernels on AMD's processors with AVX-512 (Zen 4, Zen 5), where its products of matrices
    take twice as long. blas_kernel: OpenBLAS's. vector_instructions: numpy's; None: those of this processor.

    >>> faster_kernel("Haswell", "AVX512_ICL"), faster_kernel("SkylakeX", "AVX512_ICL"), faster_kernel("Zen", "AVX2")
    ('OPENBLAS_CORETYPE=SkylakeX', None, None)
    """
    instructions = _vector_instructions() if vector_instructions is None else vector_instructions
    is_wide = instructions.startswith(("AVX512", "X86_V4"))
    return "OPENBLAS_CORETYPE=SkylakeX" if is_wide and blas_kernel in ("Haswell", "Zen") else None


def _blis() -> str:
    """thinc's products. BLIS does not tell its kernel; only the variable that chooses the kernel is known."""
    try:
        numbers = version("blis")
    except PackageNotFoundError:
        numbers = "?"
    return f"BLIS {numbers}" + (f" {chosen}" if (chosen := os.environ.get("BLIS_ARCH_TYPE")) else "")


def _vector_instructions() -> str:
    """The newest set of vector instructions that numpy uses on this processor."""
    about: Any = getattr(np, "_core", None) or np.core
    module = about._multiarray_umath
    used = [name for name in module.__cpu_dispatch__ if module.__cpu_features__.get(name)]
    return str((used or module.__cpu_baseline__ or ["scalar"])[-1])


def _numba_processor() -> str:
    from importlib import import_module

    chosen = getattr(import_module("numba").config, "CPU_NAME", None)
    return str(chosen or import_module("llvmlite.binding").get_host_cpu_name())
