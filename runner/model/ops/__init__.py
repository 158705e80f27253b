"""Which library does the arithmetic: `compute.ops`.

    numpy  OpenBLAS's products, numpy between them
    blis   thinc's products, numpy between them
    numba  OpenBLAS's products, and between them loops compiled by numba (kernels/): the fastest; an extra

A layer asks `kernels_of(model.ops)`, and where there are none its numpy lines run. The two differ by rounding alone.
"""

from __future__ import annotations

import importlib
import sys
from threading import Timer
from types import ModuleType

from thinc.api import NumpyOps, Ops

from runner.errors import RunnerError, suggest

OPS = ("numpy", "blis", "numba")
_NOTICE = "numba compiles its loops, once on this machine: some seconds"
_PATIENCE = 1.5  # seconds after which that is said; what was compiled before loads in half a second


class CompiledOps(NumpyOps):
    """numpy's, with the module of compiled loops beside it. Compiling takes seconds, once a machine."""

    def __init__(self) -> None:
        super().__init__(use_blis=False)
        notice = Timer(_PATIENCE, print, [_NOTICE], {"file": sys.stderr, "flush": True})
        notice.daemon = True
        notice.start()
        try:
            kernels = importlib.import_module("runner.model.ops.kernels")
        except ModuleNotFoundError as error:
            raise RunnerError(
                f"numba is not installed ({error})",
                place="compute.ops",
                hint='Run `pip install "declarative-runner[numba]"`, or use compute.ops=numpy.',
            ) from error
        except ImportError as error:  # a numpy newer than numba knows, say
            raise RunnerError(
                f"numba cannot be used: {error}",
                place="compute.ops",
                hint="Install versions that fit each other, or use compute.ops=numpy.",
            ) from error
        except (OSError, RuntimeError) as error:  # of a cache that cannot be written, numba says one or the other
            raise RunnerError(
                f"numba cannot keep its compiled code ({error})",
                place="compute.ops",
                hint="Set the variable NUMBA_CACHE_DIR to a folder that can be written, or use compute.ops=numpy.",
            ) from error
        finally:
            notice.cancel()
        self.kernels = kernels


def make_ops(name: str) -> NumpyOps:
    """The ops of that name. Raises RunnerError where the library behind it is not installed."""
    if name not in OPS:
        raise RunnerError(f"unknown ops {name!r}; {suggest(name, OPS)}")
    return CompiledOps() if name == "numba" else NumpyOps(use_blis=name == "blis")


def kernels_of(ops: Ops) -> ModuleType | None:
    """The compiled loops, where these ops have them."""
    return ops.kernels if isinstance(ops, CompiledOps) else None
