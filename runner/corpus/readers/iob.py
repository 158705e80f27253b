"""Read token files: one token a line, its entity tag last, a blank line between sentences.

    Madrid  NNP  B-LOC
    sleeps  VBZ  O

Two columns or more (CoNLL 2002 has three, CoNLL 2003 four), the same number in the whole file, parted by tabs where a
line has one and by spaces (U+0020) elsewhere, so that tokens may be emoji, lone combining characters or hold any other
white space. The first of the columns between token and tag becomes `Doc.tags` (`_` is None there), further ones, such
as CoNLL 2003's chunks, `Doc.meta["columns"]`: a list of values a column. Lines whose token is -DOCSTART- end a
document; the doc that follows one has `Doc.meta["opens_document"]`.

Tags are IOB1, IOB2 or BILUO, and `-` where nobody knows; a doc of nothing but `-` was not annotated. `auto` looks at the
whole file before it decides (biluo.detect_scheme), so that one wrong tag is an error and no change of scheme. Texts are
the tokens joined by single spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runner.corpus.biluo import UNKNOWN, TagError, detect_scheme, iob_to_spans, unknown_ranges
from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import Reader
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

DOCSTART = "-DOCSTART-"
COLUMNS = "columns"  # keys in Doc.meta
OPENS_DOCUMENT = "opens_document"


@dataclass
class Sentence:
    line: int  # of its first token
    opens_document: bool = False
    words: list[str] = field(default_factory=list)
    between: list[list[str]] = field(default_factory=list)  # the columns between word and tag, of each word
    tags: list[str] = field(default_factory=list)


@readers("iob")
def iob(scheme: Literal["auto", "iob1", "iob2", "biluo"] = "auto", n_sents: int = 1) -> Reader:
    """A reader of token files.

    scheme: how the tags are written. n_sents: sentences a doc, at most; a document's end ends a doc too.
    """
    if n_sents < 1:
        raise RunnerError(
            f"n_sents is {n_sents}", place="corpus.reader.n_sents", hint="Give 1 or more sentences a doc."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        """The docs of one file; they have words already, so the tokenizer is not needed."""
        sentences = read_sentences(path)
        found = detect_scheme(sentence.tags for sentence in sentences) if scheme == "auto" else scheme
        group: list[Sentence] = []
        for sentence in sentences:
            if group and (len(group) == n_sents or sentence.opens_document):
                yield make_doc(group, found, path)
                group = []
            group.append(sentence)
        yield make_doc(group, found, path)

    return read


def read_sentences(path: Path) -> list[Sentence]:
    """The file's sentences, tags not yet checked. Raises RunnerError at file:line, also where there are none."""
    sentences: list[Sentence] = []
    is_inside = opens_document = False
    n_columns = 0
    for number, line in read_lines(path):
        if "\t" in line:
            columns = [column.strip(" \r") for column in line.split("\t")]
        else:
            columns = [column for column in line.rstrip("\r").split(" ") if column]
        if not any(columns):
            is_inside = False
            continue
        if columns[0] == DOCSTART:
            is_inside, opens_document = False, True
            continue
        if len(columns) != n_columns:
            if n_columns or len(columns) < 2:
                raise _wrong_columns(columns, n_columns, path, number, sentences)
            n_columns = len(columns)
        if not columns[0] or not columns[-1]:
            raise RunnerError(
                "the token is empty" if not columns[0] else "the tag is empty",
                place=f"{path}:{number}",
                hint="Give a token first and its tag last; a sentence ends with a blank line.",
            )
        if not is_inside:
            sentences.append(Sentence(number, opens_document))
            is_inside, opens_document = True, False
        sentence = sentences[-1]
        sentence.words.append(columns[0])
        sentence.tags.append(columns[-1])
        if n_columns > 2:
            sentence.between.append(columns[1:-1])
    if not sentences:
        raise no_examples(path)
    return sentences


def make_doc(sentences: list[Sentence], scheme: str, path: Path) -> Doc:
    """One doc of these sentences. Raises RunnerError at file:line on an illegal tag."""
    words: list[str] = []
    between: list[list[str]] = []
    ents: list[tuple[int, int, str]] = []
    unknown: list[tuple[int, int]] = []
    sent_starts: list[bool | None] = []
    for sentence in sentences:
        n = len(words)
        try:
            spans = iob_to_spans(sentence.tags, scheme)
        except TagError as error:
            raise error.at(f"{path}:{sentence.line + error.index}") from None
        ents.extend((n + start, n + end, label) for start, end, label in spans)
        unknown.extend((n + start, n + end) for start, end in unknown_ranges(sentence.tags))
        words.extend(sentence.words)
        between.extend(sentence.between)
        sent_starts.extend([True] + [False] * (len(sentence.words) - 1))
    columns = [list(column) for column in zip(*between, strict=True)]
    tags = columns[0] if columns else []
    meta: dict[str, Any] = {COLUMNS: columns[1:]} if len(columns) > 1 else {}
    is_annotated = any(tag != UNKNOWN for sentence in sentences for tag in sentence.tags)
    if sentences[0].opens_document:
        meta[OPENS_DOCUMENT] = True
    return Doc(
        words,
        ents=ents if is_annotated else None,
        unknown_ents=unknown if is_annotated else (),
        tags=[tag if tag != "_" else None for tag in tags] if tags.count("_") < len(tags) else None,
        sent_starts=sent_starts,
        meta=meta,
        source=f"{path}:{sentences[0].line}",
    )


def _wrong_columns(
    columns: list[str], n_columns: int, path: Path, number: int, sentences: list[Sentence]
) -> RunnerError:
    found = f"{len(columns)} column{'s' if len(columns) != 1 else ''}"
    if n_columns:
        fact = f"{found} where line {sentences[0].line} has {n_columns}"
        hint = "Give every line the same columns, token first and tag last; tabs where tokens hold spaces."
    else:
        fact, hint = f"{found} (expected 2 or more)", "Give a token first and its tag last, parted by tabs or spaces."
    return RunnerError(fact, place=f"{path}:{number}", hint=hint)
