"""A schedule, an optimizer and a component from blocks; and what each wrong block is told."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import registry
from runner.blocks import accepted, check, resolve, resolve_argument
from runner.errors import RunnerError
from runner.registry import Schedule
from runner.user_code import load_code

pytestmark = pytest.mark.usefixtures("stand_ins")


def fails(block: Any, kind: str = "optimizers", place: str = "optimizer", **options: Any) -> str:
    with pytest.raises(RunnerError) as caught:
        check(block, kind, place, **options)
    return str(caught.value)


def test_a_bare_number_stands_for_a_constant_schedule() -> None:
    made = resolve({"type": "adam", "learn_rate": 0.002}, "optimizers", "optimizer")
    assert made["learn_rate"](0) == made["learn_rate"](5000) == 0.002
    assert made["beta1"] == 0.9


def test_a_nested_block_is_built_before_its_owner() -> None:
    rate = {"type": "decaying", "start": 0.6, "stop": 0.2, "decay": 0.1}
    made = resolve({"type": "adam", "learn_rate": rate}, "optimizers", "optimizer")
    assert [round(made["learn_rate"](step), 6) for step in (0, 1, 4, 9)] == [0.6, 0.5, 0.2, 0.2]


def test_the_code_gives_a_component_its_name() -> None:
    block = {"type": "ner", "tok2vec": {"type": "hash_embed_cnn", "width": 48}}
    made = resolve(block, "components", "pipeline.components.people", extra={"name": "people"})
    assert made["name"] == "people"
    assert made["tok2vec"]["width"] == 48
    text = fails({**block, "name": "x"}, "components", "pipeline.components.people", extra={"name": "people"})
    assert text.startswith("pipeline.components.people.name: the component 'ner' takes no 'name'")


def test_values_of_a_mapping_may_be_blocks() -> None:
    linear = {"type": "decaying", "start": 0.6, "stop": 0.2, "decay": 0.1}
    made = resolve({"type": "sgd", "learn_rate": 0.1, "rates": {"a": "0.5", "b": linear}}, "optimizers", "optimizer")
    assert made["rates"]["a"] == 0.5
    assert made["rates"]["b"](1) == 0.5


def test_dropout_is_a_number_or_a_block() -> None:
    assert resolve_argument(0.25, Schedule, "dropout")(7) == 0.25
    block = {"type": "decaying", "start": 0.6, "stop": 0.2, "decay": 0.1}
    assert resolve_argument(block, Schedule, "dropout")(1) == 0.5


def test_texts_that_read_as_numbers_are_numbers() -> None:
    made = resolve({"type": "adam", "beta1": "0.8", "learn_rate": "1e-2"}, "optimizers", "optimizer")
    assert made["beta1"] == 0.8
    assert made["learn_rate"](0) == 0.01
    assert resolve({"type": "hash_embed_cnn", "width": "64"}, "tok2vecs", "tok2vec")["width"] == 64


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (None, "optimizer: None is no block"),
        (3, "optimizer: 3 is no block"),
        ({}, "optimizer: the block has no type"),
        ({"type": 3}, "optimizer.type: 3 is no name"),
        ({"type": "adamm"}, "optimizer.type: unknown optimizer 'adamm'; did you mean 'adam'?"),
        ({"type": "adam", "lern_rate": 1},
         "optimizer.lern_rate: the optimizer 'adam' takes no 'lern_rate'; did you mean 'learn_rate'?"),
        ({"type": "sgd"}, "optimizer: the optimizer 'sgd' needs 'learn_rate'"),
        ({"type": "adam", "beta1": True}, "optimizer.beta1: true is not a number"),
        ({"type": "adam", "beta1": "x"}, "optimizer.beta1: 'x' is not a number"),
        ({"type": "adam", "beta1": None}, "optimizer.beta1: null is not a number"),
        ({"type": "adam", "beta1": [1]}, "optimizer.beta1: [1] is not a number"),
        ({"type": "adam", "beta1": math.nan}, "optimizer.beta1: nan is not a finite number"),
        ({"type": "adam", "beta1": "inf"}, "optimizer.beta1: 'inf' is not a finite number"),
        ({"type": "adam", "use_averages": "maybe"}, "optimizer.use_averages: 'maybe' is not true or false"),
        ({"type": "adam", "learn_rate": True}, "optimizer.learn_rate: true is not a number"),
        ({"type": "adam", "learn_rate": None}, "optimizer.learn_rate: null is not a number"),
        ({"type": "adam", "learn_rate": {"value": 1}}, "optimizer.learn_rate: the block has no type"),
        ({"type": "adam", "learn_rate": {"type": "constant", "valu": 1}}, "optimizer.learn_rate.valu: the schedule"),
        ({"type": "sgd", "learn_rate": 1, "rates": 3},
         "optimizer.rates: 3 is not a mapping, each value a number or a block of schedules"),
        ({"type": "sgd", "learn_rate": 1, "rates": {"a": "x"}}, "optimizer.rates.a: 'x' is not a number"),
        ({"type": "sgd", "learn_rate": 1, "rates": {"a": True}}, "optimizer.rates.a: true is not a number"),
        ({"type": "sgd", "learn_rate": 1, "rates": {"a": {"value": 1}}}, "optimizer.rates.a: the block has no type"),
        ({"type": "adam", "learn_rate": {"type": "constant"}},
         "optimizer.learn_rate: the schedule 'constant' needs 'value'"),
    ],
)  # fmt: skip
def test_a_wrong_block_is_told_where_and_why(block: Any, expected: str) -> None:
    text = fails(block)
    assert text.startswith(expected)
    assert len(text.splitlines()) <= 2


def test_a_list_names_the_item_that_is_wrong() -> None:
    text = fails({"type": "hash_embed_cnn", "features": ["norm", {"a": 1}]}, "tok2vecs", "tok2vec")
    assert text.startswith("tok2vec.features.1: ")


def test_what_a_factory_finds_wrong_gets_the_place() -> None:
    block = {"type": "adam", "L2": {"type": "decaying", "start": 0.1, "stop": 0.2, "decay": 0.1}}
    check(block, "optimizers", "optimizer")  # each argument is fine by itself
    with pytest.raises(RunnerError, match=r"^optimizer.L2: stop 0.2 must lie between 0 and start 0.1"):
        resolve(block, "optimizers", "optimizer")


def test_optional_blocks_literals_and_open_factories(monkeypatch: pytest.MonkeyPatch) -> None:
    def fancy(mode: Literal["a", "b"], size: Schedule | None = None, path: Path | None = None) -> Any:
        return mode, size, path

    def loose(**options: Any) -> Any:
        return options

    factories: dict[str, Callable[..., Any]] = {"fancy": fancy, "loose": loose}
    monkeypatch.setattr(registry.augmenters, "_factories", factories)
    monkeypatch.setattr(registry.augmenters, "_is_filled", True)
    # The hints of a local function are strings here, too: `from __future__ import annotations` is on.
    assert resolve({"type": "fancy", "mode": "a", "size": None}, "augmenters", "x") == ("a", None, None)
    assert fails({"type": "fancy", "mode": "c"}, "augmenters", "x").startswith("x.mode: 'c' is not one of a, b")
    assert resolve({"type": "loose", "what": [1, True]}, "augmenters", "x") == {"what": [1, True]}
    assert accepted("augmenters", "loose") is None
    assert accepted("augmenters", "fancy") == {"mode", "size", "path"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "value", "x"]), inner),
        max_leaves=6,
    )
)
def test_any_value_is_a_rate_or_a_message(value: Any) -> None:
    try:
        made = resolve({"type": "adam", "learn_rate": value}, "optimizers", "optimizer")
    except RunnerError as error:
        made, message = None, str(error)
    if made is None:
        assert message.startswith("optimizer.learn_rate")
        assert len(message.splitlines()) <= 2
    else:
        assert math.isfinite(made["learn_rate"](0))


def test_code_is_loaded_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from runner import registry\n\n"
        "@registry.schedules('flat')\ndef flat(height: float):\n    return lambda step: height\n"
    )
    load_code([str(file)])
    load_code(["mine.py", str(file)])
    assert resolve({"type": "flat", "height": 2}, "schedules", "dropout")(9) == 2.0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n1 / 0\n", ":2: ZeroDivisionError: division by zero"),
        ("x = 1\ndef broken(:\n", ":2: SyntaxError"),
        ("import no_such_thing\n", ":1: ModuleNotFoundError"),
        (
            "from runner import registry\nregistry.schedules('constant')(print)\n",
            ":2: the schedule 'constant' is already",
        ),
    ],
)
def test_broken_code_names_file_and_line(tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    before = set(sys.modules)
    with pytest.raises(RunnerError) as caught:
        load_code(["broken.py"])
    assert str(caught.value).startswith("broken.py" + expected)
    assert not any("runner_user_code_broken" in name for name in set(sys.modules) - before)


def test_missing_code_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"code: there is no file 'nowhere.py'") as caught:
        load_code(["nowhere.py"])
    assert str(tmp_path) in str(caught.value)
