"""Values of the right type that are out of range, or contradict one another; Hydra has checked the types against the schema."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from runner.config.schema import OPEN, RootConfig, described, section_in
from runner.errors import RunnerError, suggest


def check_ranges(config: Mapping[str, Any]) -> None:
    """Raises RunnerError, at the key, for a value of the right type that is out of range or contradicts another key."""
    _check_level(RootConfig, config, "")
    for name, weight in config["pipeline"]["score_weights"].items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight < float("inf"):
            raise RunnerError(
                f"a score's weight must be a finite number of at least 0, got {weight!s:.60}",
                place=f"pipeline.score_weights.{name}",
            )
    if config["teacher"]["texts"] is not None and config["teacher"]["type"] is None:
        raise RunnerError(
            "there are texts to learn from a teacher, and no teacher",
            place="teacher.texts",
            hint="Add teacher=model teacher.model=MODEL; or, with init.model=MODEL, teacher=itself or teacher=labels.",
        )
    pipeline = config["pipeline"]
    if config["training"]["best_epoch"] == "each" and pipeline["shared_tok2vec"] and len(pipeline["components"]) > 1:
        raise RunnerError(
            "components that share a tok2vec must come from the same epoch",
            place="training.best_epoch",
            hint="Set training.best_epoch=shared, or pipeline.shared_tok2vec=false.",
        )
    corpus = config["corpus"]
    if corpus["fold"] is not None and (corpus["folds"] is None or corpus["fold"] >= corpus["folds"]):
        raise RunnerError(
            f"there is no fold {corpus['fold']} among {corpus['folds'] or 'no'} folds",
            place="corpus.fold",
            hint="Set corpus.folds to the number of folds, and corpus.fold to a number from 0 to one less.",
        )


def _check_level(kind: Any, values: Mapping[str, Any], prefix: str) -> None:
    """Check the values of one section against its dataclass, and those of the sections in it."""
    known = {f.name: f for f in dataclasses.fields(kind)}
    for name in values:
        if name not in known and prefix.rstrip(".") not in OPEN:
            raise RunnerError(f"there is no such key; {suggest(str(name), known)}", place=f"{prefix}{name}")
    for name, f in known.items():
        place = f"{prefix}{name}"
        if name not in values:
            raise RunnerError("the key was deleted", place=place, hint=f"Leave ~{place} out.")
        value = values[name]
        nested = section_in(f)
        if nested is not None:
            if not isinstance(value, Mapping):
                raise RunnerError(f"{value!r} is not a mapping", place=place, hint="Set the keys in it one by one.")
            _check_level(nested, value, f"{place}.")
            continue
        meta = f.metadata
        if value is None:
            continue
        if not _is_of(str(f.type), value):  # Hydra has checked the type, except where ${...} stood
            kind_text = re.sub(r"Optional\[(\w+)\]", r"\1", str(f.type))
            raise RunnerError(f"{str(value)[:60]} is not of type {kind_text}", place=place, hint=described(place))
        if isinstance(value, int) and abs(value) > 2**53:
            raise RunnerError("the number is too large", place=place, hint=described(place))
        if meta["low"] is not None and value < meta["low"]:
            raise RunnerError(f"must be at least {meta['low']}, got {value}", place=place, hint=described(place))
        if meta["high"] is not None and value > meta["high"]:
            raise RunnerError(f"must be at most {meta['high']}, got {value}", place=place, hint=described(place))
        if meta["one_of"] and value not in meta["one_of"]:
            raise RunnerError(f"unknown value {value!r}; {suggest(value, meta['one_of'])}", place=place)


def _is_of(type_text: str, value: Any) -> bool:
    """Whether a plain value fits the type of a key, given as text; True for a block."""
    name = type_text.removeprefix("Optional[").removesuffix("]") if type_text.startswith("Optional[") else type_text
    if name == "list[str]":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    kinds: dict[str, Any] = {"int": int, "float": (int, float), "str": str, "bool": bool}
    is_bool = isinstance(value, bool)
    return name not in kinds or (isinstance(value, kinds[name]) and is_bool == (name == "bool"))
