"""The settings of an optimizer: numbers or schedules, checked when they are given, and again at every step.

    sgd = runner.adam()
    sgd.learn_rate = 0.01                                # from the next update on
    sgd.learn_rate *= 0.5
    sgd.L2 = runner.linear(1e-6, 0.0, steps=1000)
    sgd.alpha = 0.01                                     # RunnerError: the optimizer has no 'alpha'; set learn_rate

A setting reads as a schedule; a number reads as a schedule that is also a number (`Constant`). Optimizers use them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Real
from typing import Any

from runner.errors import RunFailed, RunnerError, suggest
from runner.spacy_names import UnknownName, unknown
from runner.training.groups import checked_rates
from runner.training.schedules import Constant, constant

_OWNER = "the optimizer"
_NOT_NEGATIVE = (lambda value: value >= 0, "it must not be negative")
_SHARE = (lambda value: 0 <= value < 1, "it must be at least 0 and less than 1")
_RULES: dict[str, tuple[Callable[[float], bool], str]] = {
    "learn_rate": _NOT_NEGATIVE,
    "L2": _NOT_NEGATIVE,
    "grad_clip": _NOT_NEGATIVE,
    "beta1": _SHARE,
    "beta2": _SHARE,
    "eps": (lambda value: value > 0, "it must be more than 0"),
}
_FLAGS = ("L2_is_weight_decay", "use_averages")


class _Sealing(type):
    """Objects take no new attribute after `__init__`, so that a misspelt setting is an error and never ignored."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made._is_made = True
        return made


class Settings(metaclass=_Sealing):
    """The base of an optimizer: assignments are checked, unknown names are refused."""

    step = 0  # updates done; schedules are asked for this step
    _is_made = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "step" or name.startswith("_"):  # set at every update
            super().__setattr__(name, value)
            return
        is_known = name in self.__dict__ or hasattr(type(self), name)
        is_ours = type(self).__module__.startswith("runner.")  # a class of the user's has attributes of its own
        if self._is_made and is_ours and not is_known:
            raise self._refusal(name)
        if name in _FLAGS:
            self._check_flag(name, value)
        if name == "rates":
            value = checked_rates(value)
        if name not in _RULES:
            super().__setattr__(name, value)
            return
        before = self.__dict__.get(name)
        super().__setattr__(name, self._checked(name, value))
        try:
            self.check_together()
        except RunnerError:
            super().__setattr__(name, before)
            raise

    def __getattr__(self, name: str) -> Any:
        raise unknown(_OWNER, self, name)

    def now(self, name: str) -> float:
        """The setting's value at this step. Raises RunFailed where its schedule leaves the range."""
        schedule = self.__dict__[name]
        if type(schedule) is Constant:  # checked when it was given
            return float(schedule)
        value: float = schedule(self.step)
        fits, rule = _RULES[name]
        if not fits(value):
            raise RunFailed(f"{name} is {value} at step {self.step}; {rule}", hint=f"Give {name} another schedule.")
        return value

    def check_together(self) -> None:
        """Raises RunnerError where settings that are fine alone do not go together."""

    def _checked(self, name: str, value: Any) -> Callable[[int], float]:
        """The setting as a schedule. Raises RunnerError for anything but a number or a schedule in its range."""
        hint = "Give a number, or a function of the step such as runner.decaying(0.01, 0.001, 1e-5)."
        if isinstance(value, bool) or not (callable(value) or isinstance(value, Real)):
            raise RunnerError(f"{name} is {value!r:.80}, which is neither a number nor a schedule", hint=hint)
        schedule: Callable[[int], float] = value if callable(value) else constant(float(value))
        try:
            first = schedule(self.step)
        except RunnerError:
            raise
        except Exception as error:
            fact = f"{name} fails at step {self.step} ({type(error).__name__}: {error})"
            raise RunnerError(fact, hint=hint) from error
        if isinstance(first, bool) or not isinstance(first, Real) or not isfinite(first):
            raise RunnerError(f"{name} is {first!r:.80} at step {self.step}, which is no finite number", hint=hint)
        fits, rule = _RULES[name]
        if not fits(float(first)):
            hint = f"Give {name} another value, or leave it out."
            raise RunnerError(f"{name} is {first} at step {self.step}; {rule}", hint=hint)
        return schedule

    def _check_flag(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise RunnerError(f"{name} is {value!r:.80}", hint=f"Give {name} True or False.")
        if name == "use_averages" and self.step and value != self.__dict__.get(name):
            raise RunnerError(
                f"use_averages cannot change after {self.step} updates",
                hint=f"Make a new optimizer, such as runner.adam(use_averages={value}).",
            )

    def _refusal(self, name: str) -> AttributeError:
        known = unknown(_OWNER, self, name)
        if isinstance(known, UnknownName):
            return known
        names = [own for own in (*_RULES, *_FLAGS) if own in self.__dict__]
        return UnknownName(f"{_OWNER} has no {name!r}; {suggest(name, names)}")
