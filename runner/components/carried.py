"""files.msgpack of a saved model: the files that components need beside their weights.

contents     sha256 → bytes, each file once, however many components need it
components   component → file name → sha256
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import srsly

from runner.components.base import Component
from runner.errors import RunnerError

CARRIED = "files.msgpack"
MAX_CARRIED = 2 << 30  # bytes
_REST = 1 << 20  # bytes of it for all but the contents


def check_files(components: Iterable[Component]) -> None:
    """Read the files that components need. Raises RunnerError if one is missing, or a model with all of them is too large."""
    sizes = {content: len(content) for component in components for content in component.files().values()}
    if (total := sum(sizes.values())) > MAX_CARRIED - _REST:
        raise RunnerError(
            f"the model would hold {total:,} bytes of files beside its weights; {MAX_CARRIED - _REST:,} at most are read again",
            place="pipeline.components",
            hint="Keep fewer word vectors, for example vectors.prune=100000.",
        )


def packed_files(components: Mapping[str, Component]) -> bytes | None:
    """The content of files.msgpack; None if no component needs a file."""
    files = {name: own for name, component in components.items() if (own := component.files())}
    if not files:
        return None
    contents = {_sha256(content): content for own in files.values() for content in own.values()}
    places = {
        name: {file: _sha256(content) for file, content in sorted(own.items())} for name, own in sorted(files.items())
    }
    packed: bytes = srsly.msgpack_dumps({"components": places, "contents": dict(sorted(contents.items()))})
    return packed


def give_files(components: Mapping[str, Component], carried: Mapping[str, Any]) -> None:
    """Give each component its files, and none to a component that has none: then it reads no other file either.

    carried: the content of files.msgpack, or {}. Raises ValueError or KeyError if the files are not those that are needed.
    """
    contents, places = carried.get("contents", {}), carried.get("components", {})
    if not all(isinstance(content, bytes) for content in contents.values()) or not places.keys() <= components.keys():
        raise ValueError("the files of a component are of none in the model")
    for name, component in components.items():
        component.take_files({str(file): contents[digest] for file, digest in places.get(name, {}).items()})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
