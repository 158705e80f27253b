"""Read and write corpora from Python, in every format that training reads and `convert` writes.

    train = runner.read_corpus("train.conllu")
    nlp.initialize(train)
    runner.write_corpus("train.spacy", train)

What a format or a Doc cannot hold is left out, and a warning counts it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from runner import registry
from runner.blocks import resolve
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.locate import locate
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.tokenizer import syntok
from runner.corpus.writers.output import FORMAT_OF, format_of_name, open_output, write_piece
from runner.errors import RunnerError, suggest


class MakesDocs(Protocol):
    """A pipeline, whose tokenizer is used."""

    def make_doc(self, text: str) -> Doc: ...


def read_corpus(
    path: str | Path | Sequence[str | Path] | Mapping[str, Any],
    *,
    nlp: MakesDocs | None = None,
    gold_tokens: bool = True,
    limit: int | None = None,
    format: str = "auto",
    **options: Any,
) -> list[Example]:
    """The examples of a file, or of several, in order; `example.reference` is the annotated Doc.

    path: a file (also packed: `.gz`, `films.zip/*.txt`), a list of files, or a mapping as in conf/corpus: {"url", "sha256"}.
    nlp: the pipeline whose tokenizer makes words of raw text; None: the default tokenizer. gold_tokens: whether
    `example.predicted` has the file's words; False: those that the tokenizer makes of the text, as at prediction.
    limit: read so many docs of each file at most. format: a reader; "auto": by name and content. options: of the reader, as
    under corpus.reader: label="stars", scheme="iob1", n_sents=10.
    Warns of what was left out or guessed. Raises RunnerError, with file and line, if a file is missing or at fault.
    """
    if path is None:
        raise RunnerError(
            "there is no path to read", place="read_corpus", hint="Give a file: runner.read_corpus(FILE)."
        )
    tokenizer = syntok() if nlp is None else _tokenizer_of(nlp)
    left_out = LeftOut()
    place = "read_corpus"
    try:
        reader = resolve({"type": format, **options}, "readers", place)
        read = bind(reader, tokenizer, left_out)
        docs = list(chain.from_iterable(islice(read(file), limit) for file in locate(path, place)))
    except RunnerError as error:
        raise type(error)(error.fact, place=error.place, hint=_as_arguments(error.hint or "") or None) from None
    _warn(str(path), left_out)
    if gold_tokens:
        return [Example.from_doc(doc) for doc in docs]
    return [Example(Doc.tokenized(doc.text, tokenizer(doc.text)), doc) for doc in docs]


def write_corpus(path: str | Path, docs: Iterable[Doc | Example], *, format: str | None = None) -> None:
    """Write a file of annotated docs, or of the references of examples; the file appears whole or not at all.

    path: its suffix says the format: .jsonl (which holds everything), .conllu, .iob, .csv (texts and categories), .spacy
    (extra `spacy`); `.gz` may follow. format: a writer's name, in place of the suffix.
    Warns of what the format cannot hold. Raises RunnerError if there is no doc, or a doc cannot be written.
    """
    path = Path(path)
    known = registry.writers.names()
    name = format if format is not None else format_of_name(path.name)
    if name is None:
        hint = f"End it with {', '.join(FORMAT_OF)} (and .gz), or give format: {', '.join(known)}."
        raise RunnerError(f"the name {path.name!r} does not say the format", place="write_corpus", hint=hint)
    if name not in known:
        raise RunnerError(f"unknown format {name!r}; {suggest(name, known)}", place="write_corpus")
    left_out = LeftOut()
    references = [_reference(item) for item in ([docs] if isinstance(docs, Doc | Example) else docs)]
    if not references:
        raise RunnerError("there is no doc to write", place=str(path), hint="Give at least one.")
    with open_output(path) as stream:
        for piece in registry.writers.get(name)()(references, left_out):
            write_piece(stream, piece)
    _warn(str(path), left_out)


def _reference(item: Any) -> Doc:
    if isinstance(item, Example):
        return item.reference
    if not isinstance(item, Doc):
        hint = "Give Docs or Examples; nlp(text) and Example.from_dict(nlp.make_doc(text), annotations) make them."
        raise RunnerError(f"cannot write a {type(item).__name__}", place="write_corpus", hint=hint)
    return item


def _tokenizer_of(nlp: MakesDocs) -> Any:
    def tokenize(text: str) -> tuple[list[str], list[bool]]:
        doc = nlp.make_doc(text)
        return doc.words, doc.spaces

    return tokenize


def _warn(path: str, left_out: LeftOut) -> None:
    lines = [
        *map(_as_arguments, left_out.lines()),
        *(f"left out: {n:,} {what}" for what, n in sorted(left_out.items()) if n),
    ]
    if lines:
        warnings.warn("\n  ".join([f"{path}:", *lines]), stacklevel=3)


def _as_arguments(hint: str) -> str:
    """A reader's hint with arguments of read_corpus in place of config keys.

    >>> _as_arguments("Read it with corpus.reader.scheme=iob1, or \\"corpus.reader.delimiter=';'\\".")
    'Read it with scheme="iob1", or delimiter=\\';\\'.'
    >>> _as_arguments("Name them all in corpus.reader.names.")
    'Name them all in names.'
    """
    hint = re.sub(r"\"corpus\.reader\.(\w+)=('[^']*')\"", r"\1=\2", hint)
    hint = re.sub(r"corpus\.reader\.type=(\w+)", r'format="\1"', hint)
    hint = re.sub(r"corpus\.reader\.(\w+)=true\b", r"\1=True", hint)
    hint = re.sub(r"corpus\.reader\.(\w+)=(\d+)\b", r"\1=\2", hint)
    hint = re.sub(r"corpus\.reader\.(\w+)=([A-Za-z_]\w*)", r'\1="\2"', hint)
    return re.sub(r"corpus\.reader\.(\w+)", r"\1", hint)
