"""Pickle or copy a pipeline, or send it to spawned workers: its model folder's bytes, and its state in memory.

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        docs = pool.map(nlp, texts)

The bytes are read like any model folder (storage.py), with checksums. The optimizer is not included. Files of `code:` are
loaded from the same paths as in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

from runner.components.selection import Selection
from runner.components.storage import Stored, contents, write
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
