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
from typing import TYPE_CHECKING, Any

from runner.blocks import loaded_code
from runner.components.storage import contents, load, write

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline


def reduced(pipeline: Pipeline) -> tuple[Callable[..., Pipeline], tuple[dict[str, bytes], dict[str, Any]]]:
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
    return restored, (contents(pipeline, "pickle"), state)


def restored(files: Mapping[str, bytes], state: Mapping[str, Any]) -> Pipeline:
    """The pipeline that was reduced to these. Raises RunnerError where the files are damaged or do not fit each other."""
    with TemporaryDirectory(prefix="runner-") as folder:
        write(files, Path(folder) / "model")
        nlp = load(Path(folder) / "model", state["code"], state["ops"], state["threads"])
    nlp.network.seed = state["seed"]
    nlp.meta = dict(state["meta"])
    nlp.parameters.learned = set(state["learned"])
    for kind, names in state["selections"]:
        nlp.select_pipes(**{kind: names})
    return nlp
