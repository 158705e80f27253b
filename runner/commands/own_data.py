"""The texts that a command with a MODEL looks at: files that the user names, or a part of the run's own corpus."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.commands.model_flags import read_data
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline
    from runner.corpus.datasets import Held
    from runner.tracking.model_source import ModelSource
    from runner.tracking.past_run import PastRun


def examples_for(
    options: argparse.Namespace,
    source: ModelSource,
    config: Mapping[str, Any] | None,
    nlp: Pipeline,
    splits: Sequence[str],
) -> tuple[Held, str | None]:
    """The data to look at, and the part of the run's corpus that it is; None for files that the user names.

    options: of add_data_flags, `data` and `split`. config: of the run, None: unknown. splits: parts of the run's corpus; the
    first that the run has is taken if the user names neither files nor a part. Raises RunnerError.
    """
    from runner.assemble import recorded_part

    if options.data:
        if options.split is not None:
            raise RunnerError("is for the run's own data", place="--split", hint="Leave it out, or leave DATA out.")
        return read_data(options, options.data, nlp), None
    for flag, value in (
        ("--from", options.source != "auto"),
        ("--option", options.options),
        ("--limit", options.limit),
    ):
        if value:
            raise RunnerError("is for files that you name", place=flag, hint="Name DATA, or leave the flag out.")
    if config is None:
        raise RunnerError("it is not known what the model was trained on", place=source.name, hint="Name DATA.")
    split = options.split or next((name for name in splits if config["corpus"].get(name) is not None), splits[-1])
    gold_tokens = {"gold": True, "predicted": False, None: None}[options.tokens]
    try:
        held = recorded_part(config, split, nlp, gold_tokens=gold_tokens)
    except RunnerError as error:
        if (error.place or "").startswith("corpus."):
            hint = "Paths count from the folder in which the run was started; go there, or name DATA."
            raise RunnerError(error.fact, place=error.place, hint=hint) from None
        raise
    _tell_changes(source.run(), held, split)
    return held, split


def _tell_changes(run: PastRun | None, held: Held, split: str) -> None:
    """Say on stderr if a file is not what it was when the run read it."""
    before = run.digests(split) if run is not None else None
    changed = [str(one.path) for one in held.sources if before is not None and one.sha256 not in before]
    if changed:
        print(f"warning: changed since the run read the {split} data: {', '.join(changed)}", file=sys.stderr)


def ops_of(config: Mapping[str, Any] | None) -> str:
    """What the run computed with, if its library is here: another rounds otherwise."""
    ops = str((config or {}).get("compute", {}).get("ops", "numpy"))
    if ops == "numba":
        import importlib.util

        return ops if importlib.util.find_spec("numba") is not None else "numpy"
    return ops
