"""All weights of a pipeline in one flat float32 array that its layers view; likewise their gradients.

Clipping, L2, Adam and averaging are a few passes over memory, a checkpoint is a few arrays, and every value has a stable
address: the path "ner/tok2vec/encode1/W". Layers are thinc models that declare their parameters in `attrs["init"]` as
{name: (shape, initializer)}; a layer's `name` is its path. `attrs["grow"]` fills in what a layer that has learned gains when
its labels become more: grow({name: values before}, {name: values now, with the old ones in place}). `attrs["tables"]` names
the parameters that are read row by row (tables.py); `bind` puts their `Table` there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.ops import Ops
from runner.model.tables import Table

_CACHE_LINE = 64  # bytes
Shape = tuple[int, ...]
Initializer = Callable[[np.random.Generator, Shape], NDArray[np.float32]]
Given = Callable[[Mapping[str, Shape]], Mapping[str, NDArray[np.float32]]]  # path → shape to path → values


def zeros(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    return np.zeros(shape, dtype="float32")


def ones(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    return np.ones(shape, dtype="float32")


def uniform(scale: float) -> Initializer:
    """Uniform between -scale and scale."""

    def init(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
        return rng.uniform(-scale, scale, shape).astype("float32")

    return init


def glorot_uniform(fan_in: int, fan_out: int) -> Initializer:
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return uniform(sqrt(6.0 / (fan_in + fan_out)))


class Parameters:
    """The flat arrays and the address of each parameter in them.

    weights, gradient: float32 (n,). layout: path → (offset, shape), in a fixed order. tables: by path. ops: of all layers
    and of the optimizer.
    """

    def __init__(self, ops: Ops | None = None) -> None:
        self.ops = ops if ops is not None else Ops(use_blis=False)
        self._weights = np.zeros(0, dtype="float32")
        self._gradient = np.zeros(0, dtype="float32")
        self.layout: dict[str, tuple[int, Shape]] = {}
        self.fixed: dict[str, NDArray[np.float32]] = {}  # path → weights that never learn, outside of the flat arrays
        self.frozen: list[slice] = []  # ranges that no optimizer may change, see `freeze`
        self.tables: dict[str, Table] = {}
        self.settle: Callable[[], None] = (
            _nothing  # set by an optimizer: bring up to date the rows that it has left alone
        )
        self.is_gradient_seen = (
            False  # since the last update, a caller took the whole gradient, and may have changed it
        )
        self.learned: set[str] = set()  # owners whose weights are no longer their initial ones, see `owners`
        self._layers: list[tuple[Model, str, str]] = []

    @property
    def weights(self) -> NDArray[np.float32]:
        """All weights, up to date. Change them in place, or assign an array of the same length."""
        self.settle()
        return self._weights

    @weights.setter
    def weights(self, values: NDArray[np.float32]) -> None:
        self._weights = values

    @property
    def gradient(self) -> NDArray[np.float32]:
        """The whole gradient, tables included."""
        for table in self.tables.values():
            table.collect()
        self.is_gradient_seen = True
        return self._gradient

    @gradient.setter
    def gradient(self, values: NDArray[np.float32]) -> None:
        self._gradient = values

    def forget_gradient(self) -> None:
        """Set the gradient to zero, tables included."""
        self.gradient[...] = 0
        self.is_gradient_seen = False

    def detach(self) -> None:
        """Drop the row updates that an optimizer has left for later: the weights are about to be replaced."""
        self.settle = _nothing
        for table in self.tables.values():
            table.lazy = None

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For optimizers: the flat weights and gradient as they are, without the tables' pending updates and gradients."""
        return self._weights, self._gradient

    def bind(
        self,
        models: Mapping[str, Model],
        seed: int,
        given: Given | None = None,
        fresh: Collection[str] = (),
        taken: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
    ) -> None:
        """Give every parameter of `models` its place and its layer the ops, keep known values, initialize the rest.

        A parameter that grew along its axes keeps its old values in the old corner. Initial values are a function of
        `seed` and the path alone. given: returns the values of all paths from their shapes; called before any array is
        made. fresh: owners whose values are forgotten. taken: values of some paths, as if they had been known.
        Parameters of layers with `attrs["is_fixed"]` have no gradient, and no place in the flat arrays.
        """
        views = self.all_values()
        known = {path: view.copy() for path, view in views.items() if path.partition("/")[0] not in fresh}
        known |= {path: value for path, value in taken.items() if path.partition("/")[0] not in fresh}
        layers: list[tuple[Model, str, str]] = []
        shapes: dict[str, Shape] = {}
        initial: dict[str, Initializer] = {}
        fixed: set[str] = set()
        for model in models.values():
            for node in model.walk():
                node.ops = self.ops
                for name, (shape, init) in node.attrs.get("init", {}).items():
                    path = f"{node.name}/{name}"
                    layers.append((node, name, path))
                    if path in shapes:
                        assert shapes[path] == shape, f"two layers are called {node.name}"
                        continue  # a layer that components share
                    shapes[path], initial[path] = shape, init
                    if node.attrs.get("is_fixed"):
                        fixed.add(path)
        loaded = given(shapes) if given is not None else None
        values: dict[str, NDArray[np.float32]] = {}
        for path, shape in shapes.items():
            if loaded is not None:
                value = loaded[path]
                assert value.shape == shape, path
            else:
                value = _begun(path, shape, known.get(path), initial[path], seed)
            values[path] = value
        if loaded is None:
            for node in {id(node): node for node, _, path in layers if path in known}.values():
                if node.name.partition("/")[0] in self.learned - set(fresh):
                    _grow(node, known, values)
        self.fixed = {path: values.pop(path) for path in sorted(fixed)}
        self.layout, size = _placed({path: value.shape for path, value in values.items()})
        self.settle = _nothing
        self._weights, self._gradient = flat_zeros(size), flat_zeros(size)
        if values:
            np.concatenate([value.ravel() for value in values.values()], out=self._weights)
        self.is_gradient_seen = False
        self._layers = layers
        self.freeze([])
        owners = {path.partition("/")[0] for path in shapes}
        self.learned = owners if given is not None else self.learned - set(fresh)
        self._attach()

    def _attach(self) -> None:
        weights, gradients = self.views(self._weights), self.views(self._gradient)
        self.tables = {}
        for node, name, path in self._layers:
            if path in self.fixed:
                node.set_param(name, self.fixed[path])
                continue
            node.set_param(name, weights[path])
            node.set_grad(name, gradients[path])
            if name in node.attrs.get("tables", ()):
                table = self.tables.setdefault(path, Table(weights[path], gradients[path]))
                node.attrs["tables"][name] = table

    def look_at(self, flat: NDArray[np.float32]) -> None:
        """Take `flat`, (n,) float32, as the weights without copying it: a map of a file that other processes map too."""
        assert flat.shape == self._weights.shape
        self.detach()
        self._weights = flat
        self._attach()

    def views(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Path → view of a flat array with one value a weight."""
        return {
            path: flat[offset : offset + prod(shape)].reshape(shape) for path, (offset, shape) in self.layout.items()
        }

    def all_values(self) -> dict[str, NDArray[np.float32]]:
        """Path → values of all weights, up to date, with those that never learn."""
        return {**self.views(self.weights), **self.fixed}

    def owners(self) -> dict[str, slice]:
        """Component, or "tok2vec" if it is shared → its slice of the flat arrays."""
        spans: dict[str, slice] = {}
        for path, (offset, shape) in self.layout.items():
            owner = path.partition("/")[0]
            start = spans[owner].start if owner in spans else offset
            spans[owner] = slice(start, offset + prod(shape))
        return spans

    def freeze(self, paths: Iterable[str]) -> None:
        """Exempt these parameters from updates until the next call; an empty list frees all.

        Layers whose parameters are all frozen are told by `attrs["is_frozen"]`: they need compute no gradient of them.
        """
        frozen = set(paths)
        spans = sorted((offset, offset + prod(shape)) for offset, shape in map(self.layout.__getitem__, frozen))
        merged: list[list[int]] = []
        for start, stop in spans:
            if merged and merged[-1][1] == start:
                merged[-1][1] = stop
            else:
                merged.append([start, stop])
        self.frozen = [slice(start, stop) for start, stop in merged]
        moving = {id(node) for node, _, path in self._layers if path not in frozen}
        for node, _, _ in self._layers:
            node.attrs["is_frozen"] = id(node) not in moving

    @contextmanager
    def use(self, flat: NDArray[np.float32]) -> Iterator[None]:
        """Compute with other weights inside the `with` block; the raw weights return even after an error."""
        raw = self.weights.copy()
        self.weights[...] = flat
        try:
            yield
        finally:
            self.weights[...] = raw


def learns(layer: Model[Any, Any]) -> bool:
    """Whether the next update may change a parameter of the layer; else its gradient is not asked for."""
    return not (layer.attrs.get("is_fixed") or layer.attrs.get("is_frozen"))


def _placed(shapes: Mapping[str, Shape]) -> tuple[dict[str, tuple[int, Shape]], int]:
    """Path → (offset, shape) one after the other, and the size of all."""
    layout, size = {}, 0
    for path, shape in shapes.items():
        layout[path] = (size, shape)
        size += prod(shape)
    return layout, size


def flat_zeros(n: int) -> NDArray[np.float32]:
    """(n,) zeros that begin at a cache line. Without this, passes over several flat arrays take a fifth longer."""
    n_skipped = _CACHE_LINE // 4
    room = np.zeros(n + n_skipped, dtype="float32")
    start = -room.ctypes.data % _CACHE_LINE // 4
    return room[start : start + n]


def _nothing() -> None:
    pass


def _begun(
    path: str, shape: Shape, old: NDArray[np.float32] | None, initial: Initializer, seed: int
) -> NDArray[np.float32]:
    """The known value if it has the shape; else an initial one, with the known value in its old corner."""
    if old is not None and old.shape == shape:  # an initial one would be drawn in vain
        return old
    value = initial(np.random.default_rng([seed, zlib.crc32(path.encode("utf8"))]), shape)
    if old is not None:
        _keep(value, old)
    return value


def _keep(value: NDArray[np.float32], old: NDArray[np.float32]) -> None:
    if old.ndim == value.ndim and all(a <= b for a, b in zip(old.shape, value.shape, strict=True)):
        value[tuple(slice(n) for n in old.shape)] = old


def _grow(node: Model, known: Mapping[str, NDArray[np.float32]], values: Mapping[str, NDArray[np.float32]]) -> None:
    """Let a layer fill in what it has gained since it learned."""
    grow, names = node.attrs.get("grow"), list(node.attrs.get("init", ()))
    before = {name: known[f"{node.name}/{name}"] for name in names if f"{node.name}/{name}" in known}
    now = {name: values[f"{node.name}/{name}"] for name in names}
    is_whole = len(before) == len(names) and all(value.size for value in before.values())
    if grow is not None and is_whole and any(before[name].shape != now[name].shape for name in names):
        grow(before, now)
