"""What every function of this room does around a run: check the words, and leave the process as it was.

The command line may set BLAS threads, environment variables and Hydra's state for good, since its process ends with the run.
A notebook goes on.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner import secrets
from runner.errors import Interrupted, RunnerError
from runner.signals import CODES
from runner.streams import clean_streams

if TYPE_CHECKING:
    from pathlib import Path

    from runner.config.schema import RunConfig
    from runner.launch.runs import Runs

_ONE_AT_A_TIME = threading.Lock()


def call(name: str, overrides: Sequence[str], run: Callable[[RunConfig], None], config_dir: str | Path | None) -> Runs:
    """Do what the command line of these words does. Returns its runs.

    name: of the function that is called, "train" or "sweep". run: the training of one config; workers of a sweep import it by
    its name. Raises what `runner.launch.program.run_called` raises.
    """
    words = checked(name, overrides)
    option = ["--config-dir", str(config_dir)] if config_dir is not None else []
    flags = ["-m"] if name == "sweep" else []
    secrets.learn_environment()
    secrets.learn(words)
    with _alone(name), as_it_was(), clean_streams():
        from runner.commands.preflight import Preflight
        from runner.launch.program import run_called
        from runner.launch.runs import Command
        from runner.tracking.provenance import called_as

        preflight = Preflight()
        command = Command(run, preflight, lambda config: preflight.corpus(config).sources)
        with called_as(f"runner.{name}({list(map(secrets.masked_word, words))!r})"):
            return run_called([*flags, *option, *words], command, name)


def checked(name: str, overrides: Sequence[str]) -> list[str]:
    """The words as a list. Raises RunnerError for one string, for options, and for what is no text."""
    place = f"runner.{name}"
    if isinstance(overrides, str):
        raise RunnerError(
            "the words are one string, not a list", place=place, hint=f"Write runner.{name}({overrides.split()!r})."
        )
    words = list(overrides)
    for word in words:
        if not isinstance(word, str):
            raise RunnerError(f"{word!r} is no text", place=place, hint="Each word is a string, KEY=VALUE.")
        if word in ("-m", "--multirun"):
            what = "Leave it out: runner.sweep always makes a multirun."
            raise RunnerError(
                f"{word} is an option of the command line", place=place,
                hint=what if name == "sweep" else "Write runner.sweep([…]) with the other words.",
            )  # fmt: skip
        if word.startswith("-"):
            raise RunnerError(
                f"{word.partition('=')[0]} is an option of the command line", place=place,
                hint="Give overrides only; a folder of configs is the argument config_dir.",
            )  # fmt: skip
    return words


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hydra, the streams and the signals are the process's: there is one of these calls at a time."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise RunnerError(
            "another run is under way in this process",
            place=f"runner.{name}",
            hint="Wait for its end, or give both to one runner.sweep([…]), which runs as many at a time as there are cores.",
        )
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()


@contextmanager
def as_it_was() -> Iterator[None]:
    """Afterwards the environment, the folder and the threads of BLAS are what they were; a signal has its own handler's turn."""
    importlib.import_module("runner.assemble")  # loads the libraries whose threads are counted
    from runner.model.blas import kept_threads

    environment, folder = dict(os.environ), os.getcwd()
    try:
        with kept_threads():
            yield
    except Interrupted as error:
        number = next((number for number, code in CODES.items() if code == error.exit_code), None)
        if number not in (None, signal.SIGINT) and threading.current_thread() is threading.main_thread():
            signal.raise_signal(number)  # the run has ended in order; now the process does what it does at this signal
        raise
    finally:
        os.environ.clear()
        os.environ.update(environment)
        if os.getcwd() != folder:
            os.chdir(folder)
