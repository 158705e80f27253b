"""`Doc`: words, the text they stand in, and annotations; `Span` and `Token`: views of it.

An annotation that is None was never made (its loss is skipped); an empty one was made and found nothing.
Tokens are counted from 0; spans end before `end`. Characters are Python's (code points).

The text is kept as it came in: leading blanks, line breaks and runs of white space included, and all offsets count in it.
Most texts are their words with one blank or nothing between them; only another text is stored (`Doc.raw`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from runner.corpus.alignment import respelt, word_edges
from runner.errors import RunnerError
from runner.spacy_names import unknown

_start = attrgetter("start")


class Span:
    """Tokens `start` to `end` (exclusive) of a doc, with a label."""

    __slots__ = ("doc", "end", "label", "start")

    def __init__(self, doc: Doc, start: int, end: int, label: str = "") -> None:
        self.doc = doc
        self.start = start
        self.end = end
        self.label = label

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("span", self, name)

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


class Token:
    """One token of a doc, by position."""

    __slots__ = ("doc", "i")

    def __init__(self, doc: Doc, i: int) -> None:
        self.doc = doc
        self.i = i

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("token", self, name)

    @property
    def text(self) -> str:
        return self.doc.words[self.i]

    @property
    def idx(self) -> int:
        """Offset of the first character."""
        return self.doc.offsets[self.i]

    @property
    def whitespace_(self) -> str:
        """The white space between this token and the next, as the text has it."""
        if self.doc.raw is None:
            return " " if self.doc.spaces[self.i] else ""
        offsets, end = self.doc.offsets, self.idx + len(self.text)
        return self.doc.raw[end : offsets[self.i + 1] if self.i + 1 < len(offsets) else None]

    @property
    def text_with_ws(self) -> str:
        return self.text + self.whitespace_

    @property
    def tag_(self) -> str:
        return _at(self.doc.tags, self.i)

    @property
    def pos_(self) -> str:
        return _at(self.doc.pos, self.i)

    @property
    def dep_(self) -> str:
        return _at(self.doc.deps, self.i)

    @property
    def head(self) -> Token:
        """The head; a root is its own head, as is a token without annotation."""
        head = self.doc.heads[self.i] if self.doc.heads is not None else None
        return self if head is None else Token(self.doc, head)

    @property
    def ent_type_(self) -> str:
        ents = self.doc.ents
        before = bisect_right(ents, self.i, key=_start) - 1  # they are in order
        return ents[before].label if before >= 0 and self.i < ents[before].end else ""

    def __len__(self) -> int:
        return len(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self.doc is other.doc and self.i == other.i

    def __hash__(self) -> int:
        return hash((id(self.doc), self.i))

    def __repr__(self) -> str:
        return self.text


def _at(values: Sequence[str | None] | None, i: int) -> str:
    return (values[i] or "") if values is not None else ""


class Doc:
    """A tokenized text with optional annotations.

    words: the tokens, none empty. spaces: whether white space follows each token (default: after every token but the
    last). text: the words with any white space around them (default: as `spaces` says, one blank or nothing); `spaces`
    then follows it. A word that holds white space keeps its own spelling where the text spells that otherwise.
    raw: the text where it was given and may not be what words and spaces spell, else None.
    ents: (start, end, label) in tokens, in order, not overlapping; None where entities were never annotated.
    unknown_ents: (start, end) token ranges whose entities are not known (annotated elsewhere, not here).
    tags, pos, deps: one string a token, None where unknown. heads: index of each token's head, a root's is its own.
    sent_starts: whether a sentence starts at each token. cats: label → 0.0 to 1.0. meta: whatever else came along.
    source: "file:line" for error messages.

    Raises RunnerError where lengths or ranges do not fit, and where words and text differ in more than white space.
    """

    __slots__ = (
        "_ents", "_offsets", "_text", "cats", "deps", "heads", "lexeme_ids", "meta", "pos", "raw", "sent_starts",
        "source", "spaces", "tags", "unknown_ents", "words",
    )  # fmt: skip

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
            raise RunnerError("a word is empty", place=source, hint="Remove it, or give the text instead of the words.")
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
        self.lexeme_ids: Any = None  # cache of components.inputs
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
        """The doc of a text and of the (words, spaces) that a tokenizer made of it, which are not held against it."""
        doc = cls(*tokens, **annotations)
        doc.raw = text
        return doc

    def take(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        """Make `text` the doc's. starts, ends: the characters of each word in it."""
        is_spelt = all(map(text.startswith, self.words, starts))
        self.raw = text if is_spelt else respelt(text, starts, ends, self.words)
        self._text = self.raw
        self.spaces = [end < start for end, start in zip(ends, [*starts[1:], len(text)], strict=False)]
        self._offsets = None

    def set_ents(self, ents: Sequence[tuple[int, int, str]]) -> None:
        """Replace the entities, given as (start, end, label) in tokens.

        Raises RunnerError where one lies outside the doc or crosses another.
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
        """The text as it came in."""
        if self._text is None:
            self._text = self.raw if self.raw is not None else self.spelt
        return self._text

    @property
    def spelt(self) -> str:
        """The words, with a blank or nothing between them."""
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
        """The entities; none where they were never annotated (see `has_ents`)."""
        return self._ents or []

    @ents.setter
    def ents(self, ents: Sequence[Span | tuple[int, int, str]]) -> None:
        self.set_ents([ent.as_tuple() if isinstance(ent, Span) else ent for ent in ents])

    @property
    def has_ents(self) -> bool:
        """Whether entities were annotated, be there any or none."""
        return self._ents is not None

    @property
    def sents(self) -> list[Span]:
        """The sentences; one for the whole doc where no starts are known."""
        starts = [i for i, is_start in enumerate(self.sent_starts or ()) if is_start and i] if self.sent_starts else []
        bounds = [0, *starts, len(self.words)]
        return [Span(self, start, end) for start, end in zip(bounds, bounds[1:], strict=False) if end > start]

    def retokenize(self, spans: Sequence[tuple[int, int]]) -> None:
        """Merge each (start, end) range of tokens into one token, in place.

        A merged token spells its part of the text, spaces included. It takes tag, universal tag, label and head of the
        token whose head lies outside (the last one where that is none or several). Entities follow; one that starts or
        ends within a merged token is dropped. Ranges must not overlap.
        """
        groups = [(start, end) for start, end in sorted(spans) if end - start > 1]
        if not groups:
            return
        new_of: list[int] = []  # old position → new one
        members: list[tuple[int, int]] = []
        position = 0
        for start, end in [*groups, (len(self.words), len(self.words))]:
            assert start >= position, "ranges overlap"
            members += [(i, i + 1) for i in range(position, start)]
            if end > start:
                members.append((start, end))
            position = end
        for new, (start, end) in enumerate(members):
            new_of += [new] * (end - start)
        text, offsets = self.text, self.offsets
        words = [text[offsets[start] : offsets[end - 1] + len(self.words[end - 1])] for start, end in members]
        anchors = [self.anchor(start, end) for start, end in members]
        starts = {start: new for new, (start, _) in enumerate(members)}
        ends = {end: new + 1 for new, (_, end) in enumerate(members)}
        ents = [ent.as_tuple() for ent in self.ents]
        kept = [(starts[s], ends[e], label) for s, e, label in ents if s in starts and e in ends]
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

    def anchor(self, start: int, end: int) -> int:
        """The token that stands for a range of them."""
        if end - start == 1 or self.heads is None:
            return end - 1
        heads = self.heads
        outward = [i for i in range(start, end) if heads[i] is None or heads[i] == i or not start <= heads[i] < end]
        return outward[0] if len(outward) == 1 else end - 1

    def copy(self) -> Doc:
        """The same tokens and annotations; what is done to one does not touch the other."""
        return self.with_words(self.words)

    def with_words(self, words: Sequence[str]) -> Doc:
        """A copy with other words, one for each; every annotation stays at its token, and white space where it was."""
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
        """The same tokens without annotations; meta may hold some (lemmas, features), so it stays behind."""
        doc = Doc(self.words, self.spaces, source=self.source)
        doc.raw = self.raw
        return doc

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("doc", self, name)

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
    if values is None:
        return None
    if len(values) != n:
        raise RunnerError(f"{len(values)} {name} for {n} words", place=source, hint=f"Give one of {name} a word.")
    return list(values)
