"""A composed config as a whole: every key in range, every block fit for its factory, before anything is loaded.

Blocks that describe the training are built once and thrown away, because only their factories know what goes together
(start and stop of a schedule); they are cheap until they meet data. Readers, tokenizers and trackers have their
arguments checked and are not built. No file is read but those named in `code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner import registry
from runner.blocks import accepted, check, load_code, resolve, resolve_argument
from runner.config import schema
from runner.errors import RunnerError
from runner.language import check_language


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a resolved, plain config that could not run. Raises RunnerError at the key that is wrong."""
    schema.check_ranges(config)
    load_code(config["code"])
    pipeline = config["pipeline"]
    if not pipeline["components"]:
        raise RunnerError("there is nothing to train", place="pipeline.components", hint="Choose pipeline=ner.")
    resolve(config["tok2vec"], "tok2vecs", "tok2vec")
    for name, block in pipeline["components"].items():
        resolve(block, "components", f"pipeline.components.{name}", extra={"name": name})
    check(pipeline["tokenizer"], "tokenizers", "pipeline.tokenizer")
    check_language(pipeline["tokenizer"], pipeline["lang"])
    resolve(config["optimizer"], "optimizers", "optimizer")
    check(config["corpus"]["reader"], "readers", "corpus.reader")
    resolve(config["batch"], "batchers", "batch")
    dropout = resolve_argument(config["dropout"], registry.Schedule, "dropout")
    share = dropout(0) if callable(dropout) else 0.0
    if not 0 <= share < 1:
        raise RunnerError(
            f"{share} is no share to drop", place="dropout", hint="Give numbers of at least 0 and less than 1."
        )
    for name, block in config["augmenters"].items():
        resolve(block, "augmenters", f"augmenters.{name}")
    check(tracker_block(config["tracking"]), "trackers", "tracking")


def tracker_block(tracking: Mapping[str, Any]) -> dict[str, Any]:
    """`tracking` without the shared keys that its tracker has no use for.

    >>> tracker_block({"type": "console", "uri": None, "experiment": "runner"})
    {'type': 'console'}
    """
    try:
        names = accepted("trackers", str(tracking["type"]))
    except RunnerError as error:
        raise error.at("tracking.type") from None
    return {
        key: value
        for key, value in tracking.items()
        if names is None or key in names or key not in schema.SHARED_TRACKING
    }
