"""What long work says of itself on stderr: a bar or a counter on a terminal, elsewhere a line a minute.

    with waiting("scoring 12,544 texts"): …                  work whose steps are not counted
    with counting("packing the training data") as count: …   count(n_words) after each piece
    with moving(total) as advance: …                         advance(name, words so far, done so far): a bar

A log file, a pipe and a job of a cluster are no terminals; there `Minutes` prints a line once a minute in which nothing
else was said. Nothing is printed for work that takes less than a minute.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from runner.streams import terminal_width

EVERY = 60.0  # seconds between two lines
SHOWN_AFTER = 1.0  # seconds until a terminal shows that something is waited for


class Minutes:
    """Prints a line whenever `every` seconds have passed in which nothing else was said.

    text: what to print; None: nothing. It is called in a thread of its own. stream: None for the stderr that the process has
    when it prints. every: seconds; None: EVERY.
    """

    def __init__(self, text: Callable[[], str | None], stream: Any = None, every: float | None = None) -> None:
        self._text, self._stream = text, stream
        self._every = EVERY if every is None else every
        self._said = time.monotonic()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._said = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="minutes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def said(self) -> None:
        """Note that something else was said just now."""
        self._said = time.monotonic()

    def _run(self) -> None:
        while not self._is_over.wait(max(self._said + self._every - time.monotonic(), 0.01)):
            if time.monotonic() - self._said < self._every:
                continue
            text = self._text()
            if text is not None:
                print(text, file=self._stream or sys.stderr, flush=True)
            self.said()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show, while the block runs, what is waited for and since when."""
    began = time.monotonic()
    if terminal_width(sys.stderr) is None:
        with Minutes(lambda: f"{what}: {clock(time.monotonic() - began)} so far"):
            yield
        return
    is_over = threading.Event()

    def show() -> None:
        if is_over.wait(SHOWN_AFTER):
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            progress.add_task(what, total=None)
            is_over.wait()

    thread = threading.Thread(target=show, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def counting(what: str, unit: str = "words") -> Iterator[Callable[[int], None]]:
    """Yield a function that adds a number of units to a counter."""
    n_done = 0

    def count(n: int) -> None:
        nonlocal n_done
        n_done += n

    if terminal_width(sys.stderr) is None:
        with Minutes(lambda: f"{what}: {n_done:,} {unit} so far"):
            yield count
        return
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Counter(ProgressColumn):
        """Reads the counter when it is drawn, so that counting costs nothing."""

        def render(self, task: Task) -> Text:
            return Text(f"{n_done:,} {unit}")

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), Counter(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what, total=None)
        yield count


@contextmanager
def moving(total: int | None = None) -> Iterator[Callable[..., None]]:
    """Yield a function of (name, words so far, done so far) that moves a bar.

    total: of `done`, in any unit; then the bar fills, and the time that is left is told. None: the bar only moves.
    """
    if terminal_width(sys.stderr) is None:
        with _told(total) as advance:
            yield advance
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", table_column=Column(no_wrap=True), markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True)),
        TimeElapsedColumn(),
    ]
    if total is not None:
        columns += [TimeRemainingColumn(), TextColumn("left")]
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=total, words="")
        yield lambda name, n_words, done=0: bar.update(
            task, description=name, words=f"{n_words:,} words", completed=done
        )


@contextmanager
def _told(total: int | None) -> Iterator[Callable[..., None]]:
    """`moving` in lines: where it is, words, share done, time that is left at this speed."""
    began = time.monotonic()
    at = ("", 0, 0)

    def advance(name: str, n_words: int, done: int = 0) -> None:
        nonlocal at
        at = name, n_words, done

    def text() -> str:
        name, n_words, done = at
        seconds = time.monotonic() - began
        line = f"{name}: {n_words:,} words, {n_words / seconds:,.0f} words/s"
        if total and done:
            line += f", {100 * done / total:.0f} %, about {clock(seconds * (total - done) / done)} left"
        return line

    with Minutes(text):
        yield advance


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours too.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
