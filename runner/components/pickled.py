"""A pipeline for pickle, copy and spawned workers: the bytes of its model folder, and what no folder holds.

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        docs = pool.map(nlp, texts)

The bytes are read as any model folder is (storage.py), checksums included. The optimizer stays behind. Files of `code:` are
taken from where this process took them.
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
    """What travels of a pipeline."""

    ops_name: str
    threads: int | None
    selections: list[Selection]

    def select_pipes(self, *, enable: Any = None, disable: Any = None) -> Selection: ...


P = TypeVar("P", bound=Pickled)
Restore = Callable[[Mapping[str, bytes], Mapping[str, Any]], P]


def reduced(pipeline: P, restore: Restore[P]) -> tuple[Restore[P], tuple[dict[str, bytes], dict[str, Any]]]:
    """What `Pipeline.__reduce__` returns. Raises RunFailed where a weight is not finite."""
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
    """The pipeline that was reduced to these. load: reads a model folder.

    Raises RunnerError where the files are damaged or do not fit each other.
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
