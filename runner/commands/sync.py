"""`python -m runner sync [FOLDER…]`: send to MLflow what it has not got.

How a journal is found and sent: runner/tracking/mlflow/sync.py. In a run's folder only synced.json and the run_id in
summary.json are changed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import srsly

from runner.commands.flags import FlagParser, exit_code
from runner.errors import RunnerError
from runner.files import read_file, write_file
from runner.tracking.mlflow.address import whole_address
from runner.tracking.mlflow.reach import answers, unreachable
from runner.tracking.mlflow.store import store_uri
from runner.tracking.mlflow.sync import Journal, journals, look, send

HELP = """\
Send to MLflow what it has not got: runs that were trained while no server
answered, or whose server went away.

  python -m runner sync                          all under outputs/, multirun/
  python -m runner sync out outputs/2026-05-01   these runs, or all below them
  python -m runner sync --uri http://127.0.0.1:5000

Missing runs are made, others completed. Nothing is sent twice, so the command
can be repeated. A run that is still being trained is left alone.
Exit codes: 0 MLflow has everything that could be sent, 1 something did not
reach it, 2 an option is wrong."""

DEFAULT_FOLDERS = ("outputs", "multirun")
LEFT_ALONE = {
    "busy": "left alone: it is still being trained or sent",
    "elsewhere": "left alone: it has not ended, and was begun where this machine cannot look",
}


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner sync", description=HELP)
    parser.add_argument("folders", metavar="FOLDER", nargs="*", help="default: outputs and multirun")
    parser.add_argument("--uri", help="the MLflow store to send to; default: the one each run was started with")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit code. argv: without the command's name."""
    return exit_code(lambda: run(make_parser().parse_args(list(argv))))


def run(arguments: argparse.Namespace) -> int:
    """One line a run that is not in MLflow yet, then the count. Raises RunnerError."""
    uri = store_uri(arguments.uri) if arguments.uri is not None else None
    counts: Counter[str] = Counter()
    away: dict[str, str] = {}  # store → why it gets nothing more
    for path in _journals(arguments.folders):
        try:
            journal = look(path, uri)
        except OSError as error:
            _say(path, f"not sent: {error.strerror}")
            counts["not sent"] += 1
            continue
        except RunnerError as error:
            _say(path, f"not sent: {error.fact}\n  {error.hint}")
            counts["not sent"] += 1
            continue
        if journal.state in ("sent", "empty"):
            counts["already there"] += journal.state == "sent"
            continue
        if journal.state in LEFT_ALONE:
            _say(path, LEFT_ALONE[journal.state])
            counts["left alone"] += 1
            continue
        counts[_sent(journal, away)] += 1
    print(", ".join(f"{counts[what]} {what}" for what in ("sent", "not sent", "left alone", "already there")))
    return 1 if counts["not sent"] else 0


def _sent(journal: Journal, away: dict[str, str]) -> str:
    """Send a journal and print what became of it; return the word under which it is counted."""
    try:
        journal = dataclasses.replace(journal, uri=whole_address(journal.uri, journal.path.parent))
    except RunnerError as error:
        _say(journal.path, f"not sent: {error.fact}\n  {error.hint}")
        return "not sent"
    if journal.uri not in away and not answers(journal.uri):
        away[journal.uri] = unreachable(journal.uri)
    if journal.uri in away:
        _say(journal.path, f"not sent: {away[journal.uri]}")
        return "not sent"
    status = send(journal)
    if status is None:
        _say(journal.path, LEFT_ALONE["busy"])
        return "left alone"
    if status.error is not None:
        if status.is_away:
            away[journal.uri] = status.error
        _say(journal.path, f"not sent: {status.error}")
        return "not sent"
    _say(journal.path, f"sent: run {status.run_id}, {status.status}")
    if status.registered is not None:
        _say(journal.path, status.registered)
    name_run(journal.path.with_name("summary.json"), str(status.run_id))
    return "sent"


def name_run(summary: Path, run_id: str) -> None:
    """Put the run's id into a summary.json that was written before the run was in MLflow."""
    try:
        content = json.loads(read_file(summary))
    except (OSError, ValueError):
        return
    if isinstance(content, dict) and "run_id" in content and content["run_id"] is None:
        write_file(summary, srsly.json_dumps({**content, "run_id": run_id}, indent=2) + "\n")


def _journals(folders: Sequence[str]) -> list[Path]:
    """The journals in these folders, each once. Raises RunnerError for a named folder without a journal."""
    paths: dict[Path, None] = {}
    for name in folders or DEFAULT_FOLDERS:
        folder = Path(name).expanduser()
        here = journals(folder)
        if folders and not here:
            raise RunnerError(
                "there is no run's journal in it" if folder.is_dir() else "there is no such folder",
                place=name,
                hint="Name the folder of a run (its output_dir), or one above.",
            )
        paths.update(dict.fromkeys(here))
    return list(paths)


def _say(path: Path, what: str) -> None:
    print(f"{path.parent}: {what}", flush=True)
