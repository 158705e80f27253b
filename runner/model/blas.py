"""How many threads a matrix product takes, while this package computes and no longer.

Our products are small: threaded, they take five times the processor time and are done no sooner. BLAS has one number for
the whole process, so it is set as a call begins and set back when the last of the calls that overlap has ended: whoever
uses numpy beside us finds it as it was. That costs two microseconds a call; `threadpool_limits`, which searches the
process for libraries each time, would cost four hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Method = TypeVar("Method", bound=Callable[..., Any])


class BlasThreads:
    """The libraries' numbers of threads, and the calls that want others. One for the process: `BLAS`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._libraries: list[Any] | None = None
        self._n_calls = 0  # that are going on
        self._before: list[int] = []  # by library: threads when the first of these calls began
        self._ours = 0  # threads that the latest of these calls asked for

    def begin(self, n: int) -> None:
        """A call begins that computes with `n` threads; so do, from now on, calls that overlap with it."""
        with self._lock:
            if self._libraries is None:  # late: numpy has brought its library by now
                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            now = [library.get_num_threads() for library in self._libraries]
            if not self._n_calls:
                self._before = now
            self._n_calls += 1
            self._ours = n
            for library, n_now in zip(self._libraries, now, strict=True):
                if n_now != n:
                    library.set_num_threads(n)

    def end(self) -> None:
        """A call has ended. With the last one, each library has its number back, unless someone else changed it."""
        with self._lock:
            self._n_calls -= 1
            if self._n_calls:
                return
            for library, before in zip(self._libraries or (), self._before, strict=True):
                if before != self._ours and library.get_num_threads() == self._ours:
                    library.set_num_threads(before)


BLAS = BlasThreads()


class blas_threads:
    """`with blas_threads(1): …`; None changes nothing."""

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
    """The method computes with as many threads as its object's `threads` says."""

    @wraps(method)
    def limited(self: Any, *args: Any, **kwargs: Any) -> Any:
        with blas_threads(self.threads):
            return method(self, *args, **kwargs)

    return limited  # type: ignore[return-value]
