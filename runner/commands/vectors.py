"""`python -m runner vectors train TEXTS…`: learn word vectors from raw text, for vectors=file.

gensim, an extra, learns them.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from runner.commands.flags import FlagParser, exit_code
from runner.errors import RunnerError

HELP = """\
Learn word vectors from raw text, for vectors=file.

  python -m runner vectors train texts.txt -o words.vec.gz
  python -m runner vectors train letters/ more.jsonl.gz -o words.vec --dim 300
  python -m runner corpus=files ... vectors=file vectors.path=words.vec.gz

TEXTS   .txt (a text a line), .jsonl (text or words), .csv (a column text),
        .conllu, .iob and whatever the readers read, folders, .gz, - (stdin).
        Words of the input are kept; other texts are tokenized as a run does.
OUT     .vec or .txt: a line a word, the most frequent first (word2vec's text
        format, which other tools read too); .bin: its binary format; and .gz.

The algorithm is word2vec's skip-gram with negative samples (Mikolov et al.,
2013), or fastText's with pieces of words (Bojanowski et al., 2017), which is
better for rare words and rich morphology; both are gensim's. The same texts,
options and seed give the same bits with one worker, which is the default.
Exit codes: 0 done, 1 it could not be written, 2 an input or option is wrong."""

_NEEDED = "Write python -m runner vectors train texts.txt -o words.vec; see python -m runner vectors --help."
_SUFFIXES = (".vec", ".txt", ".bin")


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(
        prog="python -m runner vectors",
        usage="python -m runner vectors train TEXTS... -o OUT [options]",
        description=HELP,
    )
    parser.add_argument("action", choices=["train"], metavar="train", help="the one thing that it does")
    parser.add_argument("inputs", metavar="TEXTS", nargs="+", help="files, folders, or - for standard input")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the file of vectors")
    parser.add_argument("--algorithm", choices=["word2vec", "fasttext"], default="word2vec", help="default word2vec")
    for flag, default, meaning in (
        ("--dim", 100, "numbers of a vector"),
        ("--epochs", 5, "passes over the texts"),
        ("--window", 5, "words on either side that tell of a word"),
        ("--min-count", 5, "leave out words that are rarer"),
        ("--seed", 0, "of the initial values"),
        ("--workers", 1, "threads; from 2 on, runs differ in their bits"),
    ):
        parser.add_argument(flag, type=int, metavar="N", default=default, help=f"{meaning} (default {default})")
    parser.add_argument("--lang", default="en", help="language of the texts, for the tokenizer (default en)")
    parser.add_argument("--from", dest="source", metavar="FORMAT", help="of TEXTS: txt, jsonl, csv, or a reader")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    return parser


def main(words: Sequence[str]) -> int:
    """Run `vectors` with these words of the command line; the exit code."""

    def run() -> None:
        try:
            options = make_parser().parse_intermixed_args(list(words))
        except RunnerError as error:
            if "are required" not in error.fact:
                raise
            raise RunnerError("TEXTS and -o OUT are needed", place="command line", hint=_NEEDED) from None
        _run(options)

    return exit_code(run)


def _run(options: argparse.Namespace) -> None:
    from runner.corpus.readers.reader import LeftOut
    from runner.corpus.texts import find_inputs

    output = Path(options.output)
    _check(options, output)
    left_out = LeftOut()
    inputs = find_inputs(options.inputs, options.source, left_out, whole_files=False)
    make = _algorithm(options)
    with tempfile.TemporaryFile(prefix="runner-vectors-") as room:
        n_texts, n_words = _write_words(inputs, options.lang, room, left_out)
        for line in left_out.lines():
            print(line, file=sys.stderr)
        if not n_words:
            raise RunnerError("there is no word in the input", place=options.inputs[0], hint="Check the file.")
        print(f"{n_texts:,} texts, {n_words:,} words", file=sys.stderr)
        vectors = _trained(make, Sentences(room), options, n_words)
    _write(vectors, output)
    print(f"{output}: {len(vectors.index_to_key):,} words with {options.dim} numbers each")


def _check(options: argparse.Namespace, output: Path) -> None:
    """Raise RunnerError for options that cannot be."""
    for name in ("dim", "epochs", "window", "min_count", "workers"):
        if getattr(options, name) < 1:
            flag = f"--{name.replace('_', '-')}"
            raise RunnerError(f"{flag} is {getattr(options, name)}; it must be at least 1", place="command line")
    if not output.name.lower().removesuffix(".gz").endswith(_SUFFIXES):
        hint = f"End it with {', '.join(_SUFFIXES)} (and .gz)."
        raise RunnerError(f"the name {output.name!r} does not say the format", place="OUT", hint=hint)
    if output.is_dir():
        raise RunnerError("this is a folder", place=str(output), hint="Name a file in it: OUT is one file.")
    if output.exists() and not options.force:
        raise RunnerError("the file exists", place=str(output), hint="Add --force, or give OUT another name.")


def _algorithm(options: argparse.Namespace) -> Any:
    """gensim's class. Raises RunnerError if gensim is not installed."""
    try:
        from gensim.models import FastText, Word2Vec
    except ImportError as error:
        hint = 'Run `pip install "declarative-runner[vectors]"`.'
        raise RunnerError(f"gensim is not installed ({error})", place="vectors train", hint=hint) from None
    return FastText if options.algorithm == "fasttext" else Word2Vec


class Sentences:
    """The words of each text, from a file that `_write_words` has filled, as often as they are asked for."""

    def __init__(self, room: IO[bytes]) -> None:
        self._room = room

    def __iter__(self) -> Iterator[list[str]]:
        self._room.seek(0)
        for line in self._room:
            yield line[:-1].decode("utf8", "surrogatepass").split("\t")


def _write_words(inputs: Sequence[Any], lang: str, room: IO[bytes], left_out: Any) -> tuple[int, int]:
    """Write a line a text, its words between tabs; the numbers of texts and words."""
    from runner.blocks import resolve
    from runner.corpus.text_chunks import read_chunks, units
    from runner.corpus.texts import doc_of
    from runner.languages import DEFAULT_TOKENIZER, in_language
    from runner.progress import moving

    tokenize = resolve(in_language(DEFAULT_TOKENIZER, lang), "tokenizers", "--lang")
    n_texts = n_words = 0
    with moving() as advance:
        for chunk in read_chunks(inputs, left_out, tokenize):
            for unit in units(chunk):
                words = [clean for word in doc_of(unit, tokenize).words if (clean := " ".join(word.split()))]
                if words:
                    room.write("\t".join(words).encode("utf8", "surrogatepass") + b"\n")
                n_texts, n_words = n_texts + 1, n_words + len(words)
            advance(f"{n_texts:,} texts", n_words)
    return n_texts, n_words


def _trained(make: Any, sentences: Sentences, options: argparse.Namespace, n_words: int) -> Any:
    """gensim's table of words and vectors."""
    from gensim.models.callbacks import CallbackAny2Vec

    class Told(CallbackAny2Vec):
        """One line an epoch on stderr."""

        epoch = 0

        def on_epoch_begin(self, model: Any) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, model: Any) -> None:
            self.epoch += 1
            speed = n_words / max(time.perf_counter() - self.began, 1e-9)
            print(f"epoch {self.epoch} of {options.epochs}: {speed:,.0f} words/s", file=sys.stderr, flush=True)

    try:
        model = make(
            sentences, vector_size=options.dim, epochs=options.epochs, window=options.window, sg=1, negative=5,
            min_count=options.min_count, seed=options.seed, workers=options.workers, callbacks=[Told()],
        )  # fmt: skip
    except RuntimeError as error:  # gensim's, where min_count leaves no word
        hint = "Lower --min-count, or give more text."
        raise RunnerError(f"there is nothing to learn from ({error})", place="vectors train", hint=hint) from None
    return model.wv


def _write(vectors: Any, output: Path) -> None:
    """Write all vectors, the most frequent word's first. The same vectors give the same bytes."""
    from runner.files import open_whole

    is_binary = ".bin" in output.name.lower()
    with open_whole(output) as whole:
        file: Any = whole
        if output.name.lower().endswith(".gz"):
            file = gzip.GzipFile(filename="", mode="wb", fileobj=whole, mtime=0)
        file.write(f"{len(vectors.index_to_key)} {vectors.vector_size}\n".encode())
        for word, vector in zip(vectors.index_to_key, vectors.vectors, strict=True):
            name = word.encode("utf8", "surrogatepass")
            if is_binary:
                file.write(name + b" " + vector.astype("<f4").tobytes() + b"\n")
            else:
                file.write(name + b" " + " ".join(f"{value:.5g}" for value in vector.tolist()).encode() + b"\n")
        if file is not whole:
            file.close()
