"""How a run ends: finished, or early by an interrupt or an error. Trackers, summary.json and checkpoints are told here alone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runner.commands.recorders import Checkpoints
from runner.commands.result import Result, write_summary
from runner.commands.start import Start
from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.tracking.base import RunEnd, Status, Tracker
from runner.tracking.past_run import BEST, CONFUSION, ERRORS, LAST
from runner.training.interrupts import Interrupts

RESERVE = 1 << 22  # bytes that are given back when memory has run out, to end the run in order


@contextmanager
def ended(
    start: Start, result: Result, trackers: Tracker, checkpoints: Checkpoints, interrupts: Interrupts
) -> Iterator[None]:
    """End a run in order, whatever happens inside the block: an error or interrupt is told everywhere and raised again.

    After an interrupt between two steps, the state is kept so that the run can go on.
    """
    config = start.config
    reserve = bytearray(RESERVE)
    try:
        yield
        checkpoints.note_seconds()
        seconds = start.seconds()
        write_summary(config, result, "FINISHED", None, seconds)  # kept, should the process be killed now
        run_id = finish(trackers, "FINISHED", None, config, result)
        write_summary(config, result, "FINISHED", run_id, seconds)
    except BaseException as error:
        del reserve
        if interrupts.is_between and isinstance(error, KeyboardInterrupt):
            keep_for_resume(checkpoints, config)
        checkpoints.close(is_finished=False)
        checkpoints.note_seconds()
        finish_early(error, trackers, start, result)
        raise
    checkpoints.close(is_finished=True)


def keep_for_resume(checkpoints: Checkpoints, config: RunConfig) -> None:
    """Keep the state after the last step, and say how the run goes on."""
    try:
        step = checkpoints.keep()
        how = "the same command" if config.sweep is not None else "the same command with resume=auto"
        print(f"kept at step {step:,}: {how} goes on from there", file=sys.stderr)
    except RunnerError as problem:  # told beside the interrupt, which is raised on
        print(problem, file=sys.stderr)


def finish_early(error: BaseException, trackers: Tracker, start: Start, result: Result) -> None:
    """Tell trackers and summary which error or interrupt has ended the run."""
    status: Status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
    message = str(error) if isinstance(error, RunnerError | KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    seconds = start.seconds()
    with contextlib.suppress(RunnerError):  # on a full disk these fail too; the error that ended the run is to be told
        run_id = finish(trackers, status, message, start.config, result)
        write_summary(start.config, result, status, run_id, seconds, message)


def finish(trackers: Tracker, status: Status, error: str | None, config: RunConfig, result: Result) -> str | None:
    """Tell the trackers how the run ended. Returns the id of the MLflow run, None if there is none."""
    models = {name: config.output_dir / name for name in (BEST, LAST) if (config.output_dir / name).is_dir()}
    test = {"score": result.test["score"], **result.test["scores"]} if result.test is not None else {}
    page = config.output_dir / ERRORS
    errors = page if page.is_file() else None
    pictures = [path for path in [config.output_dir / CONFUSION] if path.is_file()]
    return trackers.finish(RunEnd(status, error, models, test, result.pruned, result.answer, errors, pictures))
