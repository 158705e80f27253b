"""Check a composed config before anything is loaded: every key is in range, every block fits its factory.

Blocks that describe the training are built once and thrown away, because only their factories know which values go
together (start and stop of a schedule); building them is cheap without data. Readers, tokenizers and trackers are not
built: only their arguments are checked. The files named in `code` are read, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner import registry
from runner.blocks import accepted, check, resolve, resolve_argument
from runner.config import schema
from runner.config.auto import NOMINAL
from runner.config.ranges import check_ranges
from runner.errors import RunnerError
from runner.languages import check_language
from runner.user_code import load_code


def check_config(config: Mapping[str, Any]) -> None:
    """Raises RunnerError, at the key that is wrong, if the resolved, plain `config` could not run."""
    check_ranges(config)
    load_code(config["code"])
    pipeline = config["pipeline"]
    if not pipeline["components"]:
        raise RunnerError("there is nothing to train", place="pipeline.components", hint="Choose pipeline=ner.")
    resolve(NOMINAL.in_tok2vec(config["tok2vec"]), "tok2vecs", "tok2vec")
    for name, block in pipeline["components"].items():
        resolve(NOMINAL.in_component(block, name), "components", f"pipeline.components.{name}", extra={"name": name})
    check(pipeline["tokenizer"], "tokenizers", "pipeline.tokenizer")
    check_language(pipeline["tokenizer"], pipeline["lang"])
    resolve(NOMINAL.in_optimizer(config["optimizer"]), "optimizers", "optimizer")
    check(config["corpus"]["reader"], "readers", "corpus.reader")
    resolve(NOMINAL.in_batch(config["batch"]), "batchers", "batch")
    dropout = resolve_argument(NOMINAL.in_dropout(config["dropout"]), registry.Schedule, "dropout")
    share = dropout(0) if callable(dropout) else 0.0
    if not 0 <= share < 1:
        raise RunnerError(
            f"dropout must be at least 0 and below 1, got {share}", place="dropout", hint="0.1 is a common choice."
        )
    weight = resolve_argument(NOMINAL.in_weight(config["teacher"]["weight"]), registry.Schedule, "teacher.weight")
    if not 0 <= (first := weight(0)) <= 1:
        hint = schema.described("teacher.weight")
        raise RunnerError(f"must be from 0 to 1, got {first:g}", place="teacher.weight", hint=hint)
    for name, block in config["augmenters"].items():
        resolve(block, "augmenters", f"augmenters.{name}")
    check(tracker_block(config["tracking"]), "trackers", "tracking")


def tracker_block(tracking: Mapping[str, Any]) -> dict[str, Any]:
    """`tracking` without the shared keys that its tracker does not take.

    >>> tracker_block({"type": "console", "uri": None, "experiment": "runner"})
    {'type': 'console'}
    """
    try:
        names = accepted("trackers", str(tracking["type"]))
    except RunnerError as error:
        raise error.at("tracking.type") from None
    if names is not None and "register" not in names and tracking.get("register") is not None:
        fact = f"the tracker {tracking['type']!r} has no model registry"
        raise RunnerError(fact, place="tracking.register", hint="Track in MLflow: tracking=mlflow")
    return {
        key: value
        for key, value in tracking.items()
        if names is None or key in names or key not in schema.SHARED_TRACKING
    }
