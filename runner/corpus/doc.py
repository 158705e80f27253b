"""`Doc`: a text, its words and its annotations. `Span` and `Token` (views.py) are views of a doc.

An annotation that is None is missing (its loss is skipped); an empty one says that there is nothing.
Tokens are counted from 0; spans end before `end`. Characters are code points.

The text is kept as given, with leading blanks, line breaks and runs of white space; all offsets count in it. Most texts are
their words with one blank or nothing between them; only other texts are stored (`Doc.raw`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

import numpy as np

from runner.corpus.alignment import respelt, word_edges
from runner.corpus.doc_json import to_json
from runner.corpus.drawn import DrawnDoc
from runner.corpus.retokenize import Retokenizer, anchor, merged
from runner.corpus.token_layers import Confidence
from runner.corpus.token_ranges import AlignmentMode, token_range
from runner.corpus.views import Span, Token
from runner.errors import RunnerError
from runner.spacy_names import ExplainsNames


class Doc(DrawnDoc, ExplainsNames):
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
        if any(ent is None for ent in ents):
            hint = 'doc.char_span gives None where no token ends: leave it out, or use alignment_mode="expand".'
            raise RunnerError("an entity is None", place=self.source, hint=hint)
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

    @overload
    def retokenize(self) -> Retokenizer: ...
    @overload
    def retokenize(self, spans: Sequence[tuple[int, int]]) -> None: ...
    def retokenize(self, spans: Sequence[tuple[int, int]] | None = None) -> Retokenizer | None:
        """Merge tokens in place: each (start, end) range into one token, or the spans of a `with` block (see retokenize.py).

        Raises RunnerError if ranges overlap or leave the doc.
        """
        if spans is None:
            return Retokenizer(self, self.retokenize)
        new = merged(self, spans)
        if new is not None:
            self.__init__(**new.arguments)  # type: ignore[misc]  # the same doc, on other tokens
            self.confidence = new.confidence
            for ent, value in zip(self.ents, new.sure, strict=True):
                ent.confidence = value
        return None

    def anchor(self, start: int, end: int) -> int:
        """The token in a range whose head lies outside it; the last token if there are none or several."""
        return anchor(self.heads, start, end)

    def char_span(self, start: int, end: int, label: str = "", alignment_mode: AlignmentMode = "strict") -> Span | None:
        """The span of the characters `start` to `end` (exclusive), or None if there is none.

        alignment_mode: what becomes of tokens that `start` or `end` cuts. strict: there is no span; contract: the tokens
        are left out; expand: they belong to the span.
        """
        tokens = token_range(self.offsets, self.words, (start, end), alignment_mode)
        return Span(self, *tokens, label) if tokens is not None else None

    def to_json(self) -> dict[str, Any]:
        """The annotations in the layout of spaCy's `Doc.to_json`, see doc_json.py. The reader `jsonl` reads it."""
        return to_json(self)

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

    @overload
    def __getitem__(self, i: int) -> Token: ...
    @overload
    def __getitem__(self, i: slice) -> Span: ...
    def __getitem__(self, i: int | slice) -> Token | Span:
        return Span(self, 0, len(self.words))[i] if isinstance(i, slice) else Token(self, range(len(self.words))[i])

    def __repr__(self) -> str:
        return self.text


def _checked(name: str, values: Sequence[Any] | None, n: int, source: str | None) -> list[Any] | None:
    if values is not None and len(values) != n:
        raise RunnerError(f"{len(values)} {name} for {n} words", place=source, hint="Give one value per word.")
    if isinstance(values, np.ndarray):
        return values.tolist()
    return list(values) if values is not None else None
