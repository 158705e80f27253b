"""Read token files: one token a line, its entity tag last, a blank line between sentences.

    Madrid  NNP  B-LOC
    sleeps  VBZ  O

All lines have the same number of columns, two or more (CoNLL 2002: three, CoNLL 2003: four). Tabs part the columns of a
line with a tab; spaces (U+0020) part the columns of other lines. Tokens may hold any other white space. The first
column between token and tag becomes `Doc.tags` (`_` becomes None). Further columns, such as CoNLL 2003's chunks, go to
`Doc.meta["columns"]`: a list of values a column. A line with the token -DOCSTART- ends a document; the next doc has
`Doc.meta["opens_document"]`.

A line that begins with # before a sentence is a comment if the line has another column count, or `# ` and no tag.
`Doc.meta["comments"]` holds a list of comments a sentence.

Tags are IOB1, IOB2, BILUO, IOBES, BMEWO or BMES; `-` is an unknown tag. A doc with no tag but `-` is not annotated.
`auto` guesses the scheme from the whole file (biluo.detect_scheme). In IOB2, `auto` reads an I- that continues no entity
as B-, and counts each such I-; `iob2` raises an error. Texts are the tokens joined by single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runner.corpus.biluo import (
    UNKNOWN,
    WHOLE,
    Span,
    TagError,
    detect_scheme,
    iob_to_spans,
    lenient_spans,
    unknown_ranges,
)
from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.reader import LeftOut, Reader, Remark, Remarks
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

DOCSTART = "-DOCSTART-"
COLUMNS = "columns"  # keys in Doc.meta
OPENS_DOCUMENT = "opens_document"
COMMENTS = "comments"
Scheme = Literal["auto", "iob1", "iob2", "biluo", "iobes", "bmewo", "bmes"]

_OPENING_I = Remark("entity opens with I-, read as B-", "entities open with I-, read as B-")
_COMMENT = Remark("line that begins with # is read as a comment", "lines that begin with # are read as comments")
_LOOK = {
    "iob1": Remark("the tags are read as IOB1, where I- opens an entity too"),
    "iobes": Remark("the tags are read as IOBES (S = U, E = L in BILUO)"),
    "bmewo": Remark("the tags are read as BMEWO (M = I, E = L, W = U in BILUO)"),
    "bmes": Remark("the tags are read as BMES (M = I, E = L, S = U in BILUO)"),
}  # scheme → the remark on a file in this scheme
_TAG = re.compile(r"[A-Z]-.+")


@dataclass
class Sentence:
    line: int  # of the first token
    opens_document: bool = False
    comments: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    between: list[list[str]] = field(default_factory=list)  # each word's columns between word and tag
    tags: list[str] = field(default_factory=list)


@readers("iob")
def iob(scheme: Scheme = "auto", n_sents: int = 1) -> Reader:
    """A reader of token files.

    scheme: the scheme of the tags. n_sents: sentences a doc, at most; a document's end ends a doc too.
    """
    if n_sents < 1:
        raise RunnerError(
            f"n_sents is {n_sents}", place="corpus.reader.n_sents", hint="Give 1 or more sentences a doc."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """Yield the docs of one file. Token files have words; the tokenizer is not used."""
        remarks = (left_out if left_out is not None else LeftOut()).opened(path)
        sentences = read_sentences(path, remarks)
        if scheme == "auto":
            detected = detect_scheme(sentence.tags for sentence in sentences)
            to_spans = _by_look(detected, path, remarks)
        else:
            to_spans = _as_told(scheme, path)
        group: list[Sentence] = []
        for sentence in sentences:
            if group and (len(group) == n_sents or sentence.opens_document):
                yield make_doc(group, to_spans, path)
                group = []
            group.append(sentence)
        yield make_doc(group, to_spans, path)

    return read


ToSpans = Callable[[Sentence], list[Span]]


def _as_told(scheme: str, path: Path) -> ToSpans:
    def to_spans(sentence: Sentence) -> list[Span]:
        try:
            return iob_to_spans(sentence.tags, scheme)
        except TagError as error:
            raise error.at(f"{path}:{sentence.line + error.index}") from None

    return to_spans


def _by_look(scheme: str, path: Path, remarks: Remarks) -> ToSpans:
    """A function that reads spans in the guessed scheme. `remarks` gets notes on the guess."""
    if scheme in _LOOK:
        remarks.add(_LOOK[scheme])
    if scheme in WHOLE:
        told = _as_told(scheme, path)

        def whole_spans(sentence: Sentence) -> list[Span]:
            try:
                return told(sentence)
            except TagError as error:
                guess = f"The file looks like {scheme.upper()}; if it is another: corpus.reader.scheme=iob2"
                raise RunnerError(error.fact, place=error.place, hint=f"{error.hint} {guess}") from None

        return whole_spans

    def to_spans(sentence: Sentence) -> list[Span]:
        try:
            spans, opened = lenient_spans(sentence.tags)
        except TagError as error:
            raise error.at(f"{path}:{sentence.line + error.index}") from None
        if opened and scheme == "iob2":
            remarks.add(_OPENING_I, f"{path}:{sentence.line + opened[0]}", len(opened))
        return spans

    return to_spans


def read_sentences(path: Path, remarks: Remarks) -> list[Sentence]:
    """The file's sentences; tags are not checked. Raises RunnerError at file:line, or if there are no sentences."""
    sentences = parse_sentences(read_lines(path), path, remarks)
    if not sentences:
        raise no_examples(path)
    return sentences


def parse_sentences(
    numbered: Iterable[tuple[int, str]], path: Path, remarks: Remarks, n_columns: int = 0
) -> list[Sentence]:
    """The sentences of (number, line) of the file. n_columns: of the file; 0: the first sentence and the file tell."""
    sentences: list[Sentence] = []
    comments: list[str] = []  # of the next sentence
    is_inside = opens_document = False
    n_due = n_columns
    for number, line in numbered:
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
        if not is_inside and line[0] == "#":
            n_due = n_due or column_count(line for _, line in read_lines(path))
            if _is_comment(line, columns, n_due):
                comments.append(line.rstrip("\r"))
                remarks.add(_COMMENT, f"{path}:{number}")
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
            sentences.append(Sentence(number, opens_document, comments))
            is_inside, opens_document, comments = True, False, []
        sentence = sentences[-1]
        sentence.words.append(columns[0])
        sentence.tags.append(columns[-1])
        if n_columns > 2:
            sentence.between.append(columns[1:-1])
    return sentences


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return [column.strip(" \r") for column in line.split("\t")]
    return [column for column in line.rstrip("\r").split(" ") if column]


def column_count(lines: Iterable[str]) -> int:
    """The column count of the first line without #; of the first line that ends in a tag if all lines begin with #."""
    n = 0
    for line in lines:
        columns = _columns(line)
        if any(columns) and columns[0] != DOCSTART:
            if line[0] != "#":
                return len(columns)
            n = n or (len(columns) if _is_tag(columns[-1]) else 0)
    return n


def _is_comment(line: str, columns: list[str], n_columns: int) -> bool:
    """Whether a line with # is a comment: the column count differs, or the line opens with `# ` and has no tag."""
    if len(columns) != n_columns:
        return n_columns > 0
    return line[1:2] in ("", " ", "\t") and not _is_tag(columns[-1])


def _is_tag(column: str) -> bool:
    return column in ("O", UNKNOWN) or bool(_TAG.fullmatch(column))


def make_doc(sentences: list[Sentence], to_spans: ToSpans, path: Path) -> Doc:
    """One doc of the sentences. Raises RunnerError at file:line of an illegal tag."""
    words: list[str] = []
    between: list[list[str]] = []
    ents: list[tuple[int, int, str]] = []
    unknown: list[tuple[int, int]] = []
    sent_starts: list[bool | None] = []
    for sentence in sentences:
        n = len(words)
        ents.extend((n + start, n + end, label) for start, end, label in to_spans(sentence))
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
    if any(sentence.comments for sentence in sentences):
        meta[COMMENTS] = [sentence.comments for sentence in sentences]
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
    count = f"{len(columns)} column{'s' if len(columns) != 1 else ''}"
    if n_columns:
        fact = f"{count} where {f'line {sentences[0].line}' if sentences else 'the first line'} has {n_columns}"
        if columns[0][:1] == "#":
            fact += ", and # is taken for a token: a comment stands before a sentence, after a blank line"
        hint = "Give every line the same columns, token first and tag last; tabs where tokens hold spaces."
    else:
        fact, hint = f"{count} (expected 2 or more)", "Give a token first and its tag last, parted by tabs or spaces."
    return RunnerError(fact, place=f"{path}:{number}", hint=hint)
