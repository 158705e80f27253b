"""The table of stories: which text of the package each of them raises and follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .place import Place


class Told(NamedTuple):
    """A text of the package, by a fragment that no other text of the file has."""

    file: str
    fragment: str


STORIES: dict[str, tuple[Callable[[Place], None], list[Told]]] = {}


def story(file: str, *fragments: str, **more: str) -> Callable[[Callable[[Place], None]], Callable[[Place], None]]:
    """This function raises and follows the texts with these fragments. more: file with _ for / → a fragment there."""

    def keep(function: Callable[[Place], None]) -> Callable[[Place], None]:
        texts = [Told(f"{file}.py", fragment) for fragment in fragments]
        texts += [Told(f"{other.replace('__', '/')}.py", fragment) for other, fragment in more.items()]
        STORIES[function.__name__] = function, texts
        return function

    return keep
