"""`Span` and `Token`: views of a doc, which hold no annotation of their own besides a span's label and confidence.

    doc = nlp("Ada slept in Oslo.")
    doc[3].head, doc[1].children, doc[2:4].root, doc.ents[0].sent

The names are spaCy's. A view stays true while the doc keeps its tokens: after `retokenize`, take new ones from the doc.
A tree is read from `doc.heads` at each call, in time linear in the doc, except for `head` and `ancestors`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Protocol, overload

from runner.corpus.drawn import DrawnSpan
from runner.corpus.token_layers import Layered, TokenLayers
from runner.errors import RunnerError
from runner.spacy_names import ExplainsNames

_start = attrgetter("start")


class Viewed(Layered, Protocol):
    """The parts of a doc that its views read."""

    words: list[str]
    spaces: list[bool]
    raw: str | None
    heads: list[int | None] | None
    sent_starts: list[bool | None] | None
    unknown_ents: list[tuple[int, int]]

    @property
    def text(self) -> str: ...
    @property
    def offsets(self) -> list[int]: ...
    @property
    def ents(self) -> list[Span]: ...
    @property
    def has_ents(self) -> bool: ...
    def __len__(self) -> int: ...


class Span(DrawnSpan, ExplainsNames):
    """Tokens `start` to `end` (exclusive) of a doc, with a label. confidence: see token_layers.py."""

    __slots__ = ("confidence", "doc", "end", "label", "start")
    _kind = "span"

    def __init__(self, doc: Viewed, start: int, end: int, label: str = "") -> None:
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
        """Offset of the first character."""
        offsets = self.doc.offsets
        return offsets[self.start] if self.start < len(offsets) else len(self.doc.text)

    @property
    def end_char(self) -> int:
        """Offset after the last character."""
        last = self.end - 1
        return self.doc.offsets[last] + len(self.doc.words[last]) if last >= self.start else self.start_char

    @property
    def text(self) -> str:
        return self.doc.text[self.start_char : self.end_char]

    @property
    def sent(self) -> Span:
        """The sentence of the first token; the whole doc if no sentence starts are known."""
        return sentence(self.doc, self.start)

    @property
    def root(self) -> Token:
        """The token with the shortest path to the root of its tree, the first of several.

        Without heads, this is the first token. Raises RunnerError for a span without tokens.
        """
        if self.end <= self.start:
            raise RunnerError("an empty span has no root", hint="Test len(span) first.")
        heads = self.doc.heads
        if heads is None:
            return self[0]
        inner = range(self.start, self.end)
        highest = [token for token in self if (head := heads[token.i]) is None or head == token.i or head not in inner]
        return min(highest, key=_depth, default=self[0])

    @property
    def ents(self) -> list[Span]:
        """The doc's entities inside the span."""
        return [ent for ent in self.doc.ents if self.start <= ent.start and ent.end <= self.end]

    def as_tuple(self) -> tuple[int, int, str]:
        """(start, end, label), in tokens."""
        return self.start, self.end, self.label

    @overload
    def __getitem__(self, i: int) -> Token: ...
    @overload
    def __getitem__(self, i: slice) -> Span: ...
    def __getitem__(self, i: int | slice) -> Token | Span:
        """The token, or the span of tokens, counted from the start of this span."""
        tokens = range(self.start, self.end)[i]
        if isinstance(tokens, int):
            return Token(self.doc, tokens)
        if tokens.step != 1:
            raise _step(tokens.step)
        return Span(self.doc, tokens.start, max(tokens.start, tokens.stop))

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
    doc: Viewed

    def __init__(self, doc: Viewed, i: int) -> None:
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
    def ent_type_(self) -> str:
        """The label of the token's entity; empty outside entities."""
        ent = self._ent()
        return ent.label if ent is not None else ""

    @property
    def ent_iob_(self) -> str:
        """B: the token opens an entity; I: it is inside one; O: it is in none; empty: its entity is not annotated."""
        ent = self._ent()
        if ent is not None:
            return "B" if ent.start == self.i else "I"
        is_unknown = not self.doc.has_ents or any(start <= self.i < end for start, end in self.doc.unknown_ents)
        return "" if is_unknown else "O"

    def _ent(self) -> Span | None:
        ents = self.doc.ents
        before = bisect_right(ents, self.i, key=_start) - 1  # entities are in order
        return ents[before] if before >= 0 and self.i < ents[before].end else None

    @property
    def sent(self) -> Span:
        """The token's sentence; the whole doc if no sentence starts are known."""
        return sentence(self.doc, self.i)

    @property
    def is_sent_start(self) -> bool | None:
        """Whether a sentence starts here; None if unknown."""
        if self.i == 0:
            return True
        return self.doc.sent_starts[self.i] if self.doc.sent_starts is not None else None

    @is_sent_start.setter
    def is_sent_start(self, is_start: bool | None) -> None:
        if self.doc.sent_starts is None:
            self.doc.sent_starts = [None] * len(self.doc.words)
        self.doc.sent_starts[self.i] = is_start

    def nbor(self, i: int = 1) -> Token:
        """The token `i` places further; a negative `i` counts backwards. Raises IndexError outside the doc."""
        if not 0 <= self.i + i < len(self.doc.words):
            raise IndexError(f"there is no token {self.i + i} in a doc of {len(self.doc.words)}")
        return Token(self.doc, self.i + i)

    # The tree

    @property
    def head(self) -> Token:
        """The head; a root is its own head, as is a token without annotation."""
        head = self.doc.heads[self.i] if self.doc.heads is not None else None
        return self if head is None else Token(self.doc, head)

    @property
    def children(self) -> Iterator[Token]:
        """The tokens whose head this is, in the order of the text."""
        return (Token(self.doc, i) for i, head in enumerate(self.doc.heads or ()) if head == self.i != i)

    @property
    def lefts(self) -> Iterator[Token]:
        """The children before this token."""
        return (child for child in self.children if child.i < self.i)

    @property
    def rights(self) -> Iterator[Token]:
        """The children after this token."""
        return (child for child in self.children if child.i > self.i)

    @property
    def n_lefts(self) -> int:
        return sum(1 for _ in self.lefts)

    @property
    def n_rights(self) -> int:
        return sum(1 for _ in self.rights)

    @property
    def subtree(self) -> Iterator[Token]:
        """This token and all tokens below it, in the order of the text."""
        return (Token(self.doc, i) for i in self._below())

    @property
    def left_edge(self) -> Token:
        """The first token of the subtree."""
        return Token(self.doc, self._below()[0])

    @property
    def right_edge(self) -> Token:
        """The last token of the subtree."""
        return Token(self.doc, self._below()[-1])

    @property
    def ancestors(self) -> Iterator[Token]:
        """The head, its head, and so on up to the root."""
        seen = {self.i}
        token = self.head
        while token.i not in seen:  # heads may form a circle where someone else has annotated them
            seen.add(token.i)
            yield token
            token = token.head

    def is_ancestor(self, other: Token) -> bool:
        """Whether `other` is below this token."""
        return self in other.ancestors

    def _below(self) -> list[int]:
        """The positions of the subtree's tokens, in order."""
        children: dict[int, list[int]] = {}
        for i, head in enumerate(self.doc.heads or ()):
            if head is not None:
                children.setdefault(head, []).append(i)
        below = {self.i}
        open_ = [self.i]
        while open_:
            fresh = [child for child in children.get(open_.pop(), ()) if child not in below]
            below.update(fresh)
            open_ += fresh
        return sorted(below)

    def __len__(self) -> int:
        return len(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self.doc is other.doc and self.i == other.i

    def __hash__(self) -> int:
        return hash((id(self.doc), self.i))

    def __repr__(self) -> str:
        return self.text


def sentence(doc: Viewed, i: int) -> Span:
    """The sentence that holds token `i`; the whole doc if no sentence starts are known."""
    n, starts = len(doc.words), doc.sent_starts
    if starts is None:
        return Span(doc, 0, n)
    first = next((j for j in range(min(i, n - 1), 0, -1) if starts[j]), 0)
    return Span(doc, first, next((j for j in range(i + 1, n) if starts[j]), n))


def _depth(token: Token) -> int:
    """The number of heads above the token."""
    return sum(1 for _ in token.ancestors)


def _step(step: int) -> RunnerError:
    return RunnerError(f"a span has no gaps, and the slice has a step of {step}", hint="Leave the step out.")
