"""What may be set on an optimizer between updates, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import thinc.api

import runner
from runner.errors import RunFailed
from tests.training.test_lazy_rows import model_with_a_table, steps
from tests.training.test_optimizers import parameters_of


def updated(optimizer, n_steps=1, parameters=None):
    parameters = parameters_of() if parameters is None else parameters
    for _ in range(n_steps):
        parameters.gradient[...] = 0.01
        used = optimizer(parameters)
    return parameters, used


def test_numbers_and_schedules_may_be_set_and_hold_from_the_next_update_on():
    optimizer = runner.sgd(learn_rate=0.5, L2=0.0, grad_clip=0.0)
    before = parameters_of().weights.copy()
    parameters, _ = updated(optimizer)
    np.testing.assert_allclose(parameters.weights, before - 0.005, rtol=1e-5)
    optimizer.learn_rate = 0.1
    assert updated(optimizer, parameters=parameters)[1].learn_rate == 0.1
    optimizer.learn_rate *= 0.5
    assert optimizer.learn_rate == 0.05
    assert updated(optimizer, parameters=parameters)[1].learn_rate == 0.05
    optimizer.learn_rate = runner.linear(1.0, 0.0, steps=4)  # of the optimizer's own steps: three are done
    assert updated(optimizer, parameters=parameters)[1].learn_rate == 0.25
    optimizer.grad_clip = np.float32(0.5)
    optimizer.L2 = 1
    _, used = updated(optimizer, parameters=parameters)
    assert (used.grad_clip, used.L2) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("alpha", 0.1, "the optimizer has no 'alpha'\n  Set learn_rate."),
        ("b1", 0.1, "Set beta1."),
        ("max_grad_norm", 1.0, "Set grad_clip."),
        ("weight_decay", 1.0, "Set L2"),
        ("learn_rte", 0.1, "did you mean 'learn_rate'"),
        ("learn_rate", -0.1, "learn_rate is -0.1 at step 0; it must not be negative"),
        ("learn_rate", "0.1", "neither a number nor a schedule"),
        ("learn_rate", None, "neither a number nor a schedule"),
        ("learn_rate", True, "neither a number nor a schedule"),
        ("learn_rate", float("nan"), "no finite number"),
        ("learn_rate", iter([0.1]), "neither a number nor a schedule"),
        ("learn_rate", lambda: 0.1, "learn_rate fails at step 0"),
        ("learn_rate", lambda step: "x", "no finite number"),
        ("L2", runner.constant(-1.0), "L2 is -1.0 at step 0"),
        ("grad_clip", float("inf"), "no finite number"),
        ("beta1", 1.0, "at least 0 and less than 1"),
        ("beta2", -0.1, "at least 0 and less than 1"),
        ("eps", 0, "more than 0"),
        ("use_averages", 1, "True or False"),
        ("L2_is_weight_decay", "no", "True or False"),
    ],
)
@pytest.mark.parametrize("make", [runner.adam, runner.radam])
def test_what_does_not_fit_is_refused_where_it_is_set(make, name, value, words):
    optimizer = make()
    with pytest.raises(runner.RunnerError, match=words):
        setattr(optimizer, name, value)
    assert updated(optimizer)[1].learn_rate == 0.001  # as before


def test_an_optimizer_without_betas_takes_none():
    with pytest.raises(runner.RunnerError, match="the optimizer has no 'beta1'"):
        runner.sgd().beta1 = 0.9
    assert not hasattr(runner.sgd(), "beta1")
    with pytest.raises(AttributeError, match="the optimizer has no 'mom1'"):
        _ = runner.adam().mom1


def test_averages_are_decided_on_before_the_first_update():
    optimizer = runner.adam()
    optimizer.use_averages = False
    updated(optimizer)
    assert not optimizer.averages
    with pytest.raises(runner.RunnerError, match=r"use_averages cannot change after 1 updates\n.*use_averages=True"):
        optimizer.use_averages = True


def test_a_schedule_that_leaves_its_range_ends_the_training():
    optimizer = runner.adam(learn_rate=lambda step: 0.01 - 0.01 * step)
    parameters, _ = updated(optimizer, n_steps=2)
    with pytest.raises(RunFailed, match=r"learn_rate is -0.01 at step 2; it must not be negative"):
        updated(optimizer, parameters=parameters)


def test_beta2_of_0_goes_with_beta1_of_0_only():
    """w -= rate g / (|g| + eps): each weight goes `rate` against its gradient's sign."""
    with pytest.raises(runner.RunnerError, match=r"beta2 is 0 while beta1 is 0.9.*\n  Set beta2 above .*0.81"):
        runner.adam(beta2=0.0)
    optimizer = runner.adam()
    with pytest.raises(runner.RunnerError, match="beta2 is 0"):
        optimizer.beta2 = 0
    assert optimizer.beta2 == 0.999
    for optimizer in (runner.adam(0.01, beta1=0.0, beta2=0.0, L2=0.0), runner.adam(0.01, L2=0.0)):
        optimizer.beta1 = 0.0
        optimizer.beta2 = 0.0
        before = parameters_of().weights.copy()
        parameters, _ = updated(optimizer, n_steps=3)
        np.testing.assert_allclose(parameters.weights, before - 0.03, rtol=1e-4)


@pytest.mark.parametrize("use_radam", [False, True])
def test_betas_that_change_give_thincs_numbers(use_radam):
    arguments = {"L2": 0.01, "grad_clip": 1.0}
    ours = (runner.radam if use_radam else runner.adam)(learn_rate=0.01, **arguments)
    theirs = thinc.api.Optimizer(0.01, use_averages=True, use_radam=use_radam, **arguments)
    parameters, rng = parameters_of(), np.random.default_rng(3)
    weights = parameters.weights.copy()
    for step in range(40):
        if step == 10:
            ours.beta1, ours.beta2 = 0.5, 0.9
            theirs.b1, theirs.b2 = 0.5, 0.9
        if step == 25:
            ours.beta1, ours.eps = runner.constant(0.8), 1e-3
            theirs.b1, theirs.eps = 0.8, 1e-3
        gradient = rng.normal(size=weights.shape).astype("float32")
        parameters.gradient[...] = gradient
        ours(parameters)
        weights, _ = theirs((0, "W"), weights, gradient.copy())
    np.testing.assert_allclose(parameters.weights, weights, rtol=2e-5, atol=2e-6)


def test_rows_that_were_left_alone_follow_betas_that_change():
    def train(is_lazy):
        parameters, table, model = model_with_a_table()
        optimizer = runner.adam(learn_rate=0.01)
        for i, (rows, gradient, rest) in enumerate(steps(60)):
            if i == 30:
                optimizer.beta1, optimizer.beta2 = 0.7, 0.99
            if is_lazy:
                touched, places = table.read(rows)
                dW = np.zeros_like(touched.W)
                dW[places] = gradient
                touched.add(dW)
                model.inc_grad("b", rest)
            else:
                views = parameters.views(parameters.gradient)
                views["layer/E"][rows] = gradient
                views["layer/b"][...] = rest
            optimizer(parameters)
        return parameters.weights.copy(), parameters.views(optimizer.state["averages"])["layer/E"].copy()

    for lazy, dense in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(lazy, dense, rtol=1e-4, atol=1e-6)
