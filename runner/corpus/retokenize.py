"""Merge tokens of a doc: the ranges to merge → the doc's new words and annotations.

    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[3:5])

The word of a merged token is its part of the text, spaces included. The token takes the tag, universal tag, label and head
of its anchor (`anchor`). An entity that starts or ends inside a merged token is dropped. Tokens are not split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runner.corpus.token_layers import Confidence, of_tokens
from runner.corpus.views import Span, Viewed
from runner.errors import RunnerError
from runner.spacy_names import ExplainsNames

_LAYERS = {"TAG": "tags", "POS": "pos", "DEP": "deps"}  # attribute of a merged token → layer of the doc


class Mergeable(Viewed, Protocol):
    """The parts of a doc that a merged doc takes over."""

    cats: dict[str, float] | None
    meta: dict[str, Any]
    source: str | None


@dataclass
class Merged:
    """The merged doc: arguments of `Doc`, and the confidence of what was predicted."""

    arguments: dict[str, Any]
    confidence: Confidence | None
    sure: list[float | None]  # the confidence of each entity


def merged(doc: Mergeable, spans: Sequence[tuple[int, int]]) -> Merged | None:
    """The doc with each (start, end) range of tokens merged into one token; None if no range has two tokens.

    Raises RunnerError if ranges overlap or leave the doc.
    """
    ranges = {start: end for start, end in spans if end - start > 1}
    if not ranges:
        return None
    members: list[tuple[int, int]] = []  # new token → its old tokens
    while (position := members[-1][1] if members else 0) < len(doc.words):
        members.append((position, ranges.get(position, position + 1)))
    if not ranges.items() <= set(members) or members[-1][1] > len(doc.words):
        raise _overlap(sorted(ranges.items()), len(doc.words), doc.source)
    new_of = [new for new, (start, end) in enumerate(members) for _ in range(start, end)]  # old token → new token
    text, offsets = doc.text, doc.offsets
    anchors = [anchor(doc.heads, start, end) for start, end in members]
    starts = {start: new for new, (start, _) in enumerate(members)}
    ends = {end: new + 1 for new, (_, end) in enumerate(members)}
    kept = [ent for ent in doc.ents if ent.start in starts and ent.end in ends]
    heads, sent_starts = doc.heads, doc.sent_starts
    arguments = {
        "words": [text[offsets[start] : offsets[end - 1] + len(doc.words[end - 1])] for start, end in members],
        "spaces": [doc.spaces[end - 1] for _, end in members],
        "text": doc.raw,
        "ents": [(starts[ent.start], ends[ent.end], ent.label) for ent in kept] if doc.has_ents else None,
        "unknown_ents": [(new_of[start], new_of[end - 1] + 1) for start, end in doc.unknown_ents],
        "tags": [doc.tags[i] for i in anchors] if doc.tags is not None else None,
        "pos": [doc.pos[i] for i in anchors] if doc.pos is not None else None,
        "deps": [doc.deps[i] for i in anchors] if doc.deps is not None else None,
        "heads": [None if (head := heads[i]) is None else new_of[head] for i in anchors] if heads is not None else None,
        "sent_starts": [sent_starts[start] for start, _ in members] if sent_starts is not None else None,
        "cats": doc.cats,
        "meta": doc.meta,
        "source": doc.source,
    }
    return Merged(arguments, of_tokens(doc.confidence, anchors), [ent.confidence for ent in kept])


def anchor(heads: Sequence[int | None] | None, start: int, end: int) -> int:
    """The token in a range whose head lies outside it; the last token if there are none or several."""
    if end - start == 1 or heads is None:
        return end - 1
    inner = range(start, end)
    outward = [i for i in inner if (head := heads[i]) is None or head == i or head not in inner]
    return outward[0] if len(outward) == 1 else end - 1


class Retokenizer(ExplainsNames):
    """Collects the spans to merge in a `with` block; the doc is changed at its end, and not if the block raises.

    merge: what merges (start, end) ranges of the doc.
    """

    __slots__ = ("_attributes", "_doc", "_merge", "_spans")
    _kind = "retokenizer"

    def __init__(self, doc: Mergeable, merge: Callable[[Sequence[tuple[int, int]]], None]) -> None:
        self._doc = doc
        self._merge = merge
        self._spans: list[tuple[int, int]] = []
        self._attributes: dict[tuple[int, str], str] = {}  # (first old token, layer) → value

    def merge(self, span: Span, attrs: Mapping[str, str] | None = None) -> None:
        """Merge the span's tokens into one. attrs: its TAG, POS and DEP, in place of the anchor's.

        Raises RunnerError for a span of another doc, one that overlaps an earlier one, and an unknown attribute.
        """
        if not isinstance(span, Span) or span.doc is not self._doc:
            what = "a span of another doc" if isinstance(span, Span) else f"a {type(span).__name__}"
            raise RunnerError(f"cannot merge {what}", hint="Give a span of this doc: retokenizer.merge(doc[3:5]).")
        for start, end in self._spans:
            if start < span.end and span.start < end:
                raise _overlap([(start, end), (span.start, span.end)], len(self._doc), self._doc.source)
        for key, value in (attrs or {}).items():
            if key not in _LAYERS:
                known = ", ".join(_LAYERS)
                raise RunnerError(f"a merged token takes no {key!r}", hint=f"It takes {known}: attrs={{'TAG': 'NNP'}}.")
            self._attributes[span.start, _LAYERS[key]] = value
        self._spans.append((span.start, span.end))

    def __enter__(self) -> Retokenizer:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            return
        self._merge(self._spans)
        for (first, layer), value in self._attributes.items():
            removed = sum(end - start - 1 for start, end in self._spans if start < first)  # tokens before this one
            if getattr(self._doc, layer) is None:
                setattr(self._doc, layer, [None] * len(self._doc))
            getattr(self._doc, layer)[first - removed] = value


def _overlap(ranges: Sequence[tuple[int, int]], n_tokens: int, place: str | None) -> RunnerError:
    for start, end in ranges:
        if not 0 <= start < end <= n_tokens:
            return RunnerError(f"tokens {start} to {end} lie outside the {n_tokens} tokens", place=place)
    for (start, end), (other, stop) in zip(ranges, ranges[1:], strict=False):
        if other < end:
            return RunnerError(
                f"tokens {start} to {end} and {other} to {stop} overlap",
                place=place,
                hint="Merge one of the two, or one span that covers both.",
            )
    raise AssertionError(ranges)
