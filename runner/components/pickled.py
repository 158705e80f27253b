"""Turn a pipeline into bytes, pickle or copy it, or send it to spawned workers: the bytes of its model folder's files.

    nlp = runner.blank().from_bytes(data)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        docs = pool.map(nlp, texts)

The bytes are read like any model folder (storage.py), with checksums. The optimizer is not included. A pickle also holds
the pipeline's state in memory, and loads files of `code:` from the same paths as in this process. The bytes of `to_bytes`
hold what the folder holds and no pickle: a msgpack map of file name → content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import srsly

from runner.components.carried import CARRIED
from runner.components.selection import Selection
from runner.components.storage import FILES, Stored, contents, unpacked, write
from runner.errors import RunnerError
from runner.user_code import loaded_code


class Pickled(Stored, Protocol):
    """The parts of a pipeline that are pickled."""

    ops_name: str
    threads: int | None
    selections: list[Selection]

    def select_pipes(self, *, enable: Any = None, disable: Any = None) -> Selection: ...


P = TypeVar("P", bound=Pickled)
Restore = Callable[[Mapping[str, bytes], Mapping[str, Any]], P]


def reduced(pipeline: P, restore: Restore[P]) -> tuple[Restore[P], tuple[dict[str, bytes], dict[str, Any]]]:
    """Return the result of `Pipeline.__reduce__`. Raises RunFailed if a weight is not finite."""
    state = {
        "ops": pipeline.ops_name,
        "threads": pipeline.threads,
        "seed": pipeline.network.seed,
        "meta": pipeline.meta,
        "learned": sorted(pipeline.parameters.learned),
        "selections": [(selection.kind, selection.names) for selection in pipeline.selections],
        "code": loaded_code(pipeline.describe().get("code", ())),
    }
    return restore, (contents(pipeline, "pickle"), state)


def restored(load: Callable[..., P], files: Mapping[str, bytes], state: Mapping[str, Any]) -> P:
    """Rebuild a pipeline from the values of `reduced`. load: reads a model folder.

    Raises RunnerError if the files are damaged or do not fit each other.
    """
    with TemporaryDirectory(prefix="runner-") as folder:
        write(files, Path(folder) / "model")
        nlp = load(Path(folder) / "model", state["code"], state["ops"], state["threads"])
    nlp.network.seed = state["seed"]
    nlp.meta = dict(state["meta"])
    nlp.parameters.learned = set(state["learned"])
    for kind, names in state["selections"]:
        nlp.select_pipes(**{kind: names})
    return nlp


def to_bytes(pipeline: Stored) -> bytes:
    """The files of the model folder in one msgpack map. Raises RunFailed if a weight is not finite."""
    packed: bytes = srsly.msgpack_dumps(contents(pipeline, "to_bytes"))
    return packed


def from_bytes(load: Callable[..., P], data: bytes, how: tuple[Any, ...]) -> P:
    """The pipeline of `to_bytes`. load: reads a model folder. how: its other arguments.

    Raises RunnerError if these are other bytes, or they are damaged.
    """
    hint = "Give what nlp.to_bytes() returned."
    if not isinstance(data, bytes | bytearray | memoryview):
        raise RunnerError(f"the bytes of a pipeline are a {type(data).__name__}", hint=hint)
    try:
        files = unpacked(bytes(data))
        if not set(FILES) <= files.keys() <= {*FILES, CARRIED} or not all(
            isinstance(content, bytes) for content in files.values()
        ):
            raise ValueError("the names are others")
    except (TypeError, ValueError):
        raise RunnerError(f"these {len(data):,} bytes are no pipeline", hint=hint) from None
    with TemporaryDirectory(prefix="runner-") as folder:
        path = Path(folder) / "model"
        write(files, path)
        try:
            return load(path, *how)
        except RunnerError as error:
            place = (error.place or "").replace(str(path), "the bytes")
            hint = (
                (error.hint or "").replace("the folder", "the bytes").replace("runner.load(path", "nlp.from_bytes(data")
            )
            raise RunnerError(error.fact, place=place, hint=hint) from error.__cause__
