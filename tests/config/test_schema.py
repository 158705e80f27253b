"""The manual is complete, and the files of conf/ say what it says."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from omegaconf import OmegaConf

from runner.config import schema
from runner.config.compose import compose
from runner.config.nodes import compose_node
from runner.config.ranges import check_ranges
from runner.errors import RunnerError


def plain() -> dict[str, Any]:
    values: Any = OmegaConf.to_container(schema.typed_base())
    return values  # type: ignore[no-any-return]


def test_every_key_has_a_meaning_in_one_line() -> None:
    entries = {entry.key: entry for entry in schema.manual()}
    assert all(entry.meaning and "\n" not in entry.meaning for entry in entries.values())
    assert entries["training.max_epochs"].type == "int or null"
    assert entries["training.patience"].type == "int or null"
    assert entries["optimizer"].type == "block of optimizers"


def test_yaml_and_schema_agree() -> None:
    node = compose_node()
    for entry in schema.manual():
        value: Any = OmegaConf.select(node, entry.key)
        if "block" in entry.type or entry.key.startswith("corpus.") or entry.key.endswith("score_weights"):
            continue  # their values are the decision of a file
        assert (list(value) if OmegaConf.is_list(value) else value) == entry.default, entry.key


@pytest.mark.parametrize(
    ("place", "value", "fact"),
    [
        ("seed", -1, "must be at least 0, got -1"),
        ("seed", 2**32, "must be at most 4294967295, got 4294967296"),
        ("training.max_epochs", 0, "must be at least 1, got 0"),
        ("training.eval_every", 0, "must be at least 1, got 0"),
        ("compute.threads", 0, "must be at least 1, got 0"),
        ("compute.ops", "bliss", "unknown value 'bliss'; did you mean 'blis'?"),
        ("compute.device", "gpu", "unknown value 'gpu'"),
        ("corpus.fold", 2, "there is no fold 2 among no folds"),
        ("pipeline.score_weights.ents_f", -1.0, "a score's weight must be a finite number of at least 0, got -1.0"),
        (
            "pipeline.score_weights.ents_f",
            {"x": 1},
            "a score's weight must be a finite number of at least 0, got {'x': 1}",
        ),
        ("pipeline.score_weights.ents_f", True, "a score's weight must be a finite number of at least 0, got True"),
        ("training.max_epochs", "many", "many is not of type int"),
        ("training.max_epochs", True, "True is not of type int"),
        ("corpus.limit", {"x": 1}, "{'x': 1} is not of type int"),
        ("code", 0.5, "0.5 is not of type list[str]"),
        ("training.colour", 1, "there is no such key"),
    ],
)
def test_values_without_sense(place: str, value: Any, fact: str) -> None:
    values = copy.deepcopy(plain())
    *path, last = place.split(".")
    level = values
    for part in path:
        level = level[part]
    level[last] = value
    with pytest.raises(RunnerError) as caught:
        check_ranges(values)
    assert str(caught.value).startswith(f"{place}: {fact}")


def test_a_run_config_is_plain() -> None:
    config = compose(["tok2vec.width=48", "training.max_epochs=3"])
    assert config.training.max_epochs == 3
    assert config.pipeline.components["ner"]["tok2vec"]["width"] == 48
    assert config.output_dir.is_absolute()
    assert config.choices["optimizer"] == "adam"
    resolved = config.as_dict()
    assert type(resolved["pipeline"]["components"]["ner"]) is dict
    resolved["seed"] = 9
    assert config.as_dict()["seed"] == 0
    assert set(resolved) == {f.name for f in dataclasses.fields(schema.RootConfig)}
