"""The arithmetic of `compute.ops`: every method that numpy and compiled loops do differently, and who does it.

    numpy  OpenBLAS's products, numpy between them
    blis   thinc's products, numpy between them
    numba  OpenBLAS's products, and between them loops compiled by numba (kernels/): the fastest; an extra

A layer calls `ops.activate(…)` and never asks which ops it has. All ops agree up to rounding.
"""

from __future__ import annotations

import importlib
import os
import sys
from threading import Timer

from runner.errors import RunnerError, suggest
from runner.model.ops.numpy import Ops

__all__ = ["OPS", "Ops", "make_ops"]

OPS = ("numpy", "blis", "numba")
_NOTICE = "numba compiles its loops, once on this machine: some seconds"
_TOLD = "RUNNER_NUMBA_TOLD"  # set for child processes: the parent has loaded or compiled the loops already
_PATIENCE = 1.5  # seconds before the notice is printed; loops compiled by an earlier run load in half a second


def make_ops(name: str) -> Ops:
    """Make the ops called `name`. Raises RunnerError if the library behind them is missing or does not work."""
    if name not in OPS:
        raise RunnerError(f"unknown ops {name!r}; {suggest(name, OPS)}")
    return _compiled() if name == "numba" else Ops(use_blis=name == "blis")


def _compiled() -> Ops:
    """numba's ops. Importing them compiles the loops, which takes seconds, once a machine; one process of a family says so."""
    notice = Timer(_PATIENCE, print, [_NOTICE], {"file": sys.stderr, "flush": True})
    notice.daemon = True
    if _TOLD not in os.environ:
        notice.start()
    try:
        ops: Ops = importlib.import_module("runner.model.ops.numba").NumbaOps(use_blis=False)
    except ModuleNotFoundError as error:
        raise RunnerError(
            f"numba is not installed ({error})",
            place="compute.ops",
            hint='Run `pip install "declarative-runner[numba]"`, or use compute.ops=numpy.',
        ) from error
    except ImportError as error:  # for example a numpy newer than numba supports
        raise RunnerError(
            f"numba cannot be used: {error}",
            place="compute.ops",
            hint="Install versions that fit each other, or use compute.ops=numpy.",
        ) from error
    except (OSError, RuntimeError) as error:  # numba raises either for a cache that cannot be written
        raise RunnerError(
            f"numba cannot keep its compiled code ({error})",
            place="compute.ops",
            hint="Set the variable NUMBA_CACHE_DIR to a folder that can be written, or use compute.ops=numpy.",
        ) from error
    finally:
        notice.cancel()
    os.environ[_TOLD] = "1"
    return ops
