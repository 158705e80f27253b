"""Keys and options that the text of the pages names in `code` exist: `training.max_rollbacks=3`, `corpus=wnut17`."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import registry
from runner.config import nodes, schema
from runner.config.conf_folder import conf_dir
from tests.pages import parsed
from tests.pages.blocks import PAGES, ROOT

PLACES = {  # key of a block → the kind of registry entry that it holds
    "optimizer": "optimizers", "tok2vec": "tok2vecs", "tok2vec.beside": "tok2vecs", "tok2vec.context": "tok2vecs",
    "vectors": "vectors", "batch": "batchers",
    "dropout": "schedules", "corpus.reader": "readers", "pipeline.tokenizer": "tokenizers", "tracking": "trackers",
}  # fmt: skip
OF_READERS_OWN = re.compile(r"pipeline\.components\.|augmenters\.|hydra\.(launcher|job|run|sweep)\b")
_OVERRIDE = re.compile(r"[+~]?([a-z][\w/.]*)=(\S*)")


def spans(page: Path) -> Iterator[str]:
    """The inline code of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf8"), flags=re.M | re.S)
    yield from re.findall(r"`([^`\n]+)`", text)


def overrides(span: str) -> list[tuple[str, str]]:
    """(key, value) of each override, if the span is overrides, with or without a command before them; else none.

    A key without a dot that is no key of a run is an argument of a function, unless a command stands before it.
    """
    is_command = span.startswith("python -m runner ")
    words = span.removeprefix("python -m runner ").removeprefix("debug ").split()
    found = [_OVERRIDE.fullmatch(word) for word in words if word != "-m"]
    pairs = [(match[1], match[2]) for match in found if match] if found and all(found) else []
    return [
        (key, value) for key, value in pairs if is_command or "." in key or key in keys() or (conf_dir() / key).is_dir()
    ]


def section_keys(kind: Any, prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(kind):
        inner = field.default_factory
        yield f"{prefix}{field.name}"
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            yield from section_keys(inner, f"{prefix}{field.name}.")


@cache
def keys() -> frozenset[str]:
    """Every key of the schema, and of each block with each entry of its kind."""
    known = set(section_keys(schema.RootConfig))
    for place, kind in PLACES.items():
        for name in registry.KINDS[kind].names():
            known |= {
                f"{place}.{argument}" for argument in inspect.signature(registry.KINDS[kind].get(name)).parameters
            }
        known.add(f"{place}.type")
    for sweeper in (nodes.GridKeys, nodes.SearchKeys):
        known |= {f"hydra.sweeper.{field.name}" for field in dataclasses.fields(sweeper)}
    return frozenset(known)


def fault(key: str, value: str) -> str | None:
    """What is wrong with an override that a page names; None if nothing is."""
    if (conf_dir() / key).is_dir():
        names = {file.stem for file in (conf_dir() / key).glob("*.yaml")}
        wrong = [name for name in value.strip("[]").split(",") if re.fullmatch(r"[a-z]\w*", name) and name not in names]
        return f"{key} has no option {wrong[0]}" if wrong and "mine" not in wrong else None
    if key in ("hydra/sweeper", "hydra/launcher") or OF_READERS_OWN.match(key) or key in keys():
        return None
    return f"there is no key {key}"


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_the_keys_that_the_text_names_exist(page: Path) -> None:
    faults = [f"{told} in `{span}`" for span in spans(page) for word in overrides(span) if (told := fault(*word))]
    assert not faults


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_the_options_that_the_text_names_exist(page: Path) -> None:
    """Those of commands in `code` with options; `evaluate --split` alone names a command and no call of it."""
    calls = [span for span in spans(page) if re.match(r"python -m [\w.]+ .*-", span)]
    assert [f"{told}: `{span}`" for span in calls if (told := parsed.fault(span))] == []


def test_an_option_that_is_gone_is_told() -> None:
    assert parsed.fault("python -m runner evaluate MODEL --splits dev") == "unrecognized arguments: --splits dev"
    assert "invalid" in (parsed.fault("python -m benchmarks speed --turns many") or "")
    assert parsed.fault("python -m runner predict MODEL texts.txt -o out.jsonl --workers 2") is None


def test_a_key_that_is_gone_is_told() -> None:
    assert fault("training.patiance", "3") == "there is no key training.patiance"
    assert fault("corpus", "wnut18") == "corpus has no option wnut18"
    assert fault("optimizer.beta3", "0") == "there is no key optimizer.beta3"
    assert overrides("python -m runner -m optimizer=adam,radam seed=0,1") == [
        ("optimizer", "adam,radam"),
        ("seed", "0,1"),
    ]


def test_the_values_of_presets_are_read() -> None:
    content = yaml.safe_load((conf_dir() / "training" / "default.yaml").read_text(encoding="utf8"))
    assert {f"training.{key}" for key in content} <= keys()
