"""The plain values that describe one update and one evaluation; recorders read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]  # by path; empty: those of the pipeline as they are
Scores = Mapping[str, float | None]  # 0 to 1; None: there is no gold to score against
PerType = Mapping[str, Mapping[str, Scores]]  # {"ner": {"LOC": {"p": …, "r": …, "f": …, "support": n}}}


@dataclass(frozen=True)
class Evaluation:
    """Scores of the averaged parameters on the dev set."""

    score: float | None  # the weighted final score that picks the best epoch, 0 to 1; None: no gold for any part of it
    scores: Scores  # ents_p, ents_r, ents_f, token_acc, …
    per_type: PerType
    losses: Mapping[str, float]  # component → loss summed since the last evaluation
    words_per_second: float  # prediction speed
    device: str = "cpu"
    trained_words_per_second: float | None = None  # since the last evaluation, without evaluations
    excluded_entities: int = 0  # gold entities that do not align with the predicted tokens
    old_scores: Scores = field(default_factory=dict)  # on corpus.old_dev, the final one as "score"; empty without it
    forgetting: Scores = field(
        default_factory=dict
    )  # "score" and labels → score of the initial model there, less this one


@dataclass(frozen=True)
class Best:
    """The best weights so far, those of model-best, and their scores on the dev set."""

    step: int  # at which they became the best
    epoch: int
    score: float | None
    scores: Scores
    per_type: PerType
    epochs: Mapping[str, int]  # component → the epoch that its weights are of
    params: Weights
    old_scores: Scores = field(default_factory=dict)  # as in Evaluation
    forgetting: Scores = field(default_factory=dict)


@dataclass(frozen=True)
class Rollback:
    """The training has diverged, and goes on from its last evaluation with half the learning rate."""

    fact: str  # what was not finite, and at which step
    step: int  # of that evaluation; 0: the beginning
    number: int  # the first is 1
    learn_rate_factor: float  # from now on


@dataclass(frozen=True)
class Step:
    """One update of the weights."""

    step: int  # updates done, this one included: the first is 1; those that were rolled back count
    epoch: int  # passes begun: the first is 1
    losses: Mapping[str, float]  # component → loss of this batch
    learn_rate: float
    L2: float
    grad_clip: float
    batch_size: float  # the schedule's value: examples or words
    dropout: float
    grad_norm: float  # global L2 norm of the gradient before clipping
    words: int  # words in this batch
    seconds: float  # wall seconds since the previous step ended, evaluation left out
    epoch_words_done: int  # of this epoch, this batch included
    epoch_words: int  # in one epoch
    evaluation: Evaluation | None = None
    best: Best | None = None  # the best weights so far, if this evaluation changed them
    rollbacks: Sequence[Rollback] = ()  # between the previous update and this one
    extra: Mapping[str, float] = field(default_factory=dict)  # further metrics, by key

    @property
    def is_best(self) -> bool:
        return self.best is not None

    @property
    def loss(self) -> float:
        return sum(self.losses.values())
