"""Keep freed memory in the process, for the next arrays.

By default glibc returns large blocks to the kernel as soon as they are free. A step of training or a batch of predictions
allocates hundreds of them again, and each page then faults and is cleared: a fifth of the time of training the tagger in
batches of 1,000 words, a fifth of the time of parsing short sentences, a third of parsing long texts. The price: the
process keeps memory that it does not use.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")  # a user's, of malloc

IN_TRAINING = 1 << 30  # bytes; the process is ours
IN_PREDICTION = 256 << 20  # the process may be a user's
_kept = 0  # bytes, by the last call that changed anything


def keep_freed_memory(most: int) -> bool:
    """Tell malloc to keep up to `most` bytes of freed memory, unless more was asked for before.

    Returns whether malloc does. False if the system's malloc is not glibc's, or if the environment has settings for it.
    """
    global _kept
    if most <= _kept:
        return True
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _OWN_SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    if not (mallopt(_M_MMAP_THRESHOLD, most) and mallopt(_M_TRIM_THRESHOLD, most)):
        return False
    _kept = most
    return True
