"""Rows that are left alone and catch up end where dense updates would have brought them."""

from __future__ import annotations

import numpy as np
import pytest
from thinc.api import Model

from runner.model.ops import Ops
from runner.model.parameters import Parameters, uniform, zeros
from runner.training.adam import adam
from runner.training.optimizers import sgd

N_ROWS, WIDTH = 40, 3  # up to 8 of 40 rows are few


def model_with_a_table():
    model = Model(
        "layer",
        lambda model, X, is_train: (X, lambda dX: dX),
        params={"E": None, "b": None},
        attrs={"tables": {"E": None}, "init": {"E": ((N_ROWS, WIDTH), uniform(0.5)), "b": ((4,), zeros)}},
    )
    parameters = Parameters()
    parameters.bind({"layer": model}, 0)
    return parameters, model.attrs["tables"]["E"], model


def steps(n, seed=7):
    """For each step: the rows that it touches, now none, now many, and their gradients; and the rest's."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        n_touched = rng.integers(0, 5) if rng.random() < 0.9 else rng.integers(9, N_ROWS)
        rows = rng.permutation(N_ROWS)[:n_touched].astype("int32")
        yield rows, rng.normal(0, 0.1, (len(rows), WIDTH)).astype("float32"), rng.normal(size=4).astype("float32")


def train(n, look_at=(), **settings):
    """Lazily, through the table."""
    parameters, table, model = model_with_a_table()
    optimizer = adam(learn_rate=0.01, **settings)
    seen = []
    for i, (rows, gradient, rest) in enumerate(steps(n)):
        touched, places = table.read(rows)
        dW = np.zeros_like(touched.W)
        dW[places] = gradient
        touched.add(dW)
        model.inc_grad("b", rest)
        optimizer(parameters)
        if i in look_at:
            seen.append(parameters.weights.copy())
    return parameters, optimizer, seen


def train_densely(n, look_at=(), **settings):
    """The same gradients through the flat array."""
    parameters, _, _ = model_with_a_table()
    optimizer = adam(learn_rate=0.01, **settings)
    seen = []
    for i, (rows, gradient, rest) in enumerate(steps(n)):
        views = parameters.views(parameters.gradient)
        views["layer/E"][rows] = gradient
        views["layer/b"][...] = rest
        optimizer(parameters)
        if i in look_at:
            seen.append(parameters.weights.copy())
    return parameters, optimizer, seen


@pytest.mark.parametrize(
    "settings",
    [
        {"L2": 0.0},
        {"L2": 0.5},
        {"grad_clip": 0.05},
        {"use_averages": False},
        {"beta1": 0.5, "beta2": 0.9},
        {"rates": {"layer/E": 0.1}, "L2": 0.5},
        {"rates": {"layer/b": 3.0}},
        {"rates": {"layer/E": 0.0}},
    ],
)
def test_the_same_numbers_as_dense_updates(settings):
    lazy, lazily, _ = train(2300, **settings)  # longer than the history
    dense, densely, _ = train_densely(2300, **settings)
    np.testing.assert_allclose(lazy.weights, dense.weights, rtol=0, atol=2e-5)
    for path, average in densely.averages.items():
        np.testing.assert_allclose(lazily.averages[path], average, rtol=0, atol=2e-5)
    lazily.settle()
    for name in ("mean", "variance"):
        np.testing.assert_allclose(lazily.state[name], densely.state[name], rtol=2e-3, atol=1e-7)


def test_one_row_worked_by_hand():
    """beta1 1/2, beta2 near 1, so u fades by 1/2 a step: after a first step of 0.1, another of 0.1 * 1/2 follows."""
    parameters, table, _ = model_with_a_table()
    optimizer = adam(learn_rate=0.1, beta1=0.5, beta2=0.999999, L2=0.0, grad_clip=0.0, use_averages=False)
    before = parameters.weights.copy()
    touched, _ = table.read(np.array([7], dtype="int32"))
    touched.add(np.ones((1, WIDTH), dtype="float32"))
    optimizer(parameters)  # m = .5, v = 1e-6; sqrt(fix2) / fix1 = 1e-3 / .5, so the step is .1
    optimizer(parameters)  # m = .25, v = 1e-6; sqrt(2e-6) / .75: a step of .1 * .25 * sqrt(2) / .75
    moved = (before - parameters.weights).reshape(-1)[7 * WIDTH : 8 * WIDTH]
    np.testing.assert_allclose(moved, 0.1 + 0.1 * 0.25 * 2**0.5 / 0.75, rtol=1e-3)
    assert (parameters.weights == before).sum() == before.size - WIDTH


def test_looking_at_the_weights_on_the_way_shows_dense_ones_and_changes_nothing():
    look_at = (0, 3, 50, 51, 299)
    lazy, _, seen = train(300, look_at, L2=0.1)
    _, _, expected = train_densely(300, look_at, L2=0.1)
    for found, right in zip(seen, expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)
    undisturbed, _, _ = train(300, L2=0.1)
    np.testing.assert_allclose(lazy.weights, undisturbed.weights, rtol=0, atol=1e-5)


def test_two_reads_before_an_update_add_up():
    results = []
    for is_twice in (True, False):
        parameters, table, _ = model_with_a_table()
        optimizer = adam(learn_rate=0.01)
        for _ in range(3):
            if is_twice:
                for rows in ([1, 2], [2, 3]):
                    touched, _ = table.read(np.array(rows, dtype="int32"))
                    touched.add(np.ones((2, WIDTH), dtype="float32"))
            else:
                touched, _ = table.read(np.array([1, 2, 3], dtype="int32"))
                touched.add(np.array([[1.0], [2.0], [1.0]], dtype="float32") * np.ones(WIDTH, dtype="float32"))
            optimizer(parameters)
        results.append(parameters.weights.copy())
    np.testing.assert_array_equal(*results)


def test_another_optimizer_in_between_finds_and_leaves_everything_up_to_date():
    parameters, table, _ = model_with_a_table()
    first, second, other = adam(learn_rate=0.01), adam(learn_rate=0.01), sgd(learn_rate=0.1, L2=0.0)
    reference, _, _ = model_with_a_table()
    first_dense, second_dense, other_dense = adam(learn_rate=0.01), adam(learn_rate=0.01), sgd(learn_rate=0.1, L2=0.0)
    order = [(first, first_dense), (second, second_dense), (other, other_dense)]
    for i, (rows, gradient, _) in enumerate(steps(60)):
        lazily, densely = order[(i // 4) % 3]
        touched, places = table.read(rows)
        dW = np.zeros_like(touched.W)
        dW[places] = gradient
        touched.add(dW)
        lazily(parameters)
        reference.views(reference.gradient)["layer/E"][rows] = gradient
        densely(reference)
    np.testing.assert_allclose(parameters.weights, reference.weights, rtol=0, atol=1e-5)


def test_frozen_rows_stay():
    parameters, table, _ = model_with_a_table()
    optimizer = adam(learn_rate=0.01)
    for freeze in (False, True, False):
        parameters.freeze(["layer/E"] if freeze else [])
        before = parameters.weights.copy()
        touched, _ = table.read(np.array([5], dtype="int32"))
        touched.add(np.ones((1, WIDTH), dtype="float32"))
        optimizer(parameters)
        assert (parameters.weights == before).all() == freeze


def test_few_and_many_rows_before_one_update_add_up():
    parameters, table, _ = model_with_a_table()
    dense, _, _ = model_with_a_table()
    optimizer, densely = adam(learn_rate=0.01), adam(learn_rate=0.01)
    for _ in range(3):
        for rows in (np.array([1, 2]), np.arange(20)):
            touched, places = table.read(rows.astype("int32"))
            dW = np.zeros_like(touched.W)
            dW[places] = 1
            touched.add(dW)
            dense.views(dense.gradient)["layer/E"][rows] += 1
        optimizer(parameters)
        densely(dense)
    np.testing.assert_allclose(parameters.weights, dense.weights, rtol=0, atol=1e-6)


def models_with_tables(names):
    """A layer with a table and other weights for each name, one owner each."""
    models = {}
    for name in names:
        init = {"E": ((N_ROWS, WIDTH), uniform(0.5)), "b": ((4,), uniform(0.5))}
        params, attrs = dict.fromkeys(init), {"tables": {"E": None}, "init": init}
        models[name] = Model(f"{name}/layer", lambda model, X, is_train: (X, lambda dX: dX), params=params, attrs=attrs)
    parameters = Parameters()
    parameters.bind(models, 0)
    return parameters, models


def train_one(names, n, *, optimizer=None, start=0, parts=None, look=False, frozen_from=0):
    """Train "mine" while the others are frozen, from update `frozen_from` on; before that, all learn alike."""
    parameters, models = parts or models_with_tables(names)
    optimizer = optimizer or adam(learn_rate=0.01, grad_clip=0.0)
    for i, (rows, gradient, rest) in enumerate(steps(n)):
        if i < start:
            continue
        learning = ["mine"] if i >= frozen_from else names
        for name in learning:
            table = models[name].attrs["tables"]["E"]
            touched, places = table.read(rows)
            dW = np.zeros_like(touched.W)
            dW[places] = gradient
            touched.add(dW)
            models[name].inc_grad("b", rest)
        if look:
            assert parameters.gradient.any()
        parameters.freeze(path for path in parameters.layout if path.partition("/")[0] not in learning)
        optimizer(parameters)
    return parameters, optimizer, models


def values(parameters, name):
    return {
        path: view.tobytes()
        for path, view in parameters.views(parameters.weights).items()
        if path.startswith(f"{name}/")
    }


@pytest.mark.parametrize("names", [["mine", "theirs"], ["theirs", "mine"], ["a", "theirs", "mine", "z"]])
def test_beside_frozen_components_one_learns_the_same_bits_as_alone(names):
    alone, _, _ = train_one(["mine"], 1200)
    beside, optimizer, _ = train_one(names, 1200)
    untouched, _ = models_with_tables(names)
    assert values(beside, "mine") == values(alone, "mine")
    for name in names:
        if name != "mine":
            assert values(beside, name) == values(untouched, name)
            for path, average in optimizer.averages.items():
                assert not path.startswith(f"{name}/") or average.tobytes() == values(untouched, name)[path]


def test_rows_stay_lazy_beside_frozen_components(monkeypatch):
    """No pass over the flat arrays is longer than what one component's other weights need."""
    longest = []
    adam_flat = Ops.adam_flat
    monkeypatch.setattr(
        Ops, "adam_flat", lambda self, a, g, step: (longest.append(len(g)), adam_flat(self, a, g, step))[1]
    )
    train_one(["theirs", "mine"], 40)
    few = [length for length in longest if length < N_ROWS * WIDTH]
    assert len(few) > len(longest) / 2
    assert max(longest) <= N_ROWS * WIDTH  # one table, where many rows were read


def test_components_that_are_frozen_on_the_way_keep_their_bits_from_then_on():
    parameters, optimizer, models = train_one(["theirs", "mine"], 100, frozen_from=100)
    before = values(parameters, "theirs")
    optimizer.settle()
    state = {name: array.copy() for name, array in optimizer.state.items()}
    train_one(["theirs", "mine"], 150, start=100, optimizer=optimizer, parts=(parameters, models))
    assert values(parameters, "theirs") == before
    optimizer.settle()
    at = parameters.owners()["theirs"]
    for name, array in optimizer.state.items():
        assert array[at].tobytes() == state[name][at].tobytes()
    train_one(["theirs", "mine"], 160, start=150, optimizer=optimizer, parts=(parameters, models), frozen_from=999)
    assert values(parameters, "theirs") != before


@pytest.mark.parametrize("look", [False, True])
def test_a_training_beside_frozen_components_is_taken_up_again_to_the_bit(look):
    """look: the whole gradient is asked for, so that updates are dense."""
    names = ["theirs", "mine"]
    whole, _, _ = train_one(names, 60, look=look)
    first, optimizer, _ = train_one(names, 25, look=look)
    about, arrays = optimizer.snapshot()
    parameters, models = models_with_tables(names)
    parameters.arrays()[0][...] = first.arrays()[0]
    again = adam(learn_rate=0.01, grad_clip=0.0)
    again.restore(parameters, about, arrays)
    train_one(names, 60, start=25, optimizer=again, parts=(parameters, models), look=look)
    assert parameters.weights.tobytes() == whole.weights.tobytes()


@pytest.mark.parametrize("rates", [{}, {"mine/layer/E": 0.1}, {"theirs": 0.5}])
def test_lazy_and_dense_updates_beside_frozen_components_agree(rates):
    lazily, dense = (
        train_one(["theirs", "mine"], 1100, look=look, optimizer=adam(learn_rate=0.01, rates=rates))[0]
        for look in (False, True)
    )
    np.testing.assert_allclose(lazily.weights, dense.weights, rtol=0, atol=2e-5)
