"""What a `Token` reads from the layers of its doc: annotations, and how sure a model is of those that it predicted.

Confidence is a probability from 0 to 1. Entities keep theirs (`Span.confidence`); the other layers stand in
`Doc.confidence`, layer → one probability per token, or label → probability for "cats". All are None in a doc that no model
has annotated, or that was annotated without asking for confidence. docs/python.md says what each number means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

Confidence = dict[str, Sequence[float] | Mapping[str, float]]


class Layered(Protocol):
    """The layers of a doc."""

    tags: list[str | None] | None
    pos: list[str | None] | None
    deps: list[str | None] | None
    confidence: Confidence | None


class TokenLayers:
    """The part of `Token` that reads one value from a layer."""

    __slots__ = ()
    doc: Layered
    i: int

    @property
    def tag_(self) -> str:
        return self._value(self.doc.tags)

    @property
    def pos_(self) -> str:
        return self._value(self.doc.pos)

    @property
    def dep_(self) -> str:
        return self._value(self.doc.deps)

    @property
    def tag_confidence(self) -> float | None:
        """The probability of `tag_`; None if no model gave one."""
        return self._confidence("tags")

    @property
    def head_confidence(self) -> float | None:
        """The probability of `head`; None if no model gave one."""
        return self._confidence("heads")

    @property
    def dep_confidence(self) -> float | None:
        """The probability of `dep_`, given `head`; None if no model gave one."""
        return self._confidence("deps")

    def _value(self, values: Sequence[str | None] | None) -> str:
        return (values[self.i] or "") if values is not None else ""

    def _confidence(self, layer: str) -> float | None:
        values = (self.doc.confidence or {}).get(layer)
        return values[self.i] if isinstance(values, Sequence) else None


def set_confidence(doc: Layered, layer: str, values: Sequence[float] | Mapping[str, float]) -> None:
    """Write the confidence of one layer; the others stay."""
    doc.confidence = {**(doc.confidence or {}), layer: values}


def confidence_record(doc: Layered, **layers: str) -> dict[str, Sequence[float] | Mapping[str, float]]:
    """The part of a record that tells the confidence of these layers, given as key=layer; only layers that have it."""
    known = doc.confidence or {}
    return {key: known[layer] for key, layer in layers.items() if layer in known}


def of_tokens(confidence: Confidence | None, tokens: Sequence[int]) -> Confidence | None:
    """The confidence in a doc of which only these tokens stay."""
    if confidence is None:
        return None
    return {
        layer: [values[i] for i in tokens] if isinstance(values, Sequence) else values
        for layer, values in confidence.items()
    }
