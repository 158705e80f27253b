"""Write token files: one word a line, then its tag if there are tags, then its entity in IOB2.

    Madrid  NNP  B-LOC
    sleeps  VBZ  O

Columns are parted by tabs; a blank line ends a sentence. `Doc.tags` is the second column, and the further columns that
readers/iob.py found (`Doc.meta["columns"]`) follow it; `_` stands for a missing value; all docs get the same columns.
`-` stands for an unknown entity; every word of a doc without entity annotations has `-`.
-DOCSTART- stands where the source file had -DOCSTART- or CoNLL-U's `# newdoc`.

Trees, universal tags, categories, the spaces between words and everything else are left out, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.corpus.annotations import UNALIGNED
from runner.corpus.biluo import UNKNOWN
from runner.corpus.doc import Doc
from runner.corpus.readers.conllu import NEWDOC
from runner.corpus.readers.iob import COLUMNS, DOCSTART, OPENS_DOCUMENT
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.writer import Writer, count_lost, count_unaligned, plain_words
from runner.errors import RunnerError
from runner.registry import writers

_breaks_line = re.compile(r"[\t\r\n]|^ | $")


@writers("iob")
def iob() -> Writer:
    """A writer of token files. All docs are held in memory, since the first line must know how many columns there are."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[str]:
        held = [plain_words(doc, "IOB", left_out) for doc in docs]
        n_more = max((len(_more_columns(doc)) for doc in held), default=0)
        has_tags = n_more > 0 or any(doc.tags is not None for doc in held)
        if held and held[0].words[0].startswith("\ufeff"):
            yield "\ufeff"  # readers drop the first BOM
        gap = ""
        for doc in held:
            _count(doc, left_out)
            rows = _rows(doc, n_more, has_tags=has_tags)
            if _opens_document(doc):
                yield gap + "\t".join([DOCSTART, *["-X-"] * (has_tags + n_more), "O"]) + "\n"
                gap = "\n"
            for sentence in doc.sents:
                yield gap + "\n".join(rows[sentence.start : sentence.end]) + "\n"
                gap = "\n"

    return write


def _rows(doc: Doc, n_more: int, *, has_tags: bool) -> list[str]:
    """One line a word. Raises RunnerError at the doc's source if a value would break the line."""
    n = len(doc)
    between = [_filled(doc.tags, n)] if has_tags else []
    between += [_filled(values, n) for values in _more_columns(doc)]
    between += [["_"] * n] * (n_more + has_tags - len(between))
    columns = [*between, iob2_tags(doc)]
    wrong = [value for column in columns for value in column if _breaks_line.search(value)] + [
        word for word in doc.words if word == DOCSTART
    ]
    if wrong:
        raise RunnerError(
            f"{wrong[0][:40]!r} cannot be written as IOB",
            place=doc.source,
            hint="A tag there holds no tab or line's end, and no blank at its edges; --to jsonl can hold it.",
        )
    return list(map("\t".join, zip(doc.words, *columns, strict=True)))


def _opens_document(doc: Doc) -> bool:
    """Whether the doc began a document in its source file, by -DOCSTART- or by CoNLL-U's newdoc."""
    comments = doc.meta.get("comments")
    first = comments[0] if isinstance(comments, list) and comments and isinstance(comments[0], list) else ()
    return bool(doc.meta.get(OPENS_DOCUMENT)) or any(isinstance(line, str) and NEWDOC.match(line) for line in first)


def _more_columns(doc: Doc) -> list[list[str | None]]:
    """The columns between tag and entity that the iob reader kept; empty if meta holds other data by that name."""
    columns = doc.meta.get(COLUMNS)
    is_fit = isinstance(columns, list) and all(
        isinstance(column, list) and len(column) == len(doc) and set(map(type, column)) <= {str, type(None)}
        for column in columns
    )
    return columns if columns is not None and is_fit else []


def iob2_tags(doc: Doc) -> list[str]:
    """One tag a word. An entity that crosses a sentence's end becomes two: no entity can cross a blank line.

    >>> iob2_tags(Doc(["New", "York", "sleeps"], ents=[(0, 2, "LOC")], unknown_ents=[(2, 3)]))
    ['B-LOC', 'I-LOC', '-']
    """
    tags = ["O" if doc.has_ents else UNKNOWN] * len(doc)
    for start, end in doc.unknown_ents:
        tags[start:end] = [UNKNOWN] * (end - start)
    starts = doc.sent_starts
    for ent in doc.ents:
        for i in range(ent.start, ent.end):
            is_first = i == ent.start or (starts is not None and starts[i])
            tags[i] = ("B-" if is_first else "I-") + ent.label
    return tags


def _filled(values: list[str | None] | None, n: int) -> list[str]:
    return [value or "_" for value in values] if values is not None else ["_"] * n


def _count(doc: Doc, left_out: LeftOut) -> None:
    """Tally the annotations of the doc that are not written."""
    count_unaligned(doc, left_out)
    count_lost(doc, "IOB", left_out, "pos", "heads", "labels", "categories")
    n_joined = doc.spaces[:-1].count(False)
    if n_joined:
        left_out["words with no space after them (IOB puts one after every word)"] += n_joined
    for key, value in doc.meta.items():
        if key in (OPENS_DOCUMENT, UNALIGNED) or (key == COLUMNS and _more_columns(doc)):
            continue
        if isinstance(value, list):
            n = sum(bool(one) and one != "_" for one in value)
        else:
            n = value is not None
        if n:
            left_out[f"{key} (IOB has no place for it)"] += n
