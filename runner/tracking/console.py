"""The console: a table with one row an evaluation, and progress within the epoch: a bar, or a line a minute.

The table goes to stdout as plain lines: with the columns that fit a terminal, and with all of them into a file or pipe.
The bar goes to stderr if that is a terminal, and is removed when a row is printed; in a notebook it stands in the cell above the
table; elsewhere stderr gets a line for each minute without a row. Columns are made in table.py.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runner import registry
from runner.foreign import shown
from runner.notebook.progress import CellBar, in_notebook
from runner.progress import Minutes, clock
from runner.streams import Line, Piece, print_lines, terminal_width
from runner.tracking.base import RunEnd, RunInfo
from runner.tracking.head import head_lines
from runner.tracking.table import EvaluationTable, percent
from runner.training.step import Best, Step

if TYPE_CHECKING:
    from rich.progress import Progress

REFRESH_SECONDS = 0.1


@registry.trackers("console")
def console() -> ConsoleTracker:
    """A table on stdout, a progress bar on stderr."""
    return ConsoleTracker()


class ConsoleTracker:
    """Prints a row for each evaluation. stdout, stderr: None for the streams that the process has when it prints."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._table: EvaluationTable | None = None
        self._bar: EpochBar | None = None
        self._cell: CellBar | None = None  # in a notebook
        self._is_terminal = False
        self._is_begun = False
        self._best: Best | None = None
        self._excluded = 0
        self._token_acc: float | None = None
        self._head: list[Line] = []
        self._last: Step | None = None
        self._told_before: Step | None = None  # the last step of which a line was printed
        self._minutes: Minutes | None = None  # where stderr is no terminal

    def start(self, run: RunInfo) -> None:
        width = terminal_width(self._stdout or sys.stdout)
        self._table = EvaluationTable.of(run, width)
        self._head = head_lines(run, width, self._table.left_out)
        self._best = None
        self._is_begun = False
        self._max_epochs = run.max_epochs
        self._is_terminal = terminal_width(self._stderr or sys.stderr) is not None
        self._pace, self._last, self._told_before = Pace(), None, None
        self._cell = CellBar() if in_notebook() else None
        if not self._is_terminal and self._cell is None:
            self._minutes = Minutes(self._minute, self._stderr)
            self._minutes.start()

    def record(self, step: Step) -> None:
        assert self._table is not None, "record before start"
        self._pace.add(step)
        self._last = step
        if not self._is_begun:
            self._is_begun = True
            if self._cell is not None:
                self._cell.clear()  # takes its place
            groups, headings, rule = self._table.lines
            self._print(*self._head, groups, [Piece(headings, "bold")], rule)
        for rollback in step.rollbacks:
            self._clear()
            where = f"step {rollback.step:,}" if rollback.step else "the beginning"
            self._print(f"{rollback.fact}: back to {where}, learning rate × {rollback.learn_rate_factor:g}")
        if step.evaluation is not None:
            self._clear()
            row = self._table.add(step)
            self._print([Piece(row, "green")] if step.is_best else row)
            self._best = step.best or self._best
            self._excluded = step.evaluation.excluded_entities
            self._token_acc = step.evaluation.scores.get("token_acc")
        elif self._cell is not None or self._is_terminal:
            if self._bar is None:
                self._bar = EpochBar(self._stderr or sys.stderr, self._max_epochs, self._cell)
            self._bar.update(step, self._pace)

    def flush(self) -> None:
        pass

    def _minute(self) -> str | None:
        """What a log is told where a minute has brought no row."""
        last = self._last
        if last is None:
            return "the first update is under way"
        if last is self._told_before:
            if last.evaluation is not None:  # what follows the last epoch tells of itself
                return None
            return f"after step {last.step:,}: scoring, or one long update"
        self._told_before = last
        done = 100 * last.epoch_words_done / max(last.epoch_words, 1)
        return f"{_epoch(last, self._max_epochs)}, step {last.step:,}: {done:.0f} %, {self._pace.told(last)}"

    def finish(self, end: RunEnd) -> None:
        self._clear()
        if self._minutes is not None:
            self._minutes.stop()
        if self._best is not None:
            line = f" {_epochs(self._best)}, score {percent(self._best.score)}"
            where = end.models.get("model-best")
            self._print(
                "", [Piece("Best:", "bold green"), Piece(f"{line}, {_short(where)}" if where is not None else line)]
            )
        if end.test:
            others = ", ".join(f"{key} {percent(value)}" for key, value in end.test.items() if key != "score")
            self._print(f"Test: score {percent(end.test['score'])} ({others})")
        if end.errors is not None:
            self._print(f"Errors: {_short(end.errors)}")
        if self._token_acc is not None and self._token_acc < 1:  # the tokenizer's; training does not change it
            self._print(f"Tokens: {percent(self._token_acc)} % of the dev set's are those that are annotated")
        if self._excluded:
            noun = "entity does" if self._excluded == 1 else "entities do"
            self._print(f"{self._excluded:,} dev {noun} not fit the tokens: no prediction can be right there")
        self._best, self._excluded, self._token_acc = (
            None,
            0,
            None,
        )  # printed once, even if an interrupt ends the run again

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, *lines: Line) -> None:
        cleaned: list[Line] = [
            shown(line) if isinstance(line, str) else [Piece(shown(text), style) for text, style in line]
            for line in lines
        ]
        print_lines(*cleaned, file=self._stdout or sys.stdout)
        if self._minutes is not None:
            self._minutes.said()


class Pace:
    """Words and seconds of the updates of this epoch."""

    def __init__(self) -> None:
        self._epoch, self._words, self._seconds = 0, 0, 0.0

    def add(self, step: Step) -> None:
        if step.epoch != self._epoch:
            self._epoch, self._words, self._seconds = step.epoch, 0, 0.0
        self._words += step.words
        self._seconds += step.seconds

    def told(self, step: Step) -> str:
        """The speed, and the time until the end of the epoch."""
        speed = self._words / self._seconds if self._seconds else 0.0
        left = (step.epoch_words - step.epoch_words_done) / speed if speed else 0.0
        return f"training {speed:,.0f} words/s, {clock(left)} left"


class EpochBar:
    """Words done of this epoch, words per second of training, time left; redrawn ten times a second at most.

    cell: where it is drawn in a notebook; None: on the terminal that `file` writes to.
    """

    def __init__(self, file: TextIO, max_epochs: int | None = None, cell: CellBar | None = None) -> None:
        self._max_epochs = max_epochs
        self._cell = cell
        self._progress = _terminal_bar(file) if cell is None else None
        self._drawn = 0.0

    def update(self, step: Step, pace: Pace) -> None:
        now = time.perf_counter()
        if now - self._drawn < REFRESH_SECONDS:
            return
        self._drawn = now
        epoch, told = _epoch(step, self._max_epochs), pace.told(step)
        done, total = step.epoch_words_done, max(1, step.epoch_words)
        if self._cell is not None:
            self._cell.show(f"{epoch}: {told}", done / total)
        if self._progress is not None:
            (task,) = self._progress.task_ids
            self._progress.update(task, description=epoch, total=total, completed=done, speed=told, refresh=True)

    def close(self) -> None:
        if self._cell is not None:
            self._cell.clear()
        if self._progress is not None:
            self._progress.stop()


def _terminal_bar(file: TextIO) -> Progress:
    """A bar of rich with one task, which goes away at its end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"),
        console=Console(file=file),
        transient=True,
        auto_refresh=False,
    )
    progress.start()
    progress.add_task("", total=1, speed="")
    return progress


def _epoch(step: Step, max_epochs: int | None) -> str:
    return f"Epoch {step.epoch}/{max_epochs}" if max_epochs else f"Epoch {step.epoch}"


def _epochs(best: Best) -> str:
    """The epoch of the best weights; of each component its own epoch if they differ."""
    if len(set(best.epochs.values())) > 1:
        return "epoch " + ", ".join(f"{epoch} of {name}" for name, epoch in best.epochs.items())
    return f"epoch {best.epoch}"


def _short(path: Path) -> Path:
    """The path relative to the current folder if it lies in it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
