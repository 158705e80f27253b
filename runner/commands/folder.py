"""The output folder of one run: taken before the first write, cleared of what killed processes left, and of one run alone.

    with taken(folder):            no other process writes here
        ...
        make_room(folder)          an earlier run's files go to previous-run/, so that what is here is this run's
        ...                        the first write

Whatever is in the folder and does not bear a name of ours is the user's, and is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.components.predictions import FILE_NAME as PREDICTIONS
from runner.errors import RunFailed
from runner.files import recover, remove, sync_folder
from runner.tracking.journal import ERROR_LOG, SENT_NAME
from runner.tracking.journal import FILE_NAME as JOURNAL
from runner.tracking.past_run import BEST, CONFIG, LAST, PREVIOUS, SUMMARY
from runner.training.keeper import FOLDER, is_checkpoint, lock, remove_if_empty

_NOTES = ".hydra"
_RESULTS = (SUMMARY, PREDICTIONS, JOURNAL, SENT_NAME, ERROR_LOG)
_OF_A_RUN = (*_RESULTS, CONFIG, _NOTES, BEST, LAST)  # put away in this order: without its summary no run has finished
_STAGE = f".{PREVIOUS}.0.tmp"  # files.recover does not know it as ours: `make_room` goes on with it


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Hold the folder of a run, made where it is missing, against other processes.

    Raises RunnerError where another process trains in it, RunFailed where the system refuses. Nothing is left of the lock
    where the run has kept no checkpoint.
    """
    held = lock(folder / FOLDER)
    try:
        try:
            recover(folder, lambda name: name in _OF_A_RUN)
            recover(folder / FOLDER, is_checkpoint)
            recover(folder / _NOTES, lambda name: name.endswith(".yaml"))
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(folder)) from error
        yield
    finally:
        remove_if_empty(folder / FOLDER)
        held.release()


def make_room(folder: Path) -> Path | None:
    """Put the files of an earlier run away, before those of a new one are written; where to, or None.

    They go to previous-run/, in the place of what was there, if the earlier run has left a model; else its results are
    removed. A kill on the way loses nothing: the next call goes on. Raises RunFailed where the system refuses.
    """
    stage = folder / _STAGE
    try:
        if not stage.is_dir() and not any((folder / name).is_dir() for name in (BEST, LAST)):
            for name in _RESULTS:
                remove(folder / name)
            return None
        stage.mkdir(exist_ok=True)
        for name in _OF_A_RUN:
            if (folder / name).exists() and not (stage / name).exists():
                (folder / name).rename(stage / name)
        place = _place(folder)
        remove(place)
        stage.rename(place)
        sync_folder(folder)
    except OSError as error:
        raise RunFailed(f"cannot write: {error.strerror}", place=str(folder)) from error
    return place


def _place(folder: Path) -> Path:
    """previous-run/, or with a number where the user keeps something else under that name."""
    number = 1
    while True:
        place = folder / (PREVIOUS if number == 1 else f"{PREVIOUS}-{number}")
        if not place.exists() or (place.is_dir() and {entry.name for entry in place.iterdir()} <= set(_OF_A_RUN)):
            return place
        number += 1
