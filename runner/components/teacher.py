"""A trained pipeline that teaches another one while this learns from data: `nlp.update(…, teacher=Teacher(…))`.

    teacher = Teacher(runner.load("old"), weight=0.5)
    nlp.update(examples, sgd=sgd, teacher=teacher)

It predicts each batch anew, on the words as the student sees them, so that a run needs to keep nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.components.beliefs import Beliefs
from runner.components.predictor import Predictor
from runner.corpus.doc import Doc
from runner.errors import RunFailed, RunnerError


@dataclass(frozen=True)
class Teacher:
    """nlp: predicts, and never changes. weight: of what it believes, where the data have annotation too; from 0 to 1.

    The weight is a number, or a schedule: a function of the step.
    """

    nlp: Predictor
    weight: float | Callable[[int], float] = 0.5

    def __post_init__(self) -> None:
        if not callable(self.weight) and not 0 <= self.weight <= 1:
            raise RunnerError(f"the teacher's weight is {self.weight}; it must be from 0 to 1")

    def weight_at(self, step: int) -> float:
        """The weight in update number `step`, counted from 0. Raises RunFailed where a schedule leaves its range."""
        weight = float(self.weight(step)) if callable(self.weight) else self.weight
        if not 0 <= weight <= 1:
            fact = f"the schedule gives {weight} at step {step}"
            raise RunFailed(fact, place="teacher.weight", hint="It must stay from 0 to 1.")
        return weight

    def at(self, step: int) -> Teacher:
        """This teacher with the weight of that step."""
        return replace(self, weight=self.weight_at(step)) if callable(self.weight) else self

    def knows(self, name: str) -> bool:
        """Whether it has a component of that name."""
        return name in self.nlp.components and self.nlp.components[name].has_weights

    def beliefs(self, name: str, docs: Sequence[Doc], question: Any = None) -> Beliefs:
        """What its component of that name believes about the docs, on their own tokens. question: see Component.question."""
        labels, P = self.nlp.network.beliefs(docs, name, question)
        return Beliefs(labels, P, self.weight_at(0))
