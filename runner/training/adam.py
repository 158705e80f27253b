"""Adam (Kingma and Ba, 2015) over flat arrays, and over the rows of tables that a batch read.

    m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g²
    w -= learn_rate sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)

The same numbers as thinc.api.Adam up to rounding. The state holds m / (1 - beta1) and v / (1 - beta2), which saves two of
the passes over memory that an update consists of.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner import registry
from runner.components.optimizer import Used
from runner.errors import RunnerError
from runner.model.ops.adam import AdamArrays, AdamStep, History
from runner.model.parameters import Parameters
from runner.model.tables import Touched
from runner.training.groups import WHOLE, Factor, Group, name_of, outside
from runner.training.lazy_rows import LazyRows, RowState
from runner.training.optimizers import Flat, Move, Optimizer, Rates, clipping

_READ = np.zeros(0, dtype="int32")  # an update does not need the places of the rows that were read
_INVISIBLE = 2.0**-25  # subtracting this share of a float32 from it changes nothing


class Betas(NamedTuple):
    """The betas and eps of one step."""

    beta1: float
    beta2: float
    eps: float


class Adam(Optimizer):
    """Adam. Tables are updated row by row, unless a caller took the whole gradient, or coupled L2 needs it.

    beta1, beta2, eps: a number or a schedule each.
    """

    beta1: Any
    beta2: Any
    eps: Any

    def __init__(self, *, beta1: Any, beta2: Any, eps: Any, **rest: Any) -> None:
        super().__init__(**rest)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self._betas = self._betas_now()  # the betas that the state is scaled by
        self._lazy: dict[str, LazyRows] = {}
        self._histories: dict[str, History] = {}  # by the key of their factor of the learning rate
        self._bound: Parameters | None = None
        self._bound_weights: Flat | None = None
        self._bound_rates: dict[str, Any] = {}
        self._factors: dict[str, Factor] = {}  # by key, of all histories
        self._groups: Mapping[str, Group] = {}
        self._group_of: dict[str, str] = {}  # path of a table → name of its group
        self._frozen: list[slice] = []  # as `_free` and `_dense` know them
        self._free: dict[str, list[slice]] = {}  # group → its weights that are not frozen
        self._dense: dict[str, list[slice]] = {}  # group → its weights that are neither frozen nor in a lazy table
        self._idle: list[slice] = []  # what is frozen, but for tables: of these a gradient is in `touched` alone

    @property
    def _names(self) -> tuple[str, ...]:
        return ("mean", "variance", *super()._names)

    def check_together(self) -> None:
        """Raise RunnerError if beta2 is 0 and beta1 is not: a momentum would then be divided by eps alone."""
        if not {"beta1", "beta2"} <= self.__dict__.keys():
            return
        beta1, beta2 = self.beta1(self.step), self.beta2(self.step)
        if beta2 == 0 < beta1:
            raise RunnerError(
                f"beta2 is 0 while beta1 is {beta1}: a weight whose gradient is 0 once would move by its momentum / eps",
                hint=f"Set beta2 above beta1 * beta1 ({beta1 * beta1:.4g}), or beta1 to 0 as well.",
            )

    def _betas_now(self) -> Betas:
        return Betas(self.now("beta1"), self.now("beta2"), self.now("eps"))

    def _take_betas(self) -> None:
        """If beta1, beta2 or eps changed since the last step, rescale the state, so that the moments stay the same."""
        betas = self._betas_now()
        if betas == self._betas:
            return
        self.check_together()
        self.settle()
        for name, old, new in (("mean", self._betas.beta1, betas.beta1), ("variance", self._betas.beta2, betas.beta2)):
            if name in self.state:
                self.state[name] *= np.float32((1.0 - old) / (1.0 - new))
        self._betas, self._bound = betas, None

    def settle(self) -> None:
        """Bring weights, moments and averages of all rows up to date."""
        for lazy in self._lazy.values():
            lazy.settle()
        self._restart()

    def _restart(self) -> None:
        """All rows are up to date."""
        for history in self._histories.values():
            history.restart(self.step)
        for lazy in self._lazy.values():
            lazy.last[...] = self.step

    def snapshot(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        about, arrays = super().snapshot()
        if self._histories:
            about["origin"] = self._histories[WHOLE.key].origin  # of all: they restart together
            arrays |= {_key(name): history.coefficients.copy() for name, history in self._histories.items()}
            arrays |= {f"last/{path}": lazy.last.copy() for path, lazy in self._lazy.items()}
        return about, arrays

    def restore(self, parameters: Parameters, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().restore(parameters, about, arrays)
        self._bound, self._lazy, self._histories = None, {}, {}
        if not self.step:
            return
        self.step -= 1  # the state is scaled by the betas of the last update
        self._betas = self._betas_now()
        self.step += 1
        self._bind(parameters)
        for name, history in self._histories.items():
            if _key(name) not in arrays:
                raise RunnerError("the checkpoint is of a run with other optimizer.rates")
            history.restore(int(about["origin"]), self.step, arrays[_key(name)])
        for path, lazy in self._lazy.items():
            last = arrays.get(f"last/{path}", lazy.last)  # without it, the table was frozen, and is up to date
            if last.shape != lazy.last.shape or not (lazy.history.origin <= last.min() <= last.max() <= self.step):
                raise RunnerError(f"the rows of {path} in the checkpoint do not fit this model")
            lazy.last[...] = last

    def __call__(self, parameters: Parameters) -> Used:
        """Update the weights from the gradient, and set the gradient to zero."""
        self._take_betas()
        self._bind(parameters)
        self._freeze(parameters)
        is_coupled = not self.L2_is_weight_decay and self.L2(self.step) != 0
        if not self._lazy or parameters.is_gradient_seen or is_coupled:
            self.settle()
            used = super().__call__(parameters)
            self._restart()
            return used
        return self._update_lazily(parameters)

    def prepare(self, parameters: Parameters) -> None:
        """Take over the tables, and settle those that are frozen from now on: a frozen layer reads them as they are."""
        if parameters.frozen != self._frozen:
            self._bind(parameters)
            self._freeze(parameters)

    def _bind(self, parameters: Parameters) -> None:
        """Take over the rows of this model's tables, after another optimizer has brought them up to date."""
        weights, _ = parameters.arrays()
        is_bound = self._bound is parameters and self._bound_weights is weights and self._bound_rates == self.rates
        if is_bound and parameters.settle == self.settle:
            return
        self.settle()
        parameters.settle()
        self._lazy = {}
        self._fit(parameters)
        beta1, beta2, eps = self._betas
        self._groups = self._made_groups(parameters)
        self._group_of = group_of = {path: name_of(path, self._groups, self.rates) for path in parameters.tables}
        self._factors = {WHOLE.key: WHOLE} | {
            factor.key: factor for factor in (self._groups[name].factor for name in group_of.values())
        }
        self._histories = {
            key: History(beta1, beta2, eps / sqrt(1.0 - beta2), self.step) for key in sorted(self._factors)
        }
        for path in parameters.tables if self._is_fading else ():
            self._take_up(parameters, path)
        parameters.settle = self.settle
        self._bound, self._bound_weights, self._bound_rates = parameters, weights, dict(self.rates)
        self._frozen = []
        self._find_spans(parameters)

    @property
    def _is_fading(self) -> bool:
        """Whether the update that moments carry on shrinks from step to step; else no table can be lazy."""
        return self._betas.beta1**2 < self._betas.beta2

    def _take_up(self, parameters: Parameters, path: str) -> None:
        """Update a table row by row from now on. All of its rows are up to date."""
        table, at = parameters.tables[path], _place(parameters, path)
        arrays = self._arrays(parameters.arrays()[0], at).reshaped(*parameters.layout[path][1])
        history = self._histories[self._groups[self._group_of[path]].factor.key]
        self._lazy[path] = table.lazy = LazyRows(parameters.ops, table, arrays, history)

    def _freeze(self, parameters: Parameters) -> None:
        """Leave frozen tables alone from now on, and take up those that are free again. No other row is touched."""
        if parameters.frozen == self._frozen:
            return
        self._frozen = list(parameters.frozen)
        for path, table in parameters.tables.items() if self._is_fading else ():
            is_frozen = not outside(self._frozen, _place(parameters, path))
            if is_frozen and path in self._lazy:
                self._lazy.pop(path).settle()
                table.lazy = None
            elif not is_frozen and path not in self._lazy:
                self._take_up(parameters, path)
        self._find_spans(parameters)

    def _find_spans(self, parameters: Parameters) -> None:
        tables = {path: _place(parameters, path) for path in parameters.tables}
        lazy = [tables[path] for path in self._lazy]
        self._free = {name: group.without(self._frozen) for name, group in self._groups.items()}
        self._dense = {name: group.without([*self._frozen, *lazy]) for name, group in self._groups.items()}
        self._idle = [part for span in self._frozen for part in outside([*tables.values()], span)]

    def _step_now(self, rate: float, decay: float, gradient_scale: float) -> AdamStep:
        """The numbers of update number `self.step`."""
        beta1, beta2, eps = self._betas
        fix1, fix2 = 1.0 - beta1**self.step, 1.0 - beta2**self.step
        scale1, scale2 = 1.0 - beta1, sqrt(1.0 - beta2)
        f = np.float32
        shrink = rate * decay
        return AdamStep(
            keep1=f(beta1),
            keep2=f(beta2),
            eps=f(eps / scale2),
            step_size=f(rate * sqrt(fix2) / fix1 * scale1 / scale2),
            decay=f(shrink if shrink > _INVISIBLE else 0.0),
            catch_up=f(1.0 - self._average_decay()) if self.use_averages else None,
            gradient_scale=f(gradient_scale),
        )

    def _update_free(
        self,
        parameters: Parameters,
        rate: float,
        decay: float,
        moves: Mapping[str, Move],
    ) -> None:
        for name, move in moves.items():
            self._update_spans(parameters, self._free[name], self._step_now(rate * move.factor, decay, move.scale))
        _forget(parameters, self._frozen)

    def _update_spans(self, parameters: Parameters, spans: list[slice], step: AdamStep) -> None:
        weights, gradient = parameters.arrays()
        for span in spans:
            parameters.ops.adam_flat(self._arrays(weights, span), gradient[span], step)

    def _arrays(self, weights: Flat, span: slice) -> AdamArrays:
        """A slice of the flat arrays."""
        averages = self.state["averages"][span] if self.use_averages else None
        return AdamArrays(weights[span], self.state["mean"][span], self.state["variance"][span], averages)

    def _update_lazily(self, parameters: Parameters) -> Used:
        _, gradient = parameters.arrays()
        touched = {path: _merged(lazy.table.touched, lazy) for path, lazy in self._lazy.items()}
        rate, L2, clip = self.now("learn_rate"), self.now("L2"), self.now("grad_clip")
        squares = {
            name: sum(float(np.dot(gradient[at], gradient[at])) for at in spans) for name, spans in self._dense.items()
        }
        for path, one in touched.items():
            if one is not None:
                squares[self._group_of[path]] += float(np.dot(one.gradient.ravel(), one.gradient.ravel()))
        norm, scales = clipping(squares, clip, self.step)
        factors = {key: factor.at(self.step) for key, factor in self._factors.items()}
        rates = {name: rate * group.factor.at(self.step) for name, group in self._groups.items()}
        self.step += 1
        steps = {name: self._step_now(own, L2, scales[name]) for name, own in rates.items()}
        for name, spans in self._dense.items():
            self._update_spans(parameters, spans, steps[name])
        for key, history in self._histories.items():
            _, _, _, step_size, decay, catch_up, _ = self._step_now(rate * factors[key], L2, 1.0)
            parameters.ops.advance(history, float(step_size), float(decay), float(catch_up or 0))
        for path, one in touched.items():
            if one is not None:
                self._lazy[path].update(one, steps[self._group_of[path]])
        for table in parameters.tables.values():
            table.touched = []
        _forget(parameters, self._idle)
        if any(history.is_full for history in self._histories.values()):
            self.settle()
        return Used(rate, L2, clip, norm)


def _merged(touched: list[Touched], lazy: LazyRows) -> Touched | None:
    """Combine all reads of a table since the last update; None if it was not read."""
    if not touched:
        return None
    state = touched[0].state
    if len(touched) == 1 and isinstance(state, RowState) and state.lazy is lazy and state.step == lazy.history.now:
        return touched[0]
    if any(one.rows is None for one in touched):
        lazy.settle()
        if len(touched) > 1:
            lazy.table.collect()
            whole = Touched(lazy.table, None, _READ, lazy.table.weights, None)
            whole.gradient = lazy.table.gradient.copy()
            lazy.table.gradient[...] = 0
            return whole
        return touched[0]
    rows = np.unique(np.concatenate([one.rows for one in touched if one.rows is not None]))
    gradient = np.zeros((len(rows), touched[0].W.shape[1]), dtype=touched[0].W.dtype)
    for one in touched:
        assert one.rows is not None
        gradient[np.searchsorted(rows, one.rows)] += one.gradient
    union = Touched(lazy.table, rows, _READ, *lazy.fetch(rows))
    union.gradient = gradient
    return union


def _place(parameters: Parameters, path: str) -> slice:
    """Where a parameter is in the flat arrays."""
    offset, shape = parameters.layout[path]
    return slice(offset, offset + prod(shape))


def _forget(parameters: Parameters, spans: list[slice]) -> None:
    """Set the gradient there to zero."""
    _, gradient = parameters.arrays()
    for at in spans:
        gradient[at] = 0


def _key(factor: str) -> str:
    """The name of a history in a checkpoint. factor: its key."""
    return "history" if factor == WHOLE.key else f"history/{factor}"


@registry.optimizers("adam")
def adam(
    learn_rate: registry.Schedule = 0.001,  # type: ignore[assignment]  # a bare number stands for a constant schedule
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    L2: registry.Schedule = 1e-6,  # type: ignore[assignment]
    L2_is_weight_decay: bool = True,
    grad_clip: registry.Schedule = 1.0,  # type: ignore[assignment]
    use_averages: bool = True,
    rates: Rates = MappingProxyType({}),
) -> Optimizer:
    """Adam. learn_rate, L2, grad_clip: number or schedule (grad_clip 0: never clip). beta1, beta2: decay of the moments.

    rates: pattern of paths → factor of the learning rate of the weights that fit, a number or a schedule (groups.py).
    """
    return Adam(
        beta1=beta1, beta2=beta2, eps=eps, learn_rate=learn_rate, L2=L2, L2_is_weight_decay=L2_is_weight_decay,
        grad_clip=grad_clip, use_averages=use_averages, rates=rates,
    )  # fmt: skip
