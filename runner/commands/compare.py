"""`python -m runner compare RUN RUN…`: runs side by side, with a test of significance.

Runs are read from MLflow or from their folders (tracking/) and compared with the first (compare/comparison.py). The report
goes to the console, to compare.md and compare.html, and to MLflow.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.flags import FlagParser, exit_code
from runner.errors import RunnerError
from runner.streams import print_lines, terminal_width

if TYPE_CHECKING:
    from runner.compare.comparison import Comparison
    from runner.tracking.mlflow.runs import Store
    from runner.tracking.past_run import PastRun

HELP = """\
Compare trained runs: what differs in settings, scores, speed and curves.

  python -m runner compare 3f2a… 9c41…                 runs of MLflow by id
  python -m runner compare outputs/A outputs/B -o report    runs by folder
  python -m runner compare --sweep outputs/multirun/…/…     a multirun's jobs

All are held against the first run. Each component's main score (ents_f,
tag_acc, dep_uas, dep_las, cats_macro_f) is tested over the dev texts:
approximate randomization, and a paired bootstrap interval of the difference;
p-values of several runs are adjusted (Holm). The test takes each run's
predictions.jsonl, on the same dev texts. The report is compare.md and
compare.html in FOLDER. --sweep also takes the id of the multirun's MLflow run.
Exit codes: 0 done, 1 it could not be written, 2 a run or option is wrong."""

MARKDOWN, PAGE = "compare.md", "compare.html"
MAX_NOTE = 4900  # characters of a description in MLflow


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner compare", description=HELP)
    parser.add_argument("runs", metavar="RUN", nargs="*", help="an MLflow run id, or the folder of a run")
    parser.add_argument("--sweep", metavar="SWEEP", action="append", default=[], help="a multirun's folder or run id")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default: a new one under outputs/compare/")
    parser.add_argument("--rounds", metavar="N", type=int, help="of either test (default 10000)")
    parser.add_argument(
        "--log",
        action=argparse.BooleanOptionalAction,
        help="put the report into MLflow, beside the first run (default: where the first run is there)",
    )
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="the store (default: MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Run `compare` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    from runner.compare.comparison import compare_runs
    from runner.compare.page import page
    from runner.compare.screen import screen_lines
    from runner.compare.significance import ROUNDS
    from runner.compare.text import markdown
    from runner.files import write_file

    rounds = ROUNDS if options.rounds is None else options.rounds
    if rounds < 1:
        raise RunnerError(f"must be at least 1, got {rounds}", place="--rounds", hint="10000 is usual.")
    with ExitStack() as stack:
        past = PastRuns(options.tracking_uri, stack)
        runs = [past.read(name) for name in options.runs]
        runs += [run for name in options.sweep for run in past.sweep(name)]
        comparison = compare_runs(runs, rounds=rounds)
        text = markdown(comparison)
        folder = Path(options.output) if options.output else _new_folder()
        files = [folder / MARKDOWN, folder / PAGE]
        for path, content in zip(files, (text, page(comparison)), strict=True):
            write_file(path, content)
        if width := terminal_width(sys.stdout):
            print_lines(*screen_lines(text, width), "")
        else:
            print(text)
        print("Written: " + "\n         ".join(map(str, files)))
        if options.log is not False:
            _log(comparison, files, text, is_asked=bool(options.log))


class PastRuns:
    """Reads past runs from folders and from MLflow. The store is opened when a run is first read from it."""

    def __init__(self, uri: str | None, stack: ExitStack) -> None:
        self._uri, self._stack = uri, stack
        self._opened: Store | None = None

    def read(self, name: str) -> PastRun:
        """A run by its folder or its MLflow id. Raises RunnerError."""
        from runner.tracking.past_run import from_folder

        return from_folder(Path(name)) if _is_path(name) else self._store(name).read(name)

    def sweep(self, name: str) -> list[PastRun]:
        """The runs of a multirun that ended with a score; all of them if none did. Raises RunnerError."""
        from runner.tracking.past_run import folders_of, from_folder

        if _is_path(name):
            runs = [from_folder(folder) for folder in folders_of(Path(name))]
        else:
            store = self._store(name)
            ids = store.children(name)
            if not ids:
                raise RunnerError("this run has no runs below it", place=name, hint="Name the multirun's own run.")
            runs = [store.read(run_id) for run_id in ids]
        return [run for run in runs if run.best] or runs

    def _store(self, name: str) -> Store:
        if self._opened is None:
            from runner.tracking.mlflow.runs import Store

            try:
                self._opened = self._stack.enter_context(Store(self._uri))
            except RunnerError as error:
                fact = f"there is no such folder, and as a run of MLflow it cannot be looked up: {error.fact}"
                raise RunnerError(fact, place=name, hint=error.hint) from None
        return self._opened


def _is_path(name: str) -> bool:
    return os.sep in name or Path(name).is_dir()


def _new_folder() -> Path:
    now = datetime.datetime.now()
    return Path("outputs") / "compare" / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-{os.urandom(3).hex()}"


def _log(comparison: Comparison, files: Sequence[Path], text: str, *, is_asked: bool) -> None:
    """Put the report beside the first run, if that run is in MLflow. is_asked: raise RunnerError if that is impossible."""
    first = comparison.runs[0]
    if first.run_id is None or first.uri is None or first.experiment is None:
        if is_asked:
            raise RunnerError("the first run is in no MLflow store", place="--log", hint="Leave --log out.")
        return
    from runner.tracking.mlflow.address import whole_address
    from runner.tracking.mlflow.runs import Store

    name = "compare " + ", ".join(run.name for run in comparison.runs)
    ids = " ".join(run.run_id or run.place for run in comparison.runs)
    try:
        with Store(whole_address(first.uri, Path(first.place))) as store:
            tags = {"kind": "comparison", "compared_runs": ids[:MAX_NOTE]}
            run_id = store.log_report(first.experiment, name[:250], files, tags, text[:MAX_NOTE])
    except RunnerError as error:
        if is_asked:
            raise
        print(f"not logged to MLflow: {error}", file=sys.stderr)
    else:
        print(f"MLflow run: {run_id} ({first.experiment})")
