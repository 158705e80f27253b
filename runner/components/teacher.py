"""A trained pipeline that teaches another one while this learns from data: `nlp.update(…, teacher=Teacher(…))`.

    teacher = Teacher(runner.load("old"), weight=0.5)
    nlp.update(examples, sgd=sgd, teacher=teacher)

It predicts each batch anew, on the words as the student sees them, so that a run needs to keep nothing of it. A slow teacher,
such as an encoder, may keep what it believes about each text for later epochs (`Memory`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runner.components.beliefs import Beliefs
from runner.components.predictor import Predictor
from runner.corpus.doc import Doc
from runner.errors import RunFailed, RunnerError
from runner.model.encoder.kept import text_key

_MOST_BYTES = 1 << 30  # of beliefs that a teacher keeps


@dataclass(frozen=True)
class Teacher:
    """nlp: predicts, and never changes. weight: of what it believes, where the data have annotation too; from 0 to 1.

    The weight is a number, or a schedule: a function of the step. memory: of its beliefs; None: it keeps none.
    """

    nlp: Predictor
    weight: float | Callable[[int], float] = 0.5
    memory: Memory | None = None

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
        if self.memory is not None and question is None:
            labels, P = self.memory.beliefs(self.nlp, name, docs)
        else:
            labels, P = self.nlp.network.beliefs(docs, name, question)
        return Beliefs(labels, P, self.weight_at(0))


class Memory:
    """What a teacher believes about texts. Each text is asked once, and alone, so that no bit depends on its batch.

    most_bytes: texts beyond are asked anew each time, with the same bits.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._kept: dict[tuple[str, bytes], Any] = {}  # component, text → (n_states, n_tokens or 1)
        self._left = most_bytes

    def beliefs(self, nlp: Predictor, name: str, docs: Sequence[Doc]) -> tuple[list[str], Any]:
        """The labels of a component, and what it believes about docs, (n_states, n_tokens or n_docs)."""
        parts = []
        for doc in docs:
            key = name, text_key(doc.words)
            P = self._kept.get(key)
            if P is None:
                P = nlp.network.beliefs([doc], name)[1]
                if not (isinstance(P, np.ndarray) and P.ndim == 2):  # a component whose beliefs have another form
                    return nlp.network.beliefs(docs, name)
                if P.nbytes <= self._left:
                    self._left -= P.nbytes
                    self._kept[key] = P
            parts.append(P)
        labels = list(nlp.components[name].labels)
        return (labels, np.concatenate(parts, axis=1)) if parts else nlp.network.beliefs(docs, name)
