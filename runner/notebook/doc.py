"""A doc and a span as a notebook shows them: entities marked in the text, trees as arcs, tags below words, categories as bars.

    doc_html(doc)         what doc._repr_html_() returns

Long docs are cut, with a note that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from runner.notebook.html import MONO, framed, note, plain
from runner.notebook.text import Marked, running, tagged
from runner.notebook.tree import Arc, tree

MOST_WORDS = 600  # of the running text
_MOST_CHARS = 6_000  # of the same
_MOST_TREES = 3  # sentences
_LONGEST_TREE = 60  # words of a sentence
_MOST_CATS = 20
_CONTEXT = 15  # words on either side of a span


class SpanLike(Protocol):
    start: int
    end: int
    label: str
    confidence: float | None

    @property
    def start_char(self) -> int: ...
    @property
    def end_char(self) -> int: ...


class DocLike(Protocol):
    """What is read of a doc, see corpus/doc.py."""

    words: list[str]
    tags: list[str | None] | None
    pos: list[str | None] | None
    heads: list[int | None] | None
    deps: list[str | None] | None
    cats: dict[str, float] | None

    @property
    def text(self) -> str: ...
    @property
    def offsets(self) -> list[int]: ...
    @property
    def ents(self) -> Sequence[SpanLike]: ...
    @property
    def sents(self) -> Sequence[SpanLike]: ...


def doc_html(doc: DocLike) -> str:
    """All annotations of the doc."""
    n = min(len(doc.words), MOST_WORDS)
    end = _end_of(doc, n) if n < len(doc.words) else len(doc.text)
    end = min(end, _MOST_CHARS)
    parts = [running(doc.text, map(_marked, doc.ents), 0, end)]
    if end < len(doc.text):
        parts.append(note(f"cut after {end:,} of {len(doc.text):,} characters"))
    tags = doc.tags if doc.tags is not None else doc.pos
    if doc.heads is not None and doc.words:
        parts += _trees(doc, tags)
    elif tags is not None and doc.words:
        parts.append(tagged(doc.words[:_LONGEST_TREE], tags[:_LONGEST_TREE]))
        if len(doc.words) > _LONGEST_TREE:
            parts.append(note(f"the tags of {_LONGEST_TREE:,} of {len(doc.words):,} words"))
    if doc.cats:
        parts.append(_bars(doc.cats))
    return framed(parts)


def span_html(doc: DocLike, span: SpanLike) -> str:
    """The span, marked in the words around it."""
    low, high = max(0, span.start - _CONTEXT), min(len(doc.words), span.end + _CONTEXT)
    start = doc.offsets[low] if low else 0
    end = _end_of(doc, high) if high < len(doc.words) else len(doc.text)
    marked = [_marked(span)] if span.end > span.start else []
    return framed([running(doc.text, marked, start, min(end, start + _MOST_CHARS))])


def _marked(span: SpanLike) -> Marked:
    return Marked(span.start_char, span.end_char, span.label, span.confidence)


def _end_of(doc: DocLike, n: int) -> int:
    """Where the first n words end, in characters."""
    return doc.offsets[n - 1] + len(doc.words[n - 1]) if n else 0


def _trees(doc: DocLike, tags: Sequence[str | None] | None) -> Iterator[str]:
    """The trees of the first sentences."""
    sents = doc.sents
    for sent in islice(sents, _MOST_TREES):
        end = min(sent.end, sent.start + _LONGEST_TREE)
        inside = range(sent.start, end)
        assert doc.heads is not None
        arcs = [
            Arc(head - sent.start, i - sent.start, (doc.deps[i] if doc.deps is not None else None) or "")
            for i in inside
            if (head := doc.heads[i]) is not None and head in inside
        ]
        yield tree([doc.words[i] for i in inside], arcs, [tags[i] for i in inside] if tags is not None else None)
        if end < sent.end:
            yield note(f"the first {_LONGEST_TREE} of {sent.end - sent.start:,} words of this sentence")
    if len(sents) > _MOST_TREES:
        yield note(f"the trees of {_MOST_TREES} of {len(sents):,} sentences")


def _bars(cats: Mapping[str, float]) -> str:
    """Categories and their probabilities, the most probable first."""
    rows = []
    for label, share in sorted(cats.items(), key=lambda item: -item[1])[:_MOST_CATS]:
        fill = f"width:{100 * min(1.0, max(0.0, share)):.1f}%;height:.8em;border-radius:.2em;background:rgba(86,180,233,.8)"
        track = "display:inline-block;width:12em;border-radius:.2em;background:rgba(128,128,128,.25)"
        rows.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:inherit;padding:0 .8em 0 0;{MONO}">{plain(label)}</th>'
            f'<td><div style="{track}" aria-hidden="true"><div style="{fill}"></div></div></td>'
            f'<td style="text-align:right;padding:0 0 0 .8em">{100 * share:.1f} %</td></tr>'
        )
    table = f'<table style="margin-top:.5em;border-collapse:collapse"><tbody>{"".join(rows)}</tbody></table>'
    more = len(cats) - _MOST_CATS
    return table + (note(f"{more:,} less probable categories are left out") if more > 0 else "")
