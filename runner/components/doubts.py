"""What a pipeline cannot learn from an annotation that someone wrote in Python: found once, said with the text.

Corpora in files are diagnosed by `python -m runner debug`; nothing here is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.components.base import Component
from runner.corpus.example import Example


def doubts(example: Example, components: Mapping[str, Component]) -> Iterator[tuple[object, str]]:
    """Each doubt about the example as (what to say only once, the sentence)."""
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
    for fact in facts:
        yield (fact, shown), f"{shown}: {fact}"
    if "cats" in layers:
        yield from _of_categories(example, components, shown)


def _of_categories(example: Example, components: Mapping[str, Component], shown: str) -> Iterator[tuple[object, str]]:
    for name, component in components.items():
        if "cats" not in (component.annotation or ()) or not getattr(component, "exclusive", False):
            continue
        if len(component.labels) == 1:
            yield (
                (name, "one label"),
                f"{shown}: {component.labels[0]!r} is the only category of {name}, which chooses one of several; nothing is "
                f"learned until there is another. Name all categories, or set exclusive=False",
            )
        elif not any((example.reference.cats or {}).values()):
            yield (name, shown), f"{shown}: none of its categories holds, which teaches {name} nothing: it is exclusive"


def _layers(example: Example) -> list[str]:
    """The layers of the reference that say anything."""
    doc = example.reference
    columns: dict[str, Any] = {name: getattr(doc, name) for name in ("tags", "pos", "deps", "heads", "sent_starts")}
    layers = [name for name, values in columns.items() if any(value is not None for value in values or ())]
    if doc.has_ents:
        layers.append("entities")
    if doc.cats:
        layers.append("cats")
    return layers
