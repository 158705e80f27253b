"""The output folder of a run: locked before the first write, cleared of a killed process's leftovers, and of one run alone.

    with taken(folder):            no other process writes here
        ...
        make_room(folder)          an earlier run's files go to previous-run/, so that all files here are this run's
        ...                        the first write

A file whose name is not one of ours is the user's, and is not touched.
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
    """Hold the folder of a run against other processes; make the folder if it is missing.

    The lock's folder is removed at the end if no checkpoint is in it. Raises RunnerError if another process trains in the
    folder, RunFailed if the system refuses.
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
    """Put the files of an earlier run away before a new run writes its own. Returns the folder they are in now, or None.

    If the earlier run has left a model, its files replace those in previous-run/; else its results are removed. A kill
    midway loses nothing: the next call goes on. Raises RunFailed if the system refuses.
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
    """previous-run/, or previous-run-2/ and so on if the user keeps something else under that name."""
    number = 1
    while True:
        place = folder / (PREVIOUS if number == 1 else f"{PREVIOUS}-{number}")
        if not place.exists() or (place.is_dir() and {entry.name for entry in place.iterdir()} <= set(_OF_A_RUN)):
            return place
        number += 1
