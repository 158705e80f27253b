"""`python -m runner errors MODEL [DATA…]`: a page of what a model gets wrong, worst first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import add_data_flags, add_model_flags
from runner.commands.own_data import examples_for, ops_of
from runner.errors import RunnerError
from runner.progress import waiting

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline
    from runner.corpus.datasets import Held
    from runner.corpus.example import Example
    from runner.inspect.errors import ErrorReport

HELP = """\
Show what a trained model gets wrong: one HTML page, what to mend first.

  python -m runner errors outputs/…              on the run's own dev set
  python -m runner errors runs:/3f2a… a.conllu   on files of any known format
  python -m runner errors MODEL raw.jsonl -o raw.html --tokens predicted

For every component: its confusion matrix; errors by kind, label, length (of
arcs: distance) and by what training has seen; how far its confidence can be
trusted; and the texts, worst first, with file and line. The page filters and
sorts them; it asks for nothing outside itself. Without DATA the dev set is
shown: who mends what the test set shows can no longer test on it.
Exit codes: 0 done, 1 it could not be written, 2 a model, file or option is
wrong."""

PAGE = "errors.html"


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner errors", description=HELP)
    add_model_flags(parser)
    parser.add_argument("data", metavar="DATA", nargs="*", help="files or folders of annotated texts")
    parser.add_argument("--split", choices=("dev", "test", "train"), help="the part of the run's own corpus to show")
    add_data_flags(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default=PAGE, help=f"default: {PAGE} in this folder")
    parser.add_argument(
        "--seen", action=argparse.BooleanOptionalAction, default=True,
        help="count apart what training has seen, for which the run's training data is read (default)",
    )  # fmt: skip
    return parser


def main(words: Sequence[str]) -> int:
    """Run `errors` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_intermixed_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    from runner.files import write_file
    from runner.inspect.error_page import page
    from runner.inspect.errors import examine
    from runner.tracking.model_source import find_model

    if Path(options.output).is_dir():
        raise RunnerError("this is a folder", place=options.output, hint="Name a file in it.")
    source = find_model(options.model, options.tracking_uri)
    config = source.config()
    nlp = source.load(options.code, options.ops or ops_of(config if not options.data else None))
    held, split = examples_for(options, source, config, nlp, ("dev",))
    for line in held.left_out.lines():
        print(line, file=sys.stderr)
    train = _training(config, nlp, held) if options.seen and config is not None else None
    with waiting(f"looking at {len(held.examples):,} texts"):
        report = examine(nlp, held.examples, train)
    paths = [str(one.path) for one in held.sources]
    files = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    data = f"the {split} set of its run, {files}" if split else files
    write_file(Path(options.output), page(report, source.name, data))
    print(_summary(report))
    print(f"Written: {options.output}")


def _training(config: Mapping[str, Any], nlp: Pipeline, held: Held) -> list[Example] | None:
    """The run's training data without the texts that are looked at (a fold); None, with a line, if it cannot be read."""
    from runner.assemble import recorded_part

    try:
        train = recorded_part(config, "train", nlp).examples
    except RunnerError as error:
        print(f"not shown: what training has seen ({error.fact})", file=sys.stderr)
        return None
    own = {example.reference.source for example in held.examples} - {None}
    return [example for example in train if example.reference.source not in own]


def _summary(report: ErrorReport) -> str:
    """One line for each component."""
    lines = []
    for component in report.components:
        if not component.tells:
            lines.append(f"{component.name}: tells no errors")
        elif not component.n:
            lines.append(f"{component.name}: no gold annotation")
        else:
            kinds = ", ".join(f"{kind} {component.kinds[kind]:,}" for kind in component.wrong_kinds)
            of = f"{component.n_wrong:,} of {component.n:,} wrong"
            lines.append(f"{component.name}: {of}{f' ({kinds})' if kinds else ''}")
    return "\n".join(lines)
