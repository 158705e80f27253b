"""`python -m runner predict MODEL INPUT…`: annotate texts: files, folders, streams.

corpus/texts.py reads, annotator.py annotates (in workers, if asked), formats.py encodes, output.py keeps what is done.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import add_model_flags
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.commands.predict.annotator import Answer, Setting
    from runner.components.pipeline import Pipeline
    from runner.corpus.texts import Input

HELP = """\
Annotate texts with a trained model.

  python -m runner predict MODEL texts.txt -o out.jsonl     a text a line
  python -m runner predict MODEL a.jsonl b.csv -o out.jsonl --workers 2
  python -m runner predict MODEL letters/ -o out.jsonl --whole-files
  python -m runner predict MODEL words.conllu -o out.conllu
  zcat big.gz | python -m runner predict MODEL - -o - > out.jsonl
  python -m runner predict MODEL big.txt.gz -o out.jsonl.gz --resume

INPUT   .txt (a text a line), .jsonl (text or words), .csv (a column text),
        .conllu, .iob and whatever the readers read, folders, .gz, - (stdin).
        Words of the input are kept, its annotation is not; ids and other keys
        are. Without words the model's tokenizer makes them.
OUT     .jsonl, .csv, .conllu, .iob (and .gz), or - (stdout); in the order of
        the input. The file is whole or absent: it grows as OUT.part, and after
        a kill the same command with --resume goes on. Or .spacy (needs spaCy):
        one DocBin, joined at the end, of at most 30 million words; spaCy reads
        it whole, with 0.1 KB of memory a word and more. Ids are in user_data.
Exit codes: 0 done, 1 it could not be written, 2 an input or option is wrong,
130 or 143 interrupted."""

STANDARD = "-"
_NEEDED = "Write python -m runner predict MODEL texts.txt -o out.jsonl; see python -m runner predict --help."


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(
        prog="python -m runner predict",
        usage="python -m runner predict MODEL INPUT... -o OUT [options]",
        description=HELP,
    )
    add_model_flags(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="files, folders, or - for standard input")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file, or - for standard output")
    parser.add_argument("--format", metavar="FORMAT", help="of OUT: jsonl, csv, conllu, iob, spacy")
    parser.add_argument("--from", dest="source", metavar="FORMAT", help="of INPUT: txt, jsonl, csv, or a reader")
    parser.add_argument("--whole-files", action="store_true", help="each text file is one text")
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="the probability of each prediction, where a component tells it; slower",
    )
    parser.add_argument(
        "--min-confidence",
        metavar="P",
        type=float,
        help="leave out entities and categories less probable than P, from 0 to 1; slower",
    )
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--resume", action="store_true", help="go on where this command was interrupted")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    parser.add_argument("--skip-errors", action="store_true", help="leave out texts that cannot be read")
    return parser


def main(words: Sequence[str]) -> int:
    """Run `predict` with these words of the command line; the exit code."""
    from runner.signals import raised

    def run() -> None:
        try:
            options = make_parser().parse_intermixed_args(list(words))
        except RunnerError as error:
            if "are required" not in error.fact:
                raise
            raise RunnerError("MODEL, INPUT and -o OUT are needed", place="command line", hint=_NEEDED) from None
        with raised():
            _run(options)

    return exit_code(run)


@dataclass
class Done:
    """Counts of the work so far, earlier commands included."""

    units: int = 0
    texts: int = 0
    words: int = 0
    skipped: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        self.units += answer.n_units
        self.texts += answer.n_texts
        self.words += answer.n_words
        self.skipped += len(answer.faults)
        self.left_out.update(answer.left_out)

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "left_out": dict(self.left_out)}


class Output(Protocol):
    """Where predictions go."""

    def write(self, text: bytes, counts: Mapping[str, Any]) -> None: ...


class _Stream:
    """Standard output."""

    def write(self, text: bytes, counts: Mapping[str, Any]) -> None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()


def _run(options: argparse.Namespace) -> None:
    from runner.commands.predict.annotator import Setting
    from runner.commands.predict.formats import HOLD_CONFIDENCE, format_for
    from runner.commands.predict.output import GrowingFile
    from runner.corpus.readers.reader import LeftOut
    from runner.corpus.texts import find_inputs
    from runner.corpus.writers.docbin import join
    from runner.tracking.model_source import find_model

    if options.workers < 1:
        raise RunnerError(f"must be at least 1, got {options.workers}", place="--workers", hint="Give 1 or more.")
    if options.min_confidence is not None and not 0 <= options.min_confidence <= 1:
        fact = f"must be from 0 to 1, got {options.min_confidence}"
        raise RunnerError(fact, place="--min-confidence", hint="Give 0.8 for 80 %.")
    form = format_for(options.output, options.format)
    if options.confidence and form not in HOLD_CONFIDENCE:
        hint = "Write JSON lines or CSV. --min-confidence alone works with every format."
        raise RunnerError(f"{form} has no place for probabilities", place="--confidence", hint=hint)
    done = Done()
    passed_over = LeftOut()
    inputs = find_inputs(options.inputs, options.source, passed_over, whole_files=options.whole_files)
    done.left_out.update(passed_over)
    _check_files(inputs, options.output)
    source = find_model(options.model, options.tracking_uri)
    nlp = source.load(options.code, options.ops or "numpy")
    columns = _columns(inputs, form)
    setting = Setting(
        source.folder, options.code, options.ops or "numpy", form, columns,
        confidence=options.confidence, min_confidence=options.min_confidence,
    )  # fmt: skip
    if options.output == STANDARD:
        if options.resume:
            raise RunnerError("standard output cannot be gone on with", place="--resume", hint="Give OUT a file name.")
        _annotate(nlp, setting, inputs, options, done, _Stream())
        return
    if options.resume and any(not one.path.is_file() for one in inputs):
        raise RunnerError("a stream cannot be read again", place="--resume", hint="Write the input into a file first.")
    growing = GrowingFile(Path(options.output), _work(nlp, setting, inputs))
    before = growing.open(is_resumed=options.resume, is_forced=options.force)
    if before:
        done = Done(**{**before, "left_out": Counter(before["left_out"])})
        print(f"going on after {done.texts:,} texts", file=sys.stderr)
    try:
        _annotate(nlp, setting, inputs, options, done, growing)
    except BaseException as error:
        with contextlib.suppress(RunnerError):
            if not done.texts:
                growing.give_up()
            else:
                growing.record(done.as_dict())
            if done.texts and isinstance(error, KeyboardInterrupt | RunnerError):
                kept = "1 text is" if done.texts == 1 else f"{done.texts:,} texts are"
                print(f"{kept} kept in {growing.part}; --resume goes on from there", file=sys.stderr)
        raise
    growing.finish(join if form == "spacy" else None)


def _annotate(
    nlp: Pipeline, setting: Setting, inputs: Sequence[Input], options: argparse.Namespace, done: Done, output: Output
) -> None:
    """Annotate what is not done yet. Adds to `done`. Raises RunnerError at the first text that cannot be read."""
    from runner.commands.predict.annotator import answers
    from runner.commands.predict.formats import Table, separator
    from runner.corpus.readers.reader import LeftOut
    from runner.corpus.text_chunks import after, measured, read_chunks, total_size
    from runner.corpus.writers.docbin import MAX_WORDS
    from runner.progress import moving

    started, words_before, left_out = time.perf_counter(), done.words, LeftOut()
    sizes: deque[int] = deque()  # of chunks that are not answered yet
    chunks = measured(after(read_chunks(inputs, left_out, _tokenizer(nlp)), done.units), sizes)
    if setting.form == "csv" and not done.units:
        output.write(Table(nlp, setting.columns, confidence=setting.confidence).header.encode(), done.as_dict())
    between, n_bytes = separator(setting.form), 0
    with (
        answers(nlp, setting, chunks, options.workers, is_skipping=options.skip_errors) as answered,
        moving(None if done.units else total_size(inputs)) as advance,
    ):
        for answer in answered:
            gap = between if done.texts and answer.n_texts else b""
            done.add(answer)
            output.write(gap + answer.text, done.as_dict())
            for fault in answer.faults:
                print(f"skipped: {fault}", file=sys.stderr)
            if setting.form == "spacy" and done.words > MAX_WORDS:
                hint = "Split the input, or write JSON lines."
                raise RunnerError(f"a DocBin holds at most {MAX_WORDS:,} words", place=options.output, hint=hint)
            if answer.error is not None:
                raise _with_next_move(answer.error)
            n_bytes += sizes.popleft()
            advance(f"{done.texts:,} texts", done.words, n_bytes)
    if not done.texts:
        raise RunnerError(
            "there is no text in the input", place=options.inputs[0], hint="Check the file and its format."
        )
    _report(
        options.output, done, (done.words - words_before) / max(time.perf_counter() - started, 1e-9), left_out.lines()
    )


def _with_next_move(error: RunnerError) -> RunnerError:
    """The error of one text, with the way to leave it out."""
    hint = error.hint or "Mend it."
    if "--skip-errors" not in hint:
        hint += " Or leave such texts out: --skip-errors"
    return type(error)(error.fact, place=error.place, hint=hint)


def _report(output: str, done: Done, speed: float, remarks: Sequence[str]) -> None:
    where = "standard output" if output == STANDARD else output
    stream = sys.stderr if output == STANDARD else sys.stdout
    for line in remarks:
        print(line, file=sys.stderr)
    skipped = f", {done.skipped:,} skipped" if done.skipped else ""
    texts, words = (f"{n:,} {what}{'s' * (n != 1)}" for n, what in ((done.texts, "text"), (done.words, "word")))
    print(f"{where}: {texts}, {words}{skipped}; {speed:,.0f} words/s", file=stream)
    for what, n in sorted(done.left_out.items()):
        print(f"  left out: {n:,} {what}", file=stream)


def _check_files(inputs: Sequence[Input], output: str) -> None:
    """Raise RunnerError if OUT is a folder or one of the inputs."""
    path = Path(output)
    if output == STANDARD:
        return
    if path.is_dir():
        raise RunnerError("this is a folder", place=output, hint="Name a file in it: OUT is one file.")
    if path.exists() and any(one.path.exists() and path.samefile(one.path) for one in inputs):
        raise RunnerError("the input would be overwritten", place=output, hint="Give OUT another name.")


def _columns(inputs: Sequence[Input], form: str) -> list[str]:
    """The columns of the first CSV file, beside text, which CSV output keeps. Raises RunnerError if a file has no text."""
    from runner.corpus.text_chunks import header_of

    headers = [header_of(one.path) for one in inputs if one.format == "csv" and one.path.is_file()]
    return [column for column in headers[0] if column != "text"] if form == "csv" and headers else []


def _work(nlp: Pipeline, setting: Setting, inputs: Sequence[Input]) -> dict[str, Any]:
    """What must be the same when the work is gone on with."""
    from runner.components.storage import weights_sha256

    files = [[str(one.path), one.format, *_size_and_time(one.path)] for one in inputs]
    return {
        "model": weights_sha256(nlp),
        "format": setting.form,
        "confidence": setting.confidence,
        "min_confidence": setting.min_confidence,
        "input": files,
    }


def _size_and_time(path: Path) -> tuple[int, int]:
    if not path.is_file():
        return 0, 0
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _tokenizer(nlp: Pipeline) -> Callable[[str], tuple[list[str], list[bool]]]:
    from runner.blocks import resolve

    made: Callable[[str], tuple[list[str], list[bool]]] = resolve(
        nlp.tokenizer_block, "tokenizers", "pipeline.tokenizer"
    )
    return made
