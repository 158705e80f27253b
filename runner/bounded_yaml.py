"""Read YAML whose values are bounded in number and depth, so that no file fills the memory of whoever opens it.

Each use of an alias (`*name`) counts as all the values that it expands to: the ten lines of a "billion laughs" are refused
before any value is made. PyYAML's safe loader refuses Python objects.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_BYTES = 1 << 20  # PyYAML reads some hundred kilobytes a second
MAX_VALUES = 50_000  # keys included, aliases expanded; a longer text may have one for each
BYTES_PER_VALUE = 8  # of its bytes
MAX_DEPTH = 100


def read(text: str | bytes) -> Any:
    """The plain value of a YAML text. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=bounded(yaml.SafeLoader))


def bounded(loader: Any) -> Any:
    """A subclass of `loader` (a safe loader class of PyYAML's) that raises MarkedYAMLError where a text exceeds a limit."""

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
            self._sizes: dict[int, int] = {}  # id of each complete node → number of its values

        def compose_node(self, parent: Any, index: Any) -> Any:
            mark = self.peek_event().start_mark
            if self.check_event(yaml.AliasEvent):
                node = super().compose_node(parent, index)
                if id(node) not in self._sizes:
                    raise yaml.composer.ComposerError(None, None, "an alias stands inside its own anchor", mark)
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

        def construct_object(self, node: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().construct_object(node, *args, **kwargs)
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                ArithmeticError,
            ):  # PyYAML's, as KeyError for `!!bool x`
                fact = f"the value is not of type {str(node.tag).rpartition(':')[2]}"
                raise yaml.constructor.ConstructorError(None, None, fact, node.start_mark) from None

        def _add(self, n: int, mark: Any) -> None:
            self._n_values += n
            if self._n_values > self._limit:
                raise yaml.composer.ComposerError(None, None, f"it holds more than {self._limit:,} values", mark)

    return Bounded
