"""Convert what users pass to training and scoring (Examples, or texts with annotation dicts) to Examples.

    as_examples([("Uber grows", {"entities": [(0, 4, "ORG")]})], None, nlp.make_doc)
    as_examples("Uber grows", {"entities": [(0, 4, "ORG")]}, nlp.make_doc)

The dicts are in the simple training style (corpus/annotations.py). A list in the place of a dict holds entities. Errors show
how to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import StoredExamples
from runner.errors import RunnerError

_FORM = 'Give Examples, or texts and dicts: nlp.update(["Uber grows"], [{"entities": [(0, 4, "ORG")]}]).'


def as_examples(items: Any, annotations: Any, make_doc: Callable[[str], Doc]) -> list[Example]:
    """Return one Example per item, or per text with its annotations. A single text, Doc or Example counts as a list of one.

    Raises RunnerError if the numbers of texts and annotations differ, or if an item has another type.
    """
    items = [items] if isinstance(items, str | Doc | Example) else _listed(items, "examples")
    if annotations is not None:
        annotations = [annotations] if isinstance(annotations, Mapping) else _listed(annotations, "annotations")
        if len(annotations) != len(items):
            raise RunnerError(f"{len(items)} texts and {len(annotations)} annotations", hint="Give one a text.")
        items = list(zip(items, annotations, strict=True))
    return [item if isinstance(item, Example) else _as_example(item, make_doc) for item in items]


def examples_from(given: Any, make_doc: Callable[[str], Doc]) -> Sequence[Example]:
    """Return the given examples; if `given` is a function, call it for the examples. A packed corpus stays packed."""
    items = given() if callable(given) else given
    if items is None:
        return []
    return items if isinstance(items, StoredExamples) else as_examples(items, None, make_doc)


def _as_example(item: Any, make_doc: Callable[[str], Doc]) -> Example:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise RunnerError(f"cannot learn from a {type(item).__name__}", hint=_FORM)
    text, annotation = item
    if isinstance(text, Example):
        raise RunnerError("an Example holds its annotations", hint="Give the Examples alone: nlp.update(examples).")
    if not isinstance(text, str | Doc):
        raise RunnerError(f"cannot learn from a {type(text).__name__} in the place of a text", hint=_FORM)
    if isinstance(annotation, list | tuple):  # entities alone: ("Uber grows", [(0, 4, "ORG")])
        annotation = {"entities": annotation}
    if not isinstance(annotation, Mapping):
        hint = 'Give a dict that names the layer: {"entities": [(0, 4, "ORG")]}, {"cats": {"SPORT": 1.0}}, {"tags": [...]}.'
        raise RunnerError(f"the annotations of {str(text)[:60]!r} are a {type(annotation).__name__}", hint=hint)
    return Example.from_dict(text if isinstance(text, Doc) else make_doc(text), annotation)


def _listed(items: Any, what: str) -> list[Any]:
    if type(items) is list:
        return items
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise RunnerError(f"the {what} are a {type(items).__name__}", hint=_FORM)
    return list(items)


def check_drop(drop: Any) -> None:
    """Raise RunnerError unless the dropout rate is a number of at least 0 and below 1."""
    if type(drop) is float and 0 <= drop < 1:
        return
    if isinstance(drop, bool) or not isinstance(drop, Real):
        hint = "Give a number; of a schedule the next value: drop=next(schedule)."
        raise RunnerError(f"dropout is {drop!r:.80}, which is no number", hint=hint)
    if not 0 <= float(drop) < 1:
        raise RunnerError(f"dropout must be at least 0 and below 1, got {drop}")


def check_optimizer(sgd: Any, fresh: Collection[str] = ()) -> None:
    """Raise RunnerError unless `sgd` is an optimizer that has not yet updated the `fresh` owners' weights.

    fresh: owners whose weights begin again.
    """
    if not callable(sgd) or not isinstance(getattr(sgd, "step", None), int):
        fact = f"sgd is a {type(sgd).__module__}.{type(sgd).__name__}, which is no optimizer"
        raise RunnerError(fact, hint="Give runner.adam(), runner.radam() or runner.sgd(), or leave it out.")
    updated = set(fresh).intersection(getattr(sgd, "updated_owners", ())) if fresh else None
    if updated:
        raise RunnerError(
            f"the optimizer has updated {', '.join(sorted(updated))} before",
            hint="Weights that begin again need a new one: leave sgd out, or give runner.adam().",
        )
