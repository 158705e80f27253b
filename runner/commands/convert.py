"""`python -m runner convert INPUT OUTPUT`: annotated text in another format.

Files are read and written doc by doc, so that a file may be larger than memory (except from spaCy's formats, and to
IOB, tables and DocBin). The output file is complete or absent, and a summary tells what was lost. Readers and writers
(runner/corpus/readers/, runner/corpus/writers/) define each format's name, how files are recognised and what the
format holds. paths.py chooses the paths.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from runner import registry
from runner.commands.flags import FlagParser, exit_code
from runner.commands.paths import STANDARD, Conversion, check_format, plan
from runner.corpus.doc import Doc
from runner.corpus.readers.auto import format_of
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.writers.output import open_output, write_piece
from runner.errors import Interrupted, RunFailed, RunnerError
from runner.files import is_handed_over
from runner.progress import moving

_PIECE = 1 << 20  # bytes to read at once

HELP = """\
Convert annotated text from one format to another.

  python -m runner convert train.conllu train.jsonl
                                          formats follow from the names
  python -m runner convert train.spacy train.iob
                                          needs the extra spacy
  python -m runner convert annotations.jsonl.gz train.jsonl
                                          an export of Prodigy
  python -m runner convert raw/ converted/ --to conllu
                                          each file that has a known suffix
  python -m runner convert raw/ all.jsonl.gz    the same, into one file
  zcat x.conll.gz | python -m runner convert - - --to jsonl

Formats (--from: all; --to: those with a *; .gz may follow any suffix)
  jsonl *       .jsonl .ndjson .json  a text a record; holds everything
  conllu *      .conllu               words, lemmas, tags, features, trees
  iob *         .iob .iob2 .bio .biluo .conll .tsv
                                      a word a line, entity last: IOB1, IOB2,
                                      BILUO; CoNLL 2002 and 2003
  json          .json                 one value: exports of doccano, Label
                                      Studio and others, lists of records
  spacy_json    .json                 spaCy 2's training format
  docbin *      .spacy                spaCy 3's DocBin
  prodigy       .jsonl                Prodigy's answers; ignored ones left out
  table *       .csv .tsv .tab        texts and categories, with a header
  zipped_texts  .zip                  a text a file, its folder the category
  texts         .txt                  a text a line; of other formats the words

What the target has no place for is left out; the summary says how much.
Exit codes: 0 done, 1 it could not be written, 2 an input or option is wrong,
130 or 143 interrupted."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's flags."""
    parser = FlagParser(prog="python -m runner convert", description=HELP)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="a file, a folder, or - for standard input")
    parser.add_argument("output", metavar="OUTPUT", help="a file, a folder, or - for standard output")
    parser.add_argument(
        "--from", dest="source", metavar="FORMAT", default="auto", help="default: by suffix and content"
    )
    parser.add_argument("--to", dest="target", metavar="FORMAT", help="default: by OUTPUT's suffix, else jsonl")
    parser.add_argument("--n-sents", type=int, metavar="N", help="sentences a document, of conllu and iob (default 1)")
    parser.add_argument(
        "--merge-subtokens", action="store_true", help="each multi-word token of CoNLL-U becomes one word"
    )
    parser.add_argument(
        "--option",
        dest="options",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the reader, as under corpus.reader: --from table --option label=stars",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code. argv: without the command's name."""
    thresholds = gc.get_threshold()
    handler = _terminable()
    try:
        gc.set_threshold(100_000, 20, 20)  # docs are short-lived; by default the cycle collector takes half of the time
        return exit_code(lambda: run(make_parser().parse_args(list(argv))))
    finally:
        gc.set_threshold(*thresholds)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def run(arguments: argparse.Namespace) -> None:
    """Convert the inputs and print the summary. Raises RunnerError."""
    check_format(arguments.source, registry.readers.names(), "--from")
    options = reader_options(arguments)
    with tempfile.TemporaryDirectory(prefix="runner-convert-") as folder:
        jobs, skipped = plan(arguments.inputs, arguments.output, arguments.source, arguments.target)
        total = Counts()
        if skipped:
            names = ", ".join(sorted(path.name for path in skipped)[:5]) + (", …" if len(skipped) > 5 else "")
            total.left_out[f"files without a known suffix ({names})"] = len(skipped)
        with moving() as advance:
            for job in jobs:
                try:
                    convert(job, arguments.source, options, total, advance, Path(folder))
                except RunnerError as error:
                    place = _streams_named(error.place, Path(folder)) if error.place else None
                    hint = _streams_named(own_spelling(error.hint), Path(folder)) if error.hint else None
                    raise type(error)(error.fact, place=place, hint=hint) from None
    for line in total.left_out.lines():
        print(_streams_named(own_spelling(line), Path(folder)), file=sys.stderr)
    where = arguments.output if arguments.output != STANDARD else "standard output"
    lines = total.lines(where, len(jobs))
    print("\n".join(lines), file=sys.stderr if arguments.output == STANDARD else sys.stdout)


class Counts:
    """Counts of docs, words, entities, files and left-out data."""

    def __init__(self) -> None:
        self.docs = self.words = self.entities = self.files = 0
        self.left_out: LeftOut = LeftOut()

    def counted(self, docs: Iterable[Doc], advance: Callable[[str, int], None], name: str) -> Iterator[Doc]:
        """Yield the docs, and count them."""
        for doc in docs:
            self.docs += 1
            self.words += len(doc)
            self.entities += len(doc.ents)
            if not self.docs % 256:
                advance(name, self.words)
            yield doc

    def lines(self, where: str, n_written: int) -> list[str]:
        """Return the summary: a line of totals, then a line for each kind of left-out data."""
        into = f"{where} ({n_written} files)" if n_written > 1 else where
        noun = {1: "doc"}.get(self.docs, "docs")
        first = f"{into}: {self.docs:,} {noun}, {self.words:,} words, {self.entities:,} entities"
        return [first, *(f"  left out: {n:,} {what}" for what, n in sorted(self.left_out.items()))]


def convert(
    job: Conversion,
    source: str,
    options: dict[str, Any],
    total: Counts,
    advance: Callable[[str, int], None],
    folder: Path,
) -> None:
    """Read the job's inputs and write its output, complete or not at all. folder: holds a copy of standard input."""
    before = total.docs

    def docs() -> Iterator[Doc]:
        for path in job.inputs:
            if str(path) == STANDARD:
                path = keep(sys.stdin.buffer, folder / "stdin")
            elif is_handed_over(path):
                with path.open("rb") as stream:
                    path = keep(stream, folder / path.name)
            total.files += 1
            name = format_of(path, options) if source == "auto" else source
            read = bind(make_reader(name, options, path), None, total.left_out)
            yield from total.counted(read(path), advance, path.name)

    writer = registry.writers.get(job.format)()
    with ExitStack() as stack:
        standard = sys.stdout.buffer if str(job.output) == STANDARD else None
        stream = stack.enter_context(open_output(job.output, standard))
        for piece in writer(docs(), total.left_out):
            write_piece(stream, piece)
        if total.docs == before:
            raise RunnerError(
                "nothing is left to write" + _because(total.left_out),
                place=str(job.inputs[0]),
                hint="Check the input and the format.",
            )


def reader_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the readers' options that the flags set."""
    import yaml

    options: dict[str, Any] = {}
    for item in arguments.options:
        key, is_given, value = item.partition("=")
        if not is_given or not key:
            raise RunnerError(f"{item!r} is no option", place="--option", hint="Write --option KEY=VALUE.")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            options[key] = value
        if not isinstance(options[key], bool | int | float | list) and value not in ("null", "~"):
            options[key] = value  # the text itself: YAML would interpret characters such as `|`
    if arguments.n_sents is not None:
        if arguments.n_sents < 1:
            raise RunnerError(f"{arguments.n_sents} sentences a document", place="--n-sents", hint="Give 1 or more.")
        options["n_sents"] = arguments.n_sents
    if arguments.merge_subtokens:
        options["merge_subtokens"] = True
    return options


def make_reader(name: str, options: dict[str, Any], path: Path) -> Callable[..., Iterator[Doc]]:
    """Return the reader of this name. Raises RunnerError if the reader does not take an option."""
    factory = registry.readers.get(name)
    taken = inspect.signature(factory).parameters
    for key in options:
        if key not in taken:
            flag = {"n_sents": "--n-sents", "merge_subtokens": "--merge-subtokens"}.get(key, f"--option {key}")
            own = ", ".join(taken) or "no option"
            raise RunnerError(
                f"{flag} does not apply to the format {name}",
                place=str(path),
                hint=f"It takes {own}; leave the flag out.",
            )
    if not options:
        return factory()
    from runner.blocks import resolve

    return resolve({"type": name, **options}, "readers", "--option")


def keep(stream: BinaryIO, path: Path) -> Path:
    """Copy the stream to a file, for readers that read twice. Returns `path`, with `.gz` if the stream is gzipped."""
    piece = stream.read(_PIECE)
    if piece.startswith(b"\x1f\x8b"):
        path = path.with_suffix(".gz")
    try:
        with path.open("wb") as file:
            while piece:
                file.write(piece)
                piece = stream.read(_PIECE)
    except OSError as error:
        hint = "Set TMPDIR to a folder with more space."
        raise RunFailed(f"the input cannot be kept: {error.strerror}", place=str(path.parent), hint=hint) from None
    return path


def _because(left_out: LeftOut) -> str:
    return " (left out: " + "; ".join(f"{n:,} {what}" for what, n in left_out.items()) + ")" if left_out else ""


def own_spelling(hint: str) -> str:
    """Return a reader's hint with this command's flags in place of config keys.

    >>> own_spelling("Read it with corpus.reader.scheme=iob1, or \"corpus.reader.delimiter=';'\".")
    "Read it with --option scheme=iob1, or --option 'delimiter=;'."
    """
    hint = re.sub(r"\"corpus\.reader\.(\w+)='([^']*)'\"", r"--option '\1=\2'", hint)
    hint = re.sub(r"corpus\.reader\.type=(\w+)", r"--from \1", hint)
    hint = re.sub(r"corpus\.reader\.n_sents=(\d+)", r"--n-sents \1", hint)
    hint = re.sub(r"corpus\.reader\.merge_subtokens=true", "--merge-subtokens", hint)
    return re.sub(r"corpus\.reader\.(\w+)", r"--option \1", hint)


def _streams_named(text: str, folder: Path) -> str:
    """Return the text, with "standard input" or "/dev/fd/63" in place of the copied stream's path."""
    kept = rf"{re.escape(str(folder))}/(stdin|\d+)(\.gz)?"
    return re.sub(kept, lambda match: "standard input" if match[1] == "stdin" else f"/dev/fd/{match[1]}", text)


def _terminable() -> Any:
    """Make SIGTERM end the command as Ctrl-C does, so that no partial file stays. Returns the old handler, or None."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        raise Interrupted(143)

    try:
        return signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread may set handlers
        return None
