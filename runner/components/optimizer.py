"""What a pipeline asks of an optimizer; the optimizers are in training/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from runner.model.parameters import Parameters


class Used(NamedTuple):
    """The values that one update used."""

    learn_rate: float
    L2: float
    grad_clip: float
    grad_norm: float


class Updates(Protocol):
    """An optimizer: called with the parameters, it takes one step along their gradient.

    step: updates done. learn_rate: a number or a schedule. averages: path → moving average of the parameter.
    """

    step: int
    learn_rate: Any

    @property
    def averages(self) -> Mapping[str, Any]: ...

    def __call__(self, parameters: Parameters) -> Used: ...


@runtime_checkable
class Rests(Protocol):
    """An optimizer some of whose weights may rest: their layers are then computed forward alone."""

    def resting(self, parameters: Parameters) -> Sequence[str]:
        """The paths of the weights that the next update will leave as they are."""

    def prepare(self, parameters: Parameters) -> None:
        """Take note of `parameters.frozen` before a gradient is computed."""
