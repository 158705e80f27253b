"""YAML that is no larger than it looks: a file of a stranger's must not fill the memory of whoever opens it.

An alias (`*name`) counts as often as it is written, and so do the aliases in what it stands for; the ten lines of a
"billion laughs" are refused before anything is made of them. Objects of Python are refused by PyYAML's safe loader.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_BYTES = 1 << 20  # PyYAML reads some hundred kilobytes a second
MAX_VALUES = 50_000  # keys included, aliases written out; or one for each
BYTES_PER_VALUE = 8  # of the text, where that is more
MAX_DEPTH = 100


def read(text: str | bytes) -> Any:
    """The plain value that a YAML text holds. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=bounded(yaml.SafeLoader))


def bounded(loader: Any) -> Any:
    """A loader like that one (a class of PyYAML's, safe by itself) that raises MarkedYAMLError where a text is too much."""

    class Bounded(loader):
        name: str

        def __init__(self, stream: Any) -> None:
            content = stream.read(MAX_BYTES + 1) if hasattr(stream, "read") else stream
            super().__init__(content[: MAX_BYTES + 1])
            self.name = getattr(stream, "name", self.name)
            if len(content) > MAX_BYTES:
                fact = f"it is longer than {MAX_BYTES:,} bytes"
                raise yaml.composer.ComposerError(None, None, fact, self.get_mark())
            self._limit = max(MAX_VALUES, len(content) // BYTES_PER_VALUE)
            self._depth = self._n_values = 0
            self._sizes: dict[int, int] = {}  # of the nodes that are complete, by id

        def compose_node(self, parent: Any, index: Any) -> Any:
            mark = self.peek_event().start_mark
            if self.check_event(yaml.AliasEvent):
                node = super().compose_node(parent, index)
                if id(node) not in self._sizes:
                    raise yaml.composer.ComposerError(None, None, "an alias stands inside what it stands for", mark)
                self._add(self._sizes[id(node)], mark)
                return node
            before = self._n_values
            self._add(1, mark)
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise yaml.composer.ComposerError(None, None, "it nests too deeply", mark)
            node = super().compose_node(parent, index)
            self._depth -= 1
            self._sizes[id(node)] = self._n_values - before
            return node

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep=deep)
            except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
                fact = f"this is no {str(node.tag).rpartition(':')[2]}"  # what PyYAML says of `!!bool x`: KeyError
                raise yaml.constructor.ConstructorError(None, None, fact, node.start_mark) from None

        def _add(self, n: int, mark: Any) -> None:
            self._n_values += n
            if self._n_values > self._limit:
                raise yaml.composer.ComposerError(None, None, f"it holds more than {self._limit:,} values", mark)

    return Bounded
