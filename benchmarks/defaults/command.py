"""`python -m benchmarks defaults`: its arguments, and what is done in which order."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.defaults.cells import SCORES, SIDES, Run
from benchmarks.defaults.choices import LAST_EVALUATIONS
from benchmarks.defaults.compare import Compared, Counts, compared
from benchmarks.defaults.corpora import CORPORA, prepare
from benchmarks.defaults.records import cell_of, of_settings, read_all
from benchmarks.defaults.runs import ALL, Asked, plan, work
from benchmarks.defaults.tables import all_tables, heading
from benchmarks.turns import say
from runner.errors import RunnerError, suggest

FOLDER = Path("results/defaults")
ABOUT = """\
What a user gets who names data and nothing else: this project with its
defaults, this project with the guide's literal recipe (experiment=guide), and
spaCy with its defaults and averaged parameters; every component, on every
corpus that has its annotation, at 100, 300, 1,000, 3,000 and all docs. The
best epoch is picked on dev, and its weights are scored on test once.

The command goes on where it was stopped: a finished run is a line of
FOLDER/runs.jsonl. Several of these commands may share the work of one folder.
At all docs of a corpus one seed is enough for what takes spaCy more than ten
CPU minutes.
"""
EPILOG = """\
examples:
  python -m benchmarks defaults --sizes 100 300 --seeds 0
  python -m benchmarks defaults --components ner --corpora wnut17 wikigold
  python -m benchmarks defaults --sides ours --fresh ours
  python -m benchmarks defaults --sides ours --set dropout=constant \\
      --folder results/constant --beside results/defaults
  python -m benchmarks defaults --report --markdown
  python -m benchmarks defaults --sides ours --corpora wnut17 --choice
"""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks defaults",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what is run")
    what.add_argument("--corpora", nargs="+", default=[], metavar="NAME", help=f"{', '.join(CORPORA)} (default: all)")
    what.add_argument("--components", nargs="+", default=[], metavar="NAME", help=f"{', '.join(SCORES)} (default: all)")
    what.add_argument(
        "--sizes", nargs="+", type=size, default=[], metavar="N",
        help="docs to train on: 100, 300, 1000, 3000, all (default: all of these)",
    )  # fmt: skip
    what.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    what.add_argument(
        "--sides",
        nargs="+",
        choices=SIDES,
        metavar="SIDE",
        help="ours, guide, spacy (default: all; spacy if installed)",
    )
    what.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of ours and of guide")
    what.add_argument(
        "--choice", nargs="?", type=positive, const=LAST_EVALUATIONS, metavar="K",
        help="of our sides, score four choices of the weights of each training: the best epoch, the last, the mean of "
        f"the last K evaluations (default: {LAST_EVALUATIONS}), the best of a smoothed dev curve",
    )  # fmt: skip
    what.add_argument("--data", metavar="FOLDER", help="the data sets' (default: $RUNNER_DATA_MIRROR, else downloads)")
    keep = parser.add_argument_group("what is kept and shown")
    keep.add_argument(
        "--folder", type=Path, default=FOLDER, metavar="FOLDER", help=f"of the results (default: {FOLDER})"
    )
    keep.add_argument(
        "--beside", nargs="+", type=Path, default=[], metavar="FOLDER",
        help="show the records of these folders too (spaCy's, say), where this one has none of a run",
    )  # fmt: skip
    keep.add_argument("--report", action="store_true", help="run nothing: show what is there")
    keep.add_argument("--markdown", action="store_true", help="print tables in Markdown, one a component")
    keep.add_argument("--no-plots", dest="plots", action="store_false", help="draw no pictures into FOLDER/plots")
    keep.add_argument(
        "--fresh",
        nargs="+",
        default=[],
        choices=SIDES,
        metavar="SIDE",
        help="repeat runs of these sides that another commit made",
    )
    return parser.parse_args(argv)


def size(text: str) -> int | str:
    return ALL if text == ALL else positive(text)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)


def asked_of(args: argparse.Namespace) -> Asked:
    """Raises RunnerError for an unknown name."""
    for option, names, known in (("corpora", args.corpora, CORPORA), ("components", args.components, SCORES)):
        for name in names:
            if name not in known:
                raise RunnerError(f"unknown name; {suggest(name, known)}", place=f"--{option} {name}")
    return Asked(
        folder=args.folder,
        sides=args.sides or SIDES if args.report else sides_of(args.sides),
        corpora=args.corpora,
        components=args.components,
        sizes=args.sizes,
        seeds=args.seeds,
        settings=tuple(args.set),
        average=args.choice,
        fresh=args.fresh,
    )


def main(argv: Sequence[str]) -> int:
    """The exit code: 0, 1 if runs failed, 2 for a mistake of the user's, 130 if interrupted."""
    args = arguments(argv)
    if args.data:
        os.environ["RUNNER_DATA_MIRROR"] = args.data
    try:
        if args.report and not args.corpora:  # the others' data need not be there
            args.corpora = list({record["corpus"]: 1 for record in read_all([args.folder, *args.beside])})
            if not args.corpora:
                raise nothing_finished(args.folder)
        asked = asked_of(args)
        runs = plan(asked)
        failed = [] if args.report else work(runs, asked)
        show(args, runs)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    if failed:
        say(f"{len(failed)} runs failed: {', '.join(failed)}; the same command repeats them")
    return 1 if failed else 0


def show(args: argparse.Namespace, runs: Sequence[Run]) -> None:
    """Print the tables of the runs' cells, and draw their pictures. Raises RunnerError if nothing is finished.

    All sides that have records are shown, unless --report comes with --sides.
    """
    wanted = {(run.cell, run.seed) for run in runs}
    sides = args.sides if args.report and args.sides else SIDES
    found = of_settings(read_all([args.folder, *args.beside]), args.set)
    records = [one for one in found if (cell_of(one), one["seed"]) in wanted and one["side"] in sides]
    if not records:
        raise nothing_finished(args.folder)
    folder = args.folder / "corpora"
    cells = compared(records, {run.corpus: prepare(run.corpus, folder) for run in runs}, Counts(folder))
    print(heading(records))
    for table in all_tables(cells, is_wide=args.markdown):
        print(table.markdown() if args.markdown else table.plain())
    if args.plots:
        pictures(cells, args.folder / "plots")


def nothing_finished(folder: Path) -> RunnerError:
    hint = "Leave --report out to make them."
    return RunnerError("none of these runs is finished", place=f"--folder {folder}", hint=hint)


def pictures(cells: Sequence[Compared], folder: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        say('no pictures: matplotlib is not installed (pip install -e ".[bench]")')
        return
    from benchmarks.defaults.plots import draw

    draw(cells, folder)
    say(f"pictures: {folder}/*.png")


def sides_of(asked: Sequence[str] | None) -> Sequence[str]:
    """The sides that are run: all, without spaCy's where spaCy is not installed and was not asked for."""
    if importlib.util.find_spec("spacy") is not None:
        return asked or SIDES
    if asked and "spacy" in asked:
        hint = 'pip install -e ".[bench]", or give --sides ours guide.'
        raise RunnerError("spaCy is not installed", place="--sides spacy", hint=hint)
    say('spaCy is not installed (pip install -e ".[bench]"): our sides alone are run')
    return asked or [side for side in SIDES if side != "spacy"]
