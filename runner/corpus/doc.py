"""`Doc`: a text, its words and its annotations. `Span` and `Token` are views of a doc.

An annotation that is None is missing (its loss is skipped); an empty one says that there is nothing.
Tokens are counted from 0; spans end before `end`. Characters are code points.

The text is kept as given, with leading blanks, line breaks and runs of white space; all offsets count in it. Most texts are
their words with one blank or nothing between them; only other texts are stored (`Doc.raw`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Any

from runner.corpus.alignment import respelt, word_edges
from runner.corpus.token_layers import Confidence, TokenLayers, of_tokens
from runner.errors import RunnerError
from runner.spacy_names import ExplainsNames

_start = attrgetter("start")


class Span(ExplainsNames):
    """Tokens `start` to `end` (exclusive) of a doc, with a label. confidence: see token_layers.py."""

    __slots__ = ("confidence", "doc", "end", "label", "start")
    _kind = "span"

    def __init__(self, doc: Doc, start: int, end: int, label: str = "") -> None:
        self.doc = doc
        self.start = start
        self.end = end
        self.label = label
        self.confidence: float | None = None

    @property
    def label_(self) -> str:
        return self.label

    @property
    def start_char(self) -> int:
        return self.doc.offsets[self.start]

    @property
    def end_char(self) -> int:
        return self.doc.offsets[self.end - 1] + len(self.doc.words[self.end - 1])

    @property
    def text(self) -> str:
        return self.doc.text[self.start_char : self.end_char]

    def as_tuple(self) -> tuple[int, int, str]:
        """(start, end, label), in tokens."""
        return self.start, self.end, self.label

    def __iter__(self) -> Iterator[Token]:
        return (Token(self.doc, i) for i in range(self.start, self.end))

    def __len__(self) -> int:
        return self.end - self.start

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self.doc is other.doc and self.as_tuple() == other.as_tuple()

    def __hash__(self) -> int:
        return hash((id(self.doc), self.as_tuple()))

    def __repr__(self) -> str:
        return self.text


class Token(TokenLayers, ExplainsNames):
    """Token `i` of a doc."""

    __slots__ = ("doc", "i")
    _kind = "token"
    doc: Doc

    def __init__(self, doc: Doc, i: int) -> None:
        self.doc = doc
        self.i = i

    @property
    def text(self) -> str:
        return self.doc.words[self.i]

    @property
    def idx(self) -> int:
        """Offset of the first character."""
        return self.doc.offsets[self.i]

    @property
    def whitespace_(self) -> str:
        """The white space between this token and the next, as in the text."""
        if self.doc.raw is None:
            return " " if self.doc.spaces[self.i] else ""
        offsets, end = self.doc.offsets, self.idx + len(self.text)
        return self.doc.raw[end : offsets[self.i + 1] if self.i + 1 < len(offsets) else None]

    @property
    def text_with_ws(self) -> str:
        return self.text + self.whitespace_

    @property
    def head(self) -> Token:
        """The head; a root is its own head, as is a token without annotation."""
        head = self.doc.heads[self.i] if self.doc.heads is not None else None
        return self if head is None else Token(self.doc, head)

    @property
    def ent_type_(self) -> str:
        ents = self.doc.ents
        before = bisect_right(ents, self.i, key=_start) - 1  # entities are in order
        return ents[before].label if before >= 0 and self.i < ents[before].end else ""

    def __len__(self) -> int:
        return len(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self.doc is other.doc and self.i == other.i

    def __hash__(self) -> int:
        return hash((id(self.doc), self.i))

    def __repr__(self) -> str:
        return self.text


class Doc(ExplainsNames):
    """A tokenized text with optional annotations.

    words: the tokens, none empty. spaces: whether white space follows each token (default: after every token but the
    last). text: the words with any white space around them (default: the words joined as `spaces` says); it overrides
    `spaces`. A word that itself holds white space keeps its spelling even if the text spells it otherwise.
    raw: the text, if it was given and words and spaces may not spell it; else None.
    ents: (start, end, label) in tokens, in order, not overlapping; None if entities are not annotated.
    unknown_ents: (start, end) token ranges whose entities are unknown.
    tags, pos, deps: one string per token, None if unknown. heads: position of each token's head; a root is its own head.
    sent_starts: whether a sentence starts at each token. cats: label → 0.0 to 1.0. meta: any other data of the text.
    source: "file:line" for error messages.

    Raises RunnerError if lengths or ranges do not fit, or if words and text differ in more than white space.
    """

    __slots__ = (
        "_ents", "_offsets", "_text", "cats", "confidence", "deps", "heads", "lexeme_ids", "meta", "pos", "raw",
        "sent_starts", "source", "spaces", "tags", "unknown_ents", "words",
    )  # fmt: skip
    _kind = "doc"

    def __init__(
        self,
        words: Sequence[str],
        spaces: Sequence[bool] | None = None,
        *,
        text: str | None = None,
        ents: Sequence[tuple[int, int, str]] | None = None,
        unknown_ents: Sequence[tuple[int, int]] = (),
        tags: Sequence[str | None] | None = None,
        pos: Sequence[str | None] | None = None,
        heads: Sequence[int | None] | None = None,
        deps: Sequence[str | None] | None = None,
        sent_starts: Sequence[bool | None] | None = None,
        cats: Mapping[str, float] | None = None,
        meta: Mapping[str, Any] | None = None,
        source: str | None = None,
    ) -> None:
        if isinstance(words, str) or not isinstance(words, Iterable):
            hint = 'Write nlp.make_doc(text), or Doc(["two", "words"]).'
            raise RunnerError(f"the words of a Doc are a list of strings, not a {type(words).__name__}", hint=hint)
        self.words = list(words)
        n = len(self.words)
        self.spaces = list(spaces) if spaces is not None else [True] * (n - 1) + [False] * (n > 0)
        self.source = source
        self.tags = _checked("tags", tags, n, source)
        self.pos = _checked("pos", pos, n, source)
        self.deps = _checked("deps", deps, n, source)
        self.heads = _checked("heads", heads, n, source)
        self.sent_starts = _checked("sent_starts", sent_starts, n, source)
        _checked("spaces", self.spaces, n, source)
        if not all(self.words):
            raise RunnerError("a word is empty", place=source, hint="Remove it, or give a text without words.")
        known = {head for head in set(self.heads or ()) if head is not None}
        for i, head in enumerate(self.heads or ()) if known and not 0 <= min(known) <= max(known) < n else ():
            if head is not None and not 0 <= head < n:
                raise RunnerError(
                    f"head {head} of token {i} lies outside the {n} tokens",
                    place=source,
                    hint="Heads are token positions from 0; a root's head is its own position.",
                )
        self.unknown_ents = [(start, end) for start, end in unknown_ents]
        self.cats = dict(cats) if cats is not None else None
        self.meta = dict(meta) if meta else {}
        self.confidence: Confidence | None = None  # of predictions
        self.lexeme_ids: Any = None  # filled by components.inputs
        self.raw: str | None = None
        self._text: str | None = None
        self._offsets: list[int] | None = None
        self._ents: list[Span] | None = None
        if text is not None and text != self.spelt:
            self.take(text, *word_edges(text, self.words, place=source))
        if ents is not None:
            self.set_ents(ents)

    @classmethod
    def tokenized(cls, text: str, tokens: tuple[list[str], list[bool]], **annotations: Any) -> Doc:
        """A doc of `text`. tokens: the (words, spaces) that a tokenizer made of it; that they fit is not checked."""
        doc = cls(*tokens, **annotations)
        doc.raw = text
        return doc

    def take(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        """Replace the doc's text by `text`, in which word i is text[starts[i]:ends[i]]."""
        is_spelt = all(map(text.startswith, self.words, starts))
        self.raw = text if is_spelt else respelt(text, starts, ends, self.words)
        self._text = self.raw
        self.spaces = [end < start for end, start in zip(ends, [*starts[1:], len(text)], strict=False)]
        self._offsets = None

    def set_ents(self, ents: Sequence[tuple[int, int, str]]) -> None:
        """Replace the entities, given as (start, end, label) in tokens.

        Raises RunnerError if an entity lies outside the doc or overlaps another.
        """
        spans = [Span(self, start, end, label) for start, end, label in sorted(ents)]
        end = 0
        for span in spans:
            if not 0 <= span.start < span.end <= len(self.words):
                raise RunnerError(
                    f"entity {span.as_tuple()} lies outside the {len(self.words)} tokens", place=self.source
                )
            if span.start < end:
                raise RunnerError(
                    f"entity {span.as_tuple()} overlaps the one before it",
                    place=self.source,
                    hint="A token belongs to one entity at most; keep one of the two.",
                )
            end = span.end
        self._ents = spans

    @property
    def text(self) -> str:
        """The text as it was given."""
        if self._text is None:
            self._text = self.raw if self.raw is not None else self.spelt
        return self._text

    @property
    def spelt(self) -> str:
        """The text that words and spaces spell: one blank or nothing between words."""
        return "".join([word + " " if space else word for word, space in zip(self.words, self.spaces, strict=True)])

    @property
    def offsets(self) -> list[int]:
        """Where each word starts, in characters of the text."""
        if self._offsets is None and self.raw is not None:
            self._offsets, _ = word_edges(self.raw, self.words, place=self.source)
        if self._offsets is None:
            lengths = [len(word) + bool(space) for word, space in zip(self.words, self.spaces, strict=True)]
            self._offsets = list(accumulate(lengths, initial=0))[:-1]
        return self._offsets

    @property
    def ents(self) -> list[Span]:
        """The entities; empty if they are not annotated (see `has_ents`)."""
        return self._ents or []

    @ents.setter
    def ents(self, ents: Sequence[Span | tuple[int, int, str]]) -> None:
        given = {ent.as_tuple(): ent.confidence for ent in ents if isinstance(ent, Span)}
        self.set_ents([ent.as_tuple() if isinstance(ent, Span) else ent for ent in ents])
        for ent in self.ents:
            ent.confidence = given.get(ent.as_tuple())

    @property
    def has_ents(self) -> bool:
        """Whether entities are annotated, even if there are none."""
        return self._ents is not None

    @property
    def sents(self) -> list[Span]:
        """The sentences; the whole doc is one sentence if no starts are known."""
        starts = [i for i, is_start in enumerate(self.sent_starts or ()) if is_start and i] if self.sent_starts else []
        bounds = [0, *starts, len(self.words)]
        return [Span(self, start, end) for start, end in zip(bounds, bounds[1:], strict=False) if end > start]

    def retokenize(self, spans: Sequence[tuple[int, int]]) -> None:
        """Merge each (start, end) range of tokens into one token, in place.

        The word of a merged token is its part of the text, spaces included. It takes the tag, universal tag, label and head
        of its anchor (see `anchor`). An entity that starts or ends inside a merged token is dropped. Ranges must not overlap.
        """
        merged = {start: end for start, end in spans if end - start > 1}
        if not merged:
            return
        members: list[tuple[int, int]] = []  # new token → its old tokens
        while (position := members[-1][1] if members else 0) < len(self.words):
            members.append((position, merged.get(position, position + 1)))
        assert merged.items() <= set(members), "ranges overlap"
        new_of = [new for new, (start, end) in enumerate(members) for _ in range(start, end)]  # old token → new token
        text, offsets = self.text, self.offsets
        words = [text[offsets[start] : offsets[end - 1] + len(self.words[end - 1])] for start, end in members]
        anchors = [self.anchor(start, end) for start, end in members]
        starts = {start: new for new, (start, _) in enumerate(members)}
        ends = {end: new + 1 for new, (_, end) in enumerate(members)}
        ents = [ent.as_tuple() for ent in self.ents]
        kept = [(starts[s], ends[e], label) for s, e, label in ents if s in starts and e in ends]
        sure = [ent.confidence for ent in self.ents if ent.start in starts and ent.end in ends]
        confidence = of_tokens(self.confidence, anchors)
        unknown = [(new_of[start], new_of[end - 1] + 1) for start, end in self.unknown_ents]
        heads = self.heads
        self.__init__(  # type: ignore[misc]  # the same doc, on other tokens
            words,
            [self.spaces[end - 1] for _, end in members],
            text=self.raw,
            ents=kept if self.has_ents else None,
            unknown_ents=unknown,
            tags=[self.tags[i] for i in anchors] if self.tags is not None else None,
            pos=[self.pos[i] for i in anchors] if self.pos is not None else None,
            deps=[self.deps[i] for i in anchors] if self.deps is not None else None,
            heads=[None if heads[i] is None else new_of[heads[i]] for i in anchors] if heads is not None else None,
            sent_starts=[self.sent_starts[start] for start, _ in members] if self.sent_starts is not None else None,
            cats=self.cats,
            meta=self.meta,
            source=self.source,
        )
        self.confidence = confidence
        for ent, value in zip(self.ents, sure, strict=True):
            ent.confidence = value

    def anchor(self, start: int, end: int) -> int:
        """The token in a range whose head lies outside it; the last token if there are none or several."""
        if end - start == 1 or self.heads is None:
            return end - 1
        heads = self.heads
        outward = [i for i in range(start, end) if heads[i] is None or heads[i] == i or not start <= heads[i] < end]
        return outward[0] if len(outward) == 1 else end - 1

    def copy(self) -> Doc:
        """A copy with the same tokens and annotations, independent of this doc."""
        doc = self.with_words(self.words)
        doc.confidence = dict(self.confidence) if self.confidence is not None else None
        for ent, own in zip(doc.ents, self.ents, strict=True):
            ent.confidence = own.confidence
        return doc

    def with_words(self, words: Sequence[str]) -> Doc:
        """A copy with each word replaced by one of `words`; annotations and white space stay."""
        doc = Doc(
            words,
            self.spaces,
            ents=[ent.as_tuple() for ent in self.ents] if self.has_ents else None,
            unknown_ents=self.unknown_ents,
            tags=self.tags,
            pos=self.pos,
            heads=self.heads,
            deps=self.deps,
            sent_starts=self.sent_starts,
            cats=self.cats,
            meta=self.meta,
            source=self.source,
        )
        if self.raw is not None:
            starts = self.offsets
            ends = [start + len(word) for start, word in zip(starts, self.words, strict=True)]
            doc.raw = respelt(self.raw, starts, ends, doc.words)
        return doc

    def copy_unannotated(self) -> Doc:
        """A copy of the tokens without annotations, and without meta, which may hold some (lemmas, features)."""
        doc = Doc(self.words, self.spaces, source=self.source)
        doc.raw = self.raw
        return doc

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[Token]:
        return (Token(self, i) for i in range(len(self.words)))

    def __getitem__(self, i: int | slice) -> Token | Span:
        if isinstance(i, slice):
            start, end, _ = i.indices(len(self.words))
            return Span(self, start, max(start, end))
        return Token(self, range(len(self.words))[i])

    def __repr__(self) -> str:
        return self.text


def _checked(name: str, values: Sequence[Any] | None, n: int, source: str | None) -> list[Any] | None:
    if values is not None and len(values) != n:
        raise RunnerError(f"{len(values)} {name} for {n} words", place=source, hint="Give one value per word.")
    return list(values) if values is not None else None
