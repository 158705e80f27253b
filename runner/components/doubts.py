"""Warnings about annotations passed in Python that a pipeline cannot learn from.

`python -m runner debug` diagnoses corpora in files; this module does not check them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.components.base import Component
from runner.corpus.example import Example


def doubts(example: Example, components: Mapping[str, Component]) -> Iterator[tuple[object, str]]:
    """Yield each doubt about the example, as (key of which only the first doubt is shown, message)."""
    shown = repr(example.predicted.text[:60])
    layers = _layers(example)
    learned = [component.annotation for component in components.values()]
    for layer in layers:
        if None not in learned and not any(layer in (of or ()) for of in learned):
            yield layer, f"no component of this pipeline learns from {layer!r}: {shown}"
    facts: list[str] = []
    if n := example.excluded_ents:
        facts.append(f"{n} of its entities do not start and end where tokens do, and are not learned")
    if "deps" in layers and "heads" not in layers:
        facts.append("deps without heads are not learned; give 'heads', the position of each word's head")
    for layer, aligned in (("tags", example.aligned_tags), ("heads", example.aligned_heads)):
        if layer in layers and not example.is_identical and not any(value is not None for value in aligned()):
            facts.append(f"the words of its {layer} are no tokens here, and nothing is learned from them")
    tags = sorted({ent.label for ent in example.reference.ents if _is_tag(ent.label)})
    if tags:
        named = (
            f"the label {tags[0]!r} looks like a tag: write {tags[0][2:]!r}, with the start and end of the whole entity"
        )
        yield ("tags as labels", tuple(tags)), f"{shown}: {named}"
    for fact in facts:
        yield (fact, shown), f"{shown}: {fact}"
    for component in components.values():
        for key, fact in component.doubts(example):
            yield key, f"{shown}: {fact}"


def _is_tag(label: str) -> bool:
    """Whether a label has the prefix of a BILUO tag. Only a warning follows: there are labels such as "B-CELL"."""
    return len(label) > 2 and label[1] == "-" and label[0] in "BILU"


def _layers(example: Example) -> list[str]:
    """The names of the reference's layers that hold annotations."""
    doc = example.reference
    columns: dict[str, Any] = {name: getattr(doc, name) for name in ("tags", "pos", "deps", "heads", "sent_starts")}
    layers = [name for name, values in columns.items() if any(value is not None for value in values or ())]
    if doc.has_ents:
        layers.append("entities")
    if doc.cats:
        layers.append("cats")
    return layers
