"""Optimizers over the flat parameters: their base class, and RAdam and SGD through thinc. Our own Adam is in adam.py.

Every optimizer clips the gradient of each component by its own L2 norm (so that no component slows another down; with
`rates`, each group of weights, see groups.py), applies L2 either decoupled (weight decay) or as part of the gradient, and
keeps the moving average of all weights. Its numbers may be schedules of the step, and may be set between updates:
`sgd.learn_rate = 0.01` (see settings.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, prod, sqrt
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Optimizer as ThincOptimizer

from runner import registry
from runner.components.optimizer import Used
from runner.errors import AFTER_DIVERGENCE, Diverged, RunnerError
from runner.model.parameters import Parameters, Shape, flat_zeros
from runner.training.groups import Group, groups, resting
from runner.training.schedules import Constant
from runner.training.settings import Settings

Flat = NDArray[np.float32]
_MAX_DECAY = 0.9999
Rates = Mapping[str, float | registry.Schedule]  # pattern of paths → factor of the learning rate
_KEY = (0, "weights")  # thinc's key of the flat arrays


class Move(NamedTuple):
    """What one update does with a group of weights. factor: of the learning rate. scale: of the gradient, which clips it."""

    factor: float
    scale: float
    spans: list[slice]


class Optimizer(Settings):
    """Base of all optimizers: schedules, the step counter, clipping, averages, and state by path.

    learn_rate, L2, grad_clip: a number or a schedule each; reading them gives a schedule. rates: pattern of paths → factor
    of the learning rate, and with it of weight decay, a number or a schedule; see groups.py. `averages` maps each
    parameter's path to its moving average, for `nlp.use_params`.
    """

    learn_rate: Any
    L2: Any
    grad_clip: Any

    def __init__(
        self,
        *,
        learn_rate: Any,
        L2: Any,
        L2_is_weight_decay: bool,
        grad_clip: Any,
        use_averages: bool,
        rates: Rates = MappingProxyType({}),
    ) -> None:
        self.step = 0  # updates done
        self.learn_rate = learn_rate
        self.L2 = L2
        self.L2_is_weight_decay = L2_is_weight_decay
        self.grad_clip = grad_clip
        self.use_averages = use_averages
        self.rates: Mapping[str, Any] = rates
        self.state: dict[str, Flat] = {}  # flat arrays, one value a weight
        self._layout: dict[str, tuple[int, Shape]] = {}
        self._grouped: tuple[Any, Mapping[str, Any], Mapping[str, Group]] = None, {}, {}  # layout, rates, groups

    @property
    def averages(self) -> dict[str, Flat]:
        """Path → averaged parameter; empty before the first update, or without `use_averages`."""
        self.settle()
        if "averages" not in self.state:
            return {}
        return _views(self.state["averages"], self._layout)

    @property
    def updated_owners(self) -> set[str]:
        """The components whose weights this optimizer has moved, see Parameters.owners."""
        return {path.partition("/")[0] for path in self._layout} if self.step else set()

    def __call__(self, parameters: Parameters) -> Used:
        """Update the weights from the gradient, and set the gradient to zero."""
        self._fit(parameters)
        rate, L2, clip = self.now("learn_rate"), self.now("L2"), self.now("grad_clip")
        gradient = parameters.gradient
        if L2 and not self.L2_is_weight_decay:
            gradient += np.float32(L2) * parameters.weights
        made = self._made_groups(parameters)
        squares = {
            name: sum(float(np.dot(gradient[at], gradient[at])) for at in group.spans) for name, group in made.items()
        }
        norm, scales = clipping(squares, clip, self.step)
        moves = {name: Move(group.factor.at(self.step), scales[name], group.spans) for name, group in made.items()}
        self.step += 1
        self._update_free(parameters, rate, L2 if self.L2_is_weight_decay else 0.0, moves)
        parameters.is_gradient_seen = False
        return Used(rate, L2, clip, norm)

    def _made_groups(self, parameters: Parameters) -> Mapping[str, Group]:
        layout, rates, made = self._grouped
        if layout is not parameters.layout or rates != self.rates:
            made = groups(parameters, self.rates)
            self._grouped = parameters.layout, dict(self.rates), made
        return made

    def resting(self, parameters: Parameters) -> list[str]:
        """The paths of the weights that the next update will leave as they are, as their factor of the rate is 0."""
        return resting(parameters, self.rates, self.step)

    def scheduled_rates(self, step: int) -> dict[str, float]:
        """Pattern → factor of the rate in the update after `step` updates, of those that are schedules."""
        return {pattern: float(rate(step)) for pattern, rate in self.rates.items() if not isinstance(rate, Constant)}

    def prepare(self, parameters: Parameters) -> None:
        """Take note of what is frozen, before a gradient is computed."""

    def settle(self) -> None:
        """Bring all weights and the state up to date."""

    def snapshot(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Everything that the next updates depend on: plain values and copies of arrays. Settles nothing."""
        return {"step": self.step}, {f"state/{name}": array.copy() for name, array in self.state.items()}

    def restore(self, parameters: Parameters, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot that was taken with the same parameters. Raises RunnerError if it does not fit."""
        self.step = int(about["step"])
        self.state = {}
        if not self.step:
            return
        size = len(parameters.arrays()[0])
        for name in self._names:
            array = arrays.get(f"state/{name}")
            if array is None or array.shape != (size,) or array.dtype != np.float32:
                raise RunnerError(f"the optimizer's {name!r} in the checkpoint does not fit this model")
            self.state[name] = flat_zeros(size)
            self.state[name][...] = array
        self._layout = dict(parameters.layout)

    def _update_free(
        self,
        parameters: Parameters,
        rate: float,
        decay: float,
        moves: Mapping[str, Move],
    ) -> None:
        """Update what is not frozen, and set the gradient to zero."""
        frozen = parameters.frozen
        kept = [[array[at].copy() for at in frozen] for array in (parameters.weights, *self.state.values())]
        self._update(parameters, rate, decay, moves)
        for array, values in zip((parameters.weights, *self.state.values()), kept, strict=True):
            for at, value in zip(frozen, values, strict=True):
                array[at] = value

    def _update(
        self,
        parameters: Parameters,
        rate: float,
        decay: float,
        moves: Mapping[str, Move],
    ) -> None:
        """Update all weights and their state. moves: name of a group → what is done with it."""
        raise NotImplementedError

    @property
    def _names(self) -> tuple[str, ...]:
        return ("averages",) if self.use_averages else ()

    def _fit(self, parameters: Parameters) -> None:
        """Give every parameter its place in the state; after a change of layout, values move with their paths.

        Averages of weights that begin with this optimizer start at 0. Averages of learned, frozen and later weights start
        at the weights: a frozen component's average would else stay 0.
        """
        if self._layout == parameters.layout and all(name in self.state for name in self._names):
            return
        for name in self._names:
            old = _views(self.state[name], self._layout) if name in self.state else {}
            flat = flat_zeros(len(parameters.arrays()[0]))
            if name == "averages":
                owners = parameters.owners().items()
                spans = [at for owner, at in owners if self.step or owner in parameters.learned]
                for at in (*spans, *parameters.frozen):
                    flat[at] = parameters.weights[at]
            for path, view in parameters.views(flat).items():
                if path in old and old[path].ndim == view.ndim:
                    corner = tuple(slice(min(a, b)) for a, b in zip(old[path].shape, view.shape, strict=True))
                    view[corner] = old[path][corner]
            self.state[name] = flat
        self._layout = dict(parameters.layout)

    def _average_decay(self) -> float:
        return min((1.0 + self.step) / (10.0 + self.step), _MAX_DECAY)


class ThroughThinc(Optimizer):
    """One of thinc's optimizers, which sees the flat arrays as a single parameter."""

    def __init__(self, make: Any, names: Mapping[str, str], **rest: Any) -> None:
        super().__init__(**rest)
        self._thinc: ThincOptimizer = make
        self._moments = dict(names)  # our name → thinc's attribute

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._moments, *super()._names)

    def restore(self, parameters: Parameters, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().restore(parameters, about, arrays)
        self._thinc.nr_update[_KEY] = self.step
        for name, attribute in self._moments.items() if self.step else ():
            getattr(self._thinc, attribute)[_KEY] = self.state[name]

    def _update(
        self,
        parameters: Parameters,
        rate: float,
        decay: float,
        moves: Mapping[str, Move],
    ) -> None:
        key = _KEY
        thinc = self._thinc
        for name, attribute in self._moments.items():
            getattr(thinc, attribute)[key] = self.state[name]
        thinc.nr_update[key] = self.step - 1
        thinc.learn_rate = rate
        for move in moves.values():
            if move.scale != 1.0:
                for at in move.spans:
                    parameters.gradient[at] *= np.float32(move.scale)
        own_rates = [(at, move.factor) for move in moves.values() if move.factor != 1.0 for at in move.spans]
        before = [parameters.weights[at].copy() for at, _ in own_rates]
        weights, _ = thinc(key, parameters.weights, parameters.gradient)
        parameters.weights[...] = weights
        parameters.gradient[...] = 0
        for name, attribute in self._moments.items():
            self.state[name] = getattr(thinc, attribute)[key]
        for (at, factor), old in zip(own_rates, before, strict=True):
            parameters.weights[at] = old + np.float32(factor) * (parameters.weights[at] - old)
        for move in moves.values() if decay else ():
            for at in move.spans:
                parameters.weights[at] -= np.float32(rate * move.factor * decay) * parameters.weights[at]
        if self.use_averages:
            averages = self.state["averages"]
            averages += np.float32(1.0 - self._average_decay()) * (parameters.weights - averages)


class RAdam(ThroughThinc):
    """Rectified Adam. beta1, beta2, eps: a number or a schedule each."""

    beta1: Any
    beta2: Any
    eps: Any

    def __init__(self, *, beta1: Any, beta2: Any, eps: Any, **rest: Any) -> None:
        thinc = ThincOptimizer(0.0, L2=0.0, grad_clip=0.0, use_averages=False, use_radam=True)
        super().__init__(thinc, {"mean": "mom1", "variance": "mom2"}, **rest)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def __call__(self, parameters: Parameters) -> Used:
        thinc = self._thinc
        thinc.b1, thinc.b2, thinc.eps = self.now("beta1"), self.now("beta2"), self.now("eps")
        return super().__call__(parameters)


@registry.optimizers("radam")
def radam(
    learn_rate: registry.Schedule = 0.001,  # type: ignore[assignment]
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    L2: registry.Schedule = 1e-6,  # type: ignore[assignment]
    L2_is_weight_decay: bool = True,
    grad_clip: registry.Schedule = 1.0,  # type: ignore[assignment]
    use_averages: bool = True,
    rates: Rates = MappingProxyType({}),
) -> Optimizer:
    """Rectified Adam (Liu et al., 2020), thinc's own; arguments as for adam."""
    return RAdam(
        beta1=beta1, beta2=beta2, eps=eps, learn_rate=learn_rate, L2=L2, L2_is_weight_decay=L2_is_weight_decay,
        grad_clip=grad_clip, use_averages=use_averages, rates=rates,
    )  # fmt: skip


@registry.optimizers("sgd")
def sgd(
    learn_rate: registry.Schedule = 0.01,  # type: ignore[assignment]
    L2: registry.Schedule = 1e-6,  # type: ignore[assignment]
    L2_is_weight_decay: bool = True,
    grad_clip: registry.Schedule = 1.0,  # type: ignore[assignment]
    use_averages: bool = True,
    rates: Rates = MappingProxyType({}),
) -> Optimizer:
    """Plain stochastic gradient descent, thinc's own."""
    thinc = ThincOptimizer(0.0, L2=0.0, beta1=0.0, beta2=0.0, grad_clip=0.0, use_averages=False)
    return ThroughThinc(
        thinc, {}, learn_rate=learn_rate, L2=L2, L2_is_weight_decay=L2_is_weight_decay, grad_clip=grad_clip,
        use_averages=use_averages, rates=rates,
    )  # fmt: skip


def clipping(squares: Mapping[str, float], clip: float, step: int) -> tuple[float, dict[str, float]]:
    """The norm of the whole gradient, and the factor that brings each group's own norm down to `clip` (0: never).

    squares: group → squared norm. step: updates done. Raises Diverged if a norm is not finite.

    >>> clipping({"ner": 4.0, "tagger": 0.25}, 1.0, 0)[1]
    {'ner': 0.5, 'tagger': 1.0}
    """
    if not all(map(isfinite, squares.values())):
        raise not_finite(step)
    norms = {owner: sqrt(square) for owner, square in squares.items()}
    return sqrt(sum(squares.values())), {o: clip / norm if 0 < clip < norm else 1.0 for o, norm in norms.items()}


def not_finite(step: int) -> Diverged:
    """The error for a gradient whose norm is not finite. step: updates done."""
    return Diverged("the gradient is not finite", hint=AFTER_DIVERGENCE).at_step(step + 1)


def _views(flat: Flat, layout: Mapping[str, tuple[int, Shape]]) -> dict[str, Flat]:
    return {path: flat[offset : offset + prod(shape)].reshape(shape) for path, (offset, shape) in layout.items()}
