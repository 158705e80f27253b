"""A run that starts from a trained model: what that model scored, and whether the run has done better."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.commands.result import Result
from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.config.schema import RunConfig
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.tracking.initial import initial_model
from runner.tracking.table import percent
from runner.training.loop import Plan
from runner.training.old_dev import OldDev


def starting_point(
    config: RunConfig,
    initial: Pipeline,
    learning: Sequence[str],
    dev: Sequence[Example],
    plan: Plan,
) -> dict[str, Any]:
    """Score the model before anything is learned, and print it. For summary.json.

    learning: the components that the run trains. The score is that of the run's only where the model gives all of its
    scores; else None.
    """
    assert config.init.model is not None
    weights = plan.score_weights
    names = [name for name in learning if initial.has_pipe(name)]
    scores: dict[str, Any] = {}
    if names:
        with initial.select_pipes(enable=names), np.errstate(all="ignore"):
            scores = {key: value for key, value in initial.evaluate(dev).items() if isinstance(value, float)}
    scores.pop("speed", None)
    score = final_score(scores, weights) if weights.keys() <= scores.keys() else None
    source = initial_model(config.init.model, config.tracking.get("uri")).source
    line = f"starts from {source.name}"
    old = plan.old_dev.before if plan.old_dev is not None else {}
    for where, known in (("dev set", scores), ("old dev set", old)):
        told = [
            f"{heading} {percent(known[key])}"
            for name in names
            for key, heading in initial.components[name].columns.items()
            if known.get(key) is not None
        ]
        line += f", on the {where}: {', '.join(told)}" if told else ""
    print(line, flush=True)
    frozen = [name for name, component in initial.components.items() if component.has_weights and name not in learning]
    kept = [name for name in frozen if name in config.pipeline.components]
    if kept:
        print(f"as they are, and not scored: {', '.join(kept)}", flush=True)
    return {
        "model": source.name,
        "weights_sha256": initial.meta.get("weights_sha256"),
        "score": score,
        "scores": scores,
        **({"old_dev": plan.old_dev.record()} if plan.old_dev is not None else {}),
    }


def check_old_dev(result: Result, old_dev: OldDev | None) -> None:
    """Raise RunnerError if a resumed run has other old dev data than before: what it forgot could not be compared."""
    before = (result.init or {}).get("old_dev")
    if result.init is not None and before != (old_dev.record() if old_dev is not None else None):
        fact = "the old dev data has changed since the run was interrupted"
        raise RunnerError(fact, place="corpus.old_dev", hint="Start again, without resume.")


def tell_if_worse(start: Mapping[str, Any] | None, best: Mapping[str, Any] | None) -> None:
    """Warn if no epoch has reached the score of the model that the run started from."""
    before = start.get("score") if start else None
    score = best.get("score") if best else None
    if before is not None and score is not None and score < before:
        warning = RunnerError(
            f"no epoch reached the score of the model that the run started from: {100 * score:.2f}, before {100 * before:.2f}",
            place="init.model",
            hint="Try a lower rate (optimizer.learn_rate=0.0003), or add some of the old training data.",
        )
        print(f"warning: {warning}", file=sys.stderr, flush=True)
