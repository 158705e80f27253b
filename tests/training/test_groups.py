"""Groups of weights with their own factor of the rate: what a pattern fits, and that each group moves as if it were alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RunFailed, RunnerError
from runner.model.chain import chain
from runner.model.linear import linear
from runner.model.parameters import Parameters, learns
from runner.training.adam import adam
from runner.training.groups import groups, outside, resting
from runner.training.optimizers import radam, sgd
from runner.training.schedules import delayed
from runner.training.schedules import linear as linear_schedule


def parameters_of(*names: str) -> Parameters:
    parameters = Parameters()
    parameters.bind({"all": chain("all", *(linear(name, nO=2, nI=3) for name in names))}, 0)
    parameters.weights[...] = np.random.default_rng(0).normal(size=parameters.weights.shape)
    return parameters


def test_a_pattern_is_parts_of_a_path_and_the_last_that_fits_counts() -> None:
    parameters = parameters_of("ner/tok2vec/encoder/layer0", "ner/tok2vec/encoder/layer1", "ner/head", "tagger/encoder")
    made = groups(parameters, {"tok2vec/encoder": 0.05, "encoder/layer[1-9]": 0.1, "tagger/*/b": 0.0})
    assert {name: [(at.start, at.stop) for at in group.spans] for name, group in made.items()} == {
        "ner × 0.05": [(0, 8)],
        "ner × 0.1": [(8, 16)],
        "ner": [(16, 24)],
        "tagger": [(24, 30)],
        "tagger × 0.0": [(30, 32)],
    }


def test_without_rates_a_component_is_a_group() -> None:
    made = groups(parameters_of("ner/a", "ner/b", "tagger/a"), {})
    assert {name: group.spans for name, group in made.items()} == {"ner": [slice(0, 16)], "tagger": [slice(16, 24)]}


@pytest.mark.parametrize("make", [adam, sgd, radam])
@pytest.mark.parametrize("factor", [0.0, 0.05, 3.0])
def test_a_group_moves_as_with_a_rate_of_its_own(make: object, factor: float) -> None:
    """Beside another group, with the factor; and alone, with the product of factor and rate."""
    both, alone, rest = parameters_of("a/x/W1", "a/y/W2"), parameters_of("a/x/W1"), parameters_of("a/y/W2")
    rest.weights[...] = both.weights[8:]
    settings = {"L2": 0.1, "grad_clip": 1.0}
    for parameters, optimizer, at in (
        (both, make(learn_rate=0.01, rates={"a/x": factor}, **settings), slice(0, 16)),
        (alone, make(learn_rate=0.01 * factor, **settings), slice(0, 8)),
        (rest, make(learn_rate=0.01, **settings), slice(8, 16)),
    ):
        rng = np.random.default_rng(5)
        for _ in range(30):
            parameters.gradient[...] = rng.normal(size=16).astype("float32")[at]
            optimizer(parameters)
    np.testing.assert_allclose(both.weights[:8], alone.weights, atol=2e-6)
    np.testing.assert_allclose(both.weights[8:], rest.weights, atol=2e-6)


@pytest.mark.parametrize("make", [adam, sgd, radam])
def test_while_its_factor_is_0_a_group_rests_and_then_moves_as_from_there(make: Any) -> None:
    """Weights, moments and averages of a scheduled group, beside those of a run that begins where the rest ends."""
    rests = delayed(value=0.5, share=0.5, total_steps=8)
    parameters, start = parameters_of("a/x", "a/y"), parameters_of("a/x", "a/y").weights.copy()
    optimizer = make(learn_rate=0.01, L2=0.1, rates={"a/x": rests})
    made = groups(parameters, optimizer.rates)
    assert {name: group.spans for name, group in made.items()} == {"a × a/x": [slice(0, 8)], "a": [slice(8, 16)]}
    for step in range(6):
        parameters.freeze(optimizer.resting(parameters))
        optimizer.prepare(parameters)
        assert optimizer.scheduled_rates(step) == {"a/x": 0.0 if step < 4 else 0.5}
        before = {name: array.copy() for name, array in optimizer.state.items()}
        parameters.gradient[...] = np.random.default_rng(step).normal(size=16)
        optimizer(parameters)
        assert not parameters.gradient.any()
        assert (parameters.weights[:8] == start[:8]).all() == (step < 4)
        assert (parameters.weights[8:] != start[8:]).all()
        if 0 < step < 4:
            assert all((before[name][:8] == array[:8]).all() for name, array in optimizer.state.items())
    assert optimizer.resting(parameters) == []


def test_a_schedule_that_leaves_its_range_ends_the_run() -> None:
    parameters = parameters_of("a/x", "a/y")
    optimizer = adam(rates={"a/x": linear_schedule(start=0.1, stop=-0.1, steps=2)})
    parameters.gradient[...] = 1.0
    optimizer(parameters)
    optimizer(parameters)
    with pytest.raises(RunFailed, match=r"the factor of 'a/x' is -0.1 at step 2; it must be a number of at least 0"):
        optimizer.resting(parameters)


def test_a_layer_knows_that_all_of_its_weights_rest() -> None:
    parameters = parameters_of("a/x", "a/y")
    x, y = (node for node, name, _ in parameters._layers if name == "W")
    for rates, expected in (
        ({}, [True, True]),
        ({"a/x": 0}, [False, True]),
        ({"a/x/W": 0}, [True, True]),
        ({"a": 0}, [False] * 2),
    ):
        parameters.freeze(resting(parameters, adam(rates=rates).rates, 0))
        assert [learns(x), learns(y)] == expected


@pytest.mark.parametrize(
    ("rates", "fact"),
    [
        ({"enocder": 0.1}, "no weight's path fits 'enocder'"),
        ({"a/x/y": 0.1}, "no weight's path fits 'a/x/y'"),
        ({"a": -1.0}, "the factor of 'a' is -1.0"),
        ({"a": float("nan")}, "the factor of 'a' is nan"),
        ({"a": True}, "the factor of 'a' is True"),
        ({"a": linear_schedule(start=-1.0, stop=0.0, steps=3)}, "the factor of 'a' is -1.0"),
        ([0.1], "which is no mapping"),
    ],
)
def test_rates_that_mean_nothing_are_refused(rates: object, fact: str) -> None:
    parameters = parameters_of("a/x", "a/y")
    with pytest.raises(RunnerError, match=fact.replace("[", r"\[")) as caught:
        adam(rates=rates)(parameters)
    assert "optimizer.rates" in str(caught.value)


def test_rates_may_be_set_between_updates() -> None:
    parameters = parameters_of("a/x", "a/y")
    optimizer = adam(learn_rate=0.1)
    parameters.gradient[...] = 1.0
    optimizer(parameters)
    optimizer.rates = {"a/x": 0.0}
    before = parameters.weights.copy()
    parameters.gradient[...] = 1.0
    optimizer(parameters)
    assert (parameters.weights[:8] == before[:8]).all()
    assert (parameters.weights[8:] != before[8:]).all()
    with pytest.raises(RunnerError, match="no mapping"):
        optimizer.rates = 0.1


SLICES = st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda at: slice(at[0], at[0] + at[1]))


@given(places=st.lists(SLICES, max_size=5), within=SLICES)
def test_what_is_outside_of_places_is_what_sets_say(places: list[slice], within: slice) -> None:
    def numbers(spans: list[slice]) -> list[int]:
        return [i for span in spans for i in range(span.start, span.stop)]

    spans = outside(places, within)
    assert numbers(spans) == sorted(set(numbers([within])) - set(numbers(places)))
    assert all(span.start < span.stop for span in spans)
