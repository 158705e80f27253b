"""Keep the memory that arrays give back, for the next arrays.

By default glibc returns large blocks to the kernel as soon as they are free, and a training step asks for hundreds of them
anew: each page then faults and is cleared again. Training the tagger in batches of 1,000 words spends a fifth of its
time there. The price: the process stays as large as it once was.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGE = 1 << 30


def keep_freed_memory() -> bool:
    """Tell malloc to keep blocks below a gigabyte; False where this system's malloc is not glibc's."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGE))
