"""Flags that every command with a MODEL has, and the ways in which a file of annotated DATA is read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline
    from runner.corpus.datasets import Held

TRACKING_URI_HELP = "the store (default: MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
MODEL_HELP = "a model's or run's folder, RUN_ID, runs:/…, models:/NAME/VERSION or @ALIAS, or an installed model"


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """MODEL and what it takes to load it."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--code", metavar="FILE", action="append", default=[], help="Python that the model needs")
    parser.add_argument("--ops", metavar="OPS", help="what computes: numpy (default) or numba")
    parser.add_argument("--tracking-uri", metavar="URI", help=TRACKING_URI_HELP)


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """How DATA is read."""
    parser.add_argument(
        "--from", dest="source", metavar="FORMAT", default="auto", help="default: by suffix and content"
    )
    parser.add_argument(
        "--option", dest="options", metavar="KEY=VALUE", action="append", default=[],
        help="an option of the reader, as under corpus.reader: --option label=stars",
    )  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=int, help="read at most N texts of each file")
    parser.add_argument(
        "--tokens", choices=("gold", "predicted"),
        help="predict on the data's own words (default), or on the tokenizer's",
    )  # fmt: skip


def read_data(options: argparse.Namespace, paths: Sequence[str], nlp: Pipeline) -> Held:
    """The examples of files that the command line names. options: of add_data_flags. Raises RunnerError."""
    from runner.blocks import resolve
    from runner.commands.convert import own_spelling, reader_options
    from runner.corpus.datasets import CorpusSpec, read_part

    if options.limit is not None and options.limit < 1:
        raise RunnerError(f"must be at least 1, got {options.limit}", place="--limit", hint="Leave it out to read all.")
    options.n_sents, options.merge_subtokens = None, False
    block: dict[str, Any] = {"type": options.source, **reader_options(options)}
    spec = CorpusSpec(
        train=None, test=_files(paths), name=Path(paths[0]).name, gold_tokens=options.tokens != "predicted",
        limit=options.limit,
    )  # fmt: skip
    try:
        return read_part(
            spec,
            "test",
            reader=resolve(block, "readers", "--option"),
            tokenizer=resolve(nlp.tokenizer_block, "tokenizers", "pipeline.tokenizer"),
        )
    except RunnerError as error:
        hint = own_spelling(error.hint) if error.hint else None
        place = "DATA" if (error.place or "").startswith("corpus.test") else error.place
        raise type(error)(error.fact, place=place, hint=hint) from None


def _files(paths: Sequence[str]) -> list[str]:
    """The paths, with the files of each folder in its place. Raises RunnerError for a folder without files."""
    files: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            files.append(path)
            continue
        inside = sorted(file for file in Path(path).rglob("*") if file.is_file() and not file.name.startswith("."))
        if not inside:
            raise RunnerError("there is no file in the folder", place=path, hint="Name a file with annotated texts.")
        files += map(str, inside)
    return files
