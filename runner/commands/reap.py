"""`python -m runner reap`: close the runs in MLflow whose process is gone.

How a process is known to be gone: runner/tracking/process.py; which runs are closed: runner/tracking/mlflow/reap.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from runner.commands.flags import FlagParser, exit_code
from runner.commands.sync import name_run
from runner.foreign import shown_name
from runner.tracking.mlflow.store import store_uri

HELP = """\
Close the runs that MLflow shows as RUNNING though the process that trained
them is gone: killed, out of memory, a power cut. What their journals hold and
MLflow lacks is sent first; then their status is KILLED, or how they ended.

  python -m runner reap             in MLFLOW_TRACKING_URI, else ./mlflow.db
  python -m runner reap --dry-run   only say which

Runs of other machines, and runs whose process is alive, are never touched. An
interrupted run can still go on: resume=auto.
Exit codes: 0 done, 1 a run could not be closed, 2 an option or the store is
wrong."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner reap", description=HELP)
    parser.add_argument("--uri", help="the MLflow store; default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db")
    parser.add_argument("--experiment", metavar="NAME", help="the runs of this experiment alone")
    parser.add_argument("--dry-run", action="store_true", help="change nothing")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit code. argv: without the command's name."""
    return exit_code(lambda: run(make_parser().parse_args(list(argv))))


def run(arguments: argparse.Namespace) -> int:
    """One line a run, then the count. Raises RunnerError."""
    from runner.tracking.mlflow.reap import Reaper

    reaper = Reaper(store_uri(arguments.uri))
    n_closed = n_failed = 0
    for abandoned in list(reaper.abandoned(arguments.experiment)):
        if arguments.dry_run:
            print(f"{abandoned.run_id} {shown_name(abandoned.name)}: would be closed")
            n_closed += 1
            continue
        status = reaper.close(abandoned)
        if status is None or status.status is None:
            why = status.error if status is not None else "another process is sending it"
            print(f"{abandoned.run_id} {shown_name(abandoned.name)}: not closed: {why}")
            n_failed += 1
            continue
        print(f"{abandoned.run_id} {shown_name(abandoned.name)}: {status.status}", flush=True)
        n_closed += 1
        if abandoned.journal is not None:
            name_run(abandoned.journal.with_name("summary.json"), abandoned.run_id)
    print(f"{n_closed} {'to close' if arguments.dry_run else 'closed'}, {n_failed} not closed")
    return 1 if n_failed else 0
