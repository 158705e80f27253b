"""`nlp.select_pipes`: some components predict, learn and are scored, the others are left alone.

    off = nlp.select_pipes(disable="ner")      # acts at once
    off.restore()
    with nlp.select_pipes(enable="tagger"):    # until the block ends, even by an exception
        nlp.update(examples, sgd=sgd)

Selections add up: a second `disable` keeps the components of the first disabled; `enable` names all
components that take part, whatever was disabled before. Selections can be undone separately, in any order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from runner.errors import RunnerError, suggest


class Selection:
    """A call of `select_pipes` that holds until `restore`, or the end of its `with` block.

    active: the pipeline's list of selections, which contains this selection until `restore`.
    """

    def __init__(self, kind: Literal["enable", "disable"], names: Iterable[str], active: list[Selection]) -> None:
        self.kind = kind
        self.names = tuple(names)
        self._active = active
        active.append(self)

    def restore(self) -> None:
        """Undo this selection; other selections stay active. A second call does nothing."""
        if self in self._active:
            self._active.remove(self)

    def __enter__(self) -> Selection:
        if self not in self._active:
            raise RunnerError("this selection has been restored", hint="Call nlp.select_pipes again.")
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()

    def __repr__(self) -> str:
        return f"select_pipes({self.kind}={list(self.names)})"


def check_annotating(names: Iterable[str], components: Collection[str], learning: Collection[str]) -> None:
    """Raise RunnerError unless these components exist, do not learn, and stand before those that do. All as names, in order."""
    place, order = "training.annotating", list(components)
    for name in names:
        if name not in components:
            fact = f"there is no component {name!r}; {suggest(name, components)}"
            raise RunnerError(fact, place=place, hint="The components are those of pipeline.components.")
        if name in learning:
            raise RunnerError(
                f"{name!r} learns, and so cannot annotate for others",
                place=place,
                hint="Name the components that learn: training.components=[…].",
            )
        late = [other for other in learning if order.index(other) < order.index(name)]
        if late:
            fact = f"{name!r} stands behind {', '.join(late)}, which cannot read what it writes"
            raise RunnerError(fact, place=place, hint="Put it before them: nlp.add_pipe(NAME, first=True).")


def disabled(active: Iterable[Selection], components: Collection[str]) -> frozenset[str]:
    """The components that do not take part after applying these selections in order."""
    off: set[str] = set()
    for selection in active:
        off = off | set(selection.names) if selection.kind == "disable" else set(components) - set(selection.names)
    return frozenset(off)
