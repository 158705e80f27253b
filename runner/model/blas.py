"""Set the number of threads of matrix products while this package computes, and restore it afterwards.

Our products are small: threaded, they take five times the processor time and end no sooner. BLAS has one number for the
whole process, so it is set when a call begins and restored when the last of overlapping calls ends: other users of numpy
in the process keep their number. That costs two microseconds a call; `threadpool_limits`, which searches the process for
libraries each time, would cost four hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Method = TypeVar("Method", bound=Callable[..., Any])


class BlasThreads:
    """The BLAS libraries of the process, and the calls under way that set their threads. There is one: `BLAS`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._libraries: list[Any] | None = None
        self._n_calls = 0  # under way
        self._before: list[int] = []  # threads of each library when the first of these calls began
        self._ours = 0  # threads of the latest of these calls

    def begin(self, n: int) -> None:
        """Begin a call that computes with `n` threads. Calls that overlap with it use `n` threads from now on."""
        with self._lock:
            if self._libraries is None:  # searched late, when numpy has loaded its library
                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            now = [library.get_num_threads() for library in self._libraries]
            if not self._n_calls:
                self._before = now
            self._n_calls += 1
            self._ours = n
            for library, n_now in zip(self._libraries, now, strict=True):
                if n_now != n:
                    _set(library, n)

    def end(self) -> None:
        """End a call. After the last call each library has its old number back, unless other code changed it."""
        with self._lock:
            self._n_calls -= 1
            if self._n_calls:
                return
            for library, before in zip(self._libraries or (), self._before, strict=True):
                if before != self._ours and library.get_num_threads() == self._ours:
                    _set(library, before)


def _set(library: Any, n: int) -> None:
    """Set the number of threads, whichever thread asks.

    From version 3.8 on, threadpoolctl leaves an OpenBLAS to the first thread that has set its number: what others ask for
    is silently not done as long as that thread lives. Here a lock and a count keep calls apart.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n)


BLAS = BlasThreads()


@contextmanager
def kept_threads() -> Iterator[None]:
    """Afterwards each library has the number of threads that it had before, whatever set another: a run sets it for good."""
    before = [(library, library.get_num_threads()) for library in ThreadpoolController().lib_controllers]
    try:
        yield
    finally:
        for library, n in before:
            if library.get_num_threads() != n:
                _set(library, n)


class blas_threads:
    """`with blas_threads(1): …` computes with one thread; None changes nothing."""

    def __init__(self, n: int | None) -> None:
        self._n = n

    def __enter__(self) -> None:
        if self._n is not None:
            BLAS.begin(self._n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._n is not None:
            BLAS.end()


def with_own_threads(method: Method) -> Method:
    """Decorate a method to compute with `self.threads` threads."""

    @wraps(method)
    def limited(self: Any, *args: Any, **kwargs: Any) -> Any:
        with blas_threads(self.threads):
            return method(self, *args, **kwargs)

    return limited  # type: ignore[return-value]
