"""How a run starts: at its first step, or from the checkpoint of an attempt that was interrupted.

    with begun(config, time.perf_counter()) as start:      the folder is held until the run has ended
        ...

What differs between the two is in `Start` and `Resumption`; the rest of a run does not ask which one it has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from runner.commands.folder import make_room, taken
from runner.commands.result import Result
from runner.commands.resume import Checkpoint, adopted, checkpoint_for, finished_before
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.errors import RunnerError
from runner.files import write_file
from runner.launch.fingerprint import fingerprint
from runner.tracking.base import Resumed
from runner.training.keeper import FOLDER, clear
from runner.training.loop import Training


class Start:
    """A run from its first step. config: its output_dir is held. began: by the clock time.perf_counter."""

    resumed: Resumed | None = None

    def __init__(self, config: RunConfig, began: float) -> None:
        self.config = config
        self._began = began

    def seconds(self) -> float:
        """That the run has taken so far, without the time between an interruption and a resumption."""
        return time.perf_counter() - self._began

    def done_in(self, corpus: Corpus) -> Path | None:
        """The folder in which this very run has finished before, where `resume=auto` asks; None: it is still to be trained."""
        if self.config.resume != "auto":
            return None
        return finished_before(self.config, fingerprint(self.config, corpus.sources))

    def restore(self, training: Training) -> Result:
        """Bring the training to where the run goes on. Returns the result up to there."""
        return Result()

    def open_folder(self) -> None:
        """Write the first files, the config and Hydra's notes."""
        self._take_over()
        folder = self.config.output_dir
        for name, text in self.config.notes.items():
            write_file(folder / name, text)
        write_file(folder / "config.yaml", yaml.safe_dump(self.config.as_dict(), sort_keys=False, allow_unicode=True))

    def _take_over(self) -> None:
        """Give the folder to this run alone: an earlier run's files are put away."""
        folder = self.config.output_dir
        clear(folder / FOLDER)
        if (place := make_room(folder)) is not None:
            print(f"the run that was in {folder} is kept in {place}", flush=True)


class Resumption(Start):
    """A run that goes on from a checkpoint. Raises RunnerError wherever the checkpoint does not fit."""

    def __init__(self, config: RunConfig, began: float, checkpoint: Checkpoint) -> None:
        with checkpoint.fitting():
            resumed = checkpoint.resumed
        super().__init__(config, began - resumed.seconds)
        self.resumed: Resumed = resumed
        self._checkpoint = checkpoint

    def done_in(self, corpus: Corpus) -> Path | None:
        """None: it is to go on. Raises RunnerError if the data has changed since the interruption."""
        if self._checkpoint.about["data_digest"] != corpus.digest:
            raise RunnerError(
                "the data has changed since the run was interrupted",
                place="corpus",
                hint="Start again, without resume.",
            )
        return None

    def restore(self, training: Training) -> Result:
        about = self._checkpoint.about
        with self._checkpoint.fitting():
            result = Result(**about["result"])
            training.restore(about["training"], self._checkpoint.arrays)
        return result

    def _take_over(self) -> None:
        print(f"goes on after step {self.resumed.step:,} in {self.config.output_dir}", flush=True)


@contextmanager
def begun(config: RunConfig, began: float) -> Iterator[Start]:
    """Hold the folder of a run until the run has ended. began: by the clock time.perf_counter.

    The run is resumed from the checkpoint that `config.resume` asks for; it is fresh if `config.resume` asks for none, or
    if "auto" finds none. Raises RunnerError if a run that was named cannot go on, or another process trains in the folder.
    """
    with ExitStack() as stack:
        checkpoint = checkpoint_for(config, stack)
        if checkpoint is not None:
            yield Resumption(adopted(config, checkpoint.output_dir), began, checkpoint)
        else:
            stack.enter_context(taken(config.output_dir))
            yield Start(config, began)
