"""The flat optimizers against thinc's own, and what moves along when a model grows."""

from __future__ import annotations

import numpy as np
import pytest
import thinc.api

from runner.errors import RunFailed
from runner.model.linear import linear
from runner.model.parameters import Parameters
from runner.training import schedules
from runner.training.adam import adam
from runner.training.optimizers import radam, sgd


def parameters_of(n_outputs=5, n_inputs=7, seed=0):
    parameters = Parameters()
    parameters.bind({"s": linear("s", nO=n_outputs, nI=n_inputs)}, seed)
    parameters.weights[...] = np.random.default_rng(seed).normal(size=parameters.weights.shape)
    return parameters


def run_both(ours, theirs, n_steps=200, n_inputs=7):
    parameters = parameters_of(n_inputs=n_inputs)
    weights = parameters.weights.copy()
    rng = np.random.default_rng(3)
    for _ in range(n_steps):
        gradient = rng.normal(size=weights.shape).astype("float32")
        parameters.gradient[...] = gradient
        ours(parameters)
        weights, _ = theirs((0, "W"), weights, gradient.copy())
        theirs.step_schedules()
    return parameters, weights


@pytest.mark.parametrize("is_decay", [True, False])
@pytest.mark.parametrize("L2", [0.0, 0.01])
@pytest.mark.parametrize("use_radam", [False, True])
def test_adam_and_radam_give_thincs_numbers(is_decay, L2, use_radam):
    arguments = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "L2": L2, "grad_clip": 1.0, "L2_is_weight_decay": is_decay}
    make = radam if use_radam else adam
    ours = make(learn_rate=0.01, **arguments)
    theirs = thinc.api.Optimizer(0.01, use_averages=True, use_radam=use_radam, **arguments)
    parameters, weights = run_both(ours, theirs)
    np.testing.assert_allclose(parameters.weights, weights, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(ours.state["averages"], theirs.averages[(0, "W")], rtol=2e-5, atol=2e-6)


def test_many_blocks_give_the_same_numbers():
    ours = adam(learn_rate=0.01, L2=0.0)
    theirs = thinc.api.Adam(0.01, L2=0.0, grad_clip=1.0)
    parameters, weights = run_both(ours, theirs, n_steps=5, n_inputs=20_000)
    np.testing.assert_allclose(parameters.weights, weights, rtol=2e-5, atol=2e-6)


def test_sgd_follows_the_gradient():
    parameters = parameters_of()
    before = parameters.weights.copy()
    parameters.gradient[...] = 0.01
    used = sgd(learn_rate=0.5, L2=0.0, grad_clip=10.0)(parameters)
    np.testing.assert_allclose(parameters.weights, before - 0.005, rtol=1e-5)
    assert used.grad_norm == pytest.approx(0.01 * np.sqrt(before.size), rel=1e-5)
    assert not parameters.gradient.any()


def test_clipping_goes_by_the_norm_of_all_of_a_component():
    parameters = parameters_of()
    before = parameters.weights.copy()
    parameters.gradient[...] = 3.0
    used = sgd(learn_rate=1.0, L2=0.0, grad_clip=1.0)(parameters)
    assert used.grad_norm == pytest.approx(3.0 * np.sqrt(before.size))
    assert np.linalg.norm(parameters.weights - before) == pytest.approx(1.0, rel=1e-5)


def test_every_setting_may_be_a_schedule_and_its_value_is_reported():
    parameters = parameters_of()
    optimizer = adam(
        learn_rate=schedules.warmup_linear(0.1, 2, 10),
        L2=schedules.linear(1.0, 0.0, 2),
        grad_clip=schedules.constant(5),
    )
    used = [optimizer(parameters) for _ in range(3)]
    assert [u.learn_rate for u in used] == [0.0, 0.05, 0.1]
    assert [u.L2 for u in used] == [1.0, 0.5, 0.0]
    assert [u.grad_clip for u in used] == [5, 5, 5]


def test_state_follows_its_path_when_the_model_grows():
    parameters = Parameters()
    parameters.bind({"s": linear("s", nO=2, nI=3)}, 0)
    optimizer = adam()
    parameters.gradient[...] = 1.0
    optimizer(parameters)
    mean = optimizer.state["mean"].copy()
    parameters.bind({"a": linear("a", nO=1, nI=1), "s": linear("s", nO=4, nI=3)}, 0)
    parameters.gradient[...] = 0.0
    optimizer(parameters)
    grown = parameters.views(optimizer.state["mean"])
    np.testing.assert_allclose(grown["s/W"][:2], 0.9 * mean[0])
    assert not grown["s/W"][2:].any()
    assert set(optimizer.averages) == {"a/W", "a/b", "s/W", "s/b"}


def test_a_gradient_that_is_not_finite_changes_nothing():
    parameters = parameters_of()
    before = parameters.weights.copy()
    parameters.gradient[3] = np.nan
    with pytest.raises(RunFailed, match="gradient is not finite at step 1"):
        adam()(parameters)
    assert (parameters.weights == before).all()
