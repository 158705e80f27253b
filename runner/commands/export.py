"""`python -m runner export MODEL OUT`: a trained model as a folder that spaCy opens."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import MODEL_HELP, TRACKING_URI_HELP
from runner.errors import RunnerError

HELP = """\
Write a trained model as a folder that spaCy opens (extra: spacy).

  python -m runner export MODEL OUT --to spacy
  python -c "import spacy; print(spacy.load('OUT')('Ada slept.').ents)"

The folder keeps this project's tokenizer; predictions are the same. It loads
where spaCy and this project are installed, and holds no code. Beside spaCy's
own components: nlp.add_pipe("runner", config={"model": "MODEL"}).
Exit codes: 0 done, 1 it could not be written, 2 a model or option is wrong."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner export", description=HELP)
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("out", metavar="OUT", help="a new folder")
    parser.add_argument("--to", choices=("spacy",), required=True, help="the library that reads the folder")
    parser.add_argument("--tracking-uri", metavar="URI", help=TRACKING_URI_HELP)
    return parser


def main(words: Sequence[str]) -> int:
    """Run `export` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_intermixed_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    from runner.handover.spacy_folder import check_code, write_spacy
    from runner.tracking.mlflow.carried import code_names
    from runner.tracking.model_source import find_model

    out = Path(options.out)
    if out.exists():
        raise RunnerError("the folder exists", place=options.out, hint="Name a new one.")
    source = find_model(options.model, options.tracking_uri)
    check_code(code_names(source.folder), options.model)
    pipeline = source.load()
    write_spacy(pipeline, out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}  {size:,} bytes: {', '.join(pipeline.pipe_names)}\nspacy.load({options.out!r})")
