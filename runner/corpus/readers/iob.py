"""Read token files: one token a line, its entity tag last, a blank line between sentences.

    Madrid  NNP  B-LOC
    sleeps  VBZ  O

Two columns or more (CoNLL 2002 has three, CoNLL 2003 four), the same number in the whole file, parted by tabs where a
line has one and by spaces (U+0020) elsewhere, so that tokens may be emoji, lone combining characters or hold any other
white space. The first of the columns between token and tag becomes `Doc.tags` (`_` is None there), further ones, such
as CoNLL 2003's chunks, `Doc.meta["columns"]`: a list of values a column. Lines whose token is -DOCSTART- end a
document; the doc that follows one has `Doc.meta["opens_document"]`.

Lines that begin with # where a sentence begins and that look like no token (other columns, or no tag) are comments:
`Doc.meta["comments"]`, a list of lines a sentence.

Tags are IOB1, IOB2, BILUO, IOBES, BMEWO or BMES, and `-` where nobody knows; a doc of nothing but `-` was not annotated.
`auto` looks at the whole file before it decides (biluo.detect_scheme). It reads an I- that continues nothing as a B-, as
the field's scorers do, and counts it; the named schemes refuse it. Texts are the tokens joined by single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
}  # what a file that looks like the scheme is told
_TAG = re.compile(r"[A-Z]-.+")


@dataclass
class Sentence:
    line: int  # of its first token
    opens_document: bool = False
    comments: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    between: list[list[str]] = field(default_factory=list)  # the columns between word and tag, of each word
    tags: list[str] = field(default_factory=list)


@readers("iob")
def iob(scheme: Scheme = "auto", n_sents: int = 1) -> Reader:
    """A reader of token files.

    scheme: how the tags are written. n_sents: sentences a doc, at most; a document's end ends a doc too.
    """
    if n_sents < 1:
        raise RunnerError(
            f"n_sents is {n_sents}", place="corpus.reader.n_sents", hint="Give 1 or more sentences a doc."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file; they have words already, so the tokenizer is not needed."""
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
    """Spans in the scheme that the file looks like. What is read on that guess is remarked."""
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
    """The file's sentences, tags not yet checked. Raises RunnerError at file:line, also where there are none."""
    sentences: list[Sentence] = []
    comments: list[str] = []  # of the sentence to come
    is_inside = opens_document = False
    n_columns = n_due = 0
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
        if not is_inside and line[0] == "#":
            n_due = n_due or _n_columns(path)
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
    if not sentences:
        raise no_examples(path)
    return sentences


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return [column.strip(" \r") for column in line.split("\t")]
    return [column for column in line.rstrip("\r").split(" ") if column]


def _n_columns(path: Path) -> int:
    """Count the columns of the first line without #; if all lines begin with #, of the first line that ends in a tag."""
    n = 0
    for _, line in read_lines(path):
        columns = _columns(line)
        if any(columns) and columns[0] != DOCSTART:
            if line[0] != "#":
                return len(columns)
            n = n or (len(columns) if _is_tag(columns[-1]) else 0)
    return n


def _is_comment(line: str, columns: list[str], n_columns: int) -> bool:
    """Whether a line with # is a comment: its column count differs, or it opens with `# ` and ends in no tag."""
    if len(columns) != n_columns:
        return n_columns > 0
    return line[1:2] in ("", " ", "\t") and not _is_tag(columns[-1])


def _is_tag(column: str) -> bool:
    return column in ("O", UNKNOWN) or bool(_TAG.fullmatch(column))


def make_doc(sentences: list[Sentence], to_spans: ToSpans, path: Path) -> Doc:
    """One doc of these sentences. Raises RunnerError at file:line on an illegal tag."""
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
        fact = f"{count} where line {sentences[0].line} has {n_columns}"
        if columns[0][:1] == "#":
            fact += ", and # is taken for a token: a comment stands before a sentence, after a blank line"
        hint = "Give every line the same columns, token first and tag last; tabs where tokens hold spaces."
    else:
        fact, hint = f"{count} (expected 2 or more)", "Give a token first and its tag last, parted by tabs or spaces."
    return RunnerError(fact, place=f"{path}:{number}", hint=hint)
