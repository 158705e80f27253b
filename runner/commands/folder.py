"""The output folder of a run: locked, cleared of a killed process's leftovers, cleared of an earlier run's files.

    with taken(folder):            no other process writes here
        ...
        make_room(folder)          an earlier run's files go to previous-run/; all files here are now this run's
        ...                        the first write

A file with any other name belongs to the user, and is not touched.
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
from runner.tracking.past_run import BEST, CONFIG, CONFUSION, ERRORS, LAST, PREVIOUS, SUMMARY
from runner.training.keeper import FOLDER, is_checkpoint, lock, remove_if_empty

_NOTES = ".hydra"
_RESULTS = (SUMMARY, PREDICTIONS, ERRORS, CONFUSION, JOURNAL, SENT_NAME, ERROR_LOG)
_OF_A_RUN = (
    *_RESULTS,
    CONFIG,
    _NOTES,
    BEST,
    LAST,
)  # moved in this order: a folder without summary.json counts as unfinished
_STAGE = f".{PREVIOUS}.0.tmp"  # files.recover leaves the folder alone; the next `make_room` goes on with it


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Lock the folder of a run against other processes; create the folder if it is missing.

    The checkpoints' folder, which holds the lock, is removed at the end if it has no checkpoint. Raises RunnerError if
    another process trains in the folder, RunFailed if the system refuses.
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
    """Move an earlier run's files away before a new run writes its own. Returns their new folder, or None.

    If the earlier run left a model, its files replace the files in previous-run/; else its results are removed. A kill
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
    """Return previous-run/; or previous-run-2/ and so on, if the user has other files in previous-run/."""
    number = 1
    while True:
        place = folder / (PREVIOUS if number == 1 else f"{PREVIOUS}-{number}")
        if not place.exists() or (place.is_dir() and {entry.name for entry in place.iterdir()} <= set(_OF_A_RUN)):
            return place
        number += 1
