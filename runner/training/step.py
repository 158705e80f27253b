"""What one update and one evaluation leave behind, as plain values; whoever wants to know, reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Evaluation:
    """Scores of the averaged parameters on the dev set."""

    score: float  # the weighted final score that picks the best epoch, 0 to 1
    scores: Mapping[str, float]  # ents_p, ents_r, ents_f, token_acc, … 0 to 1
    per_type: Mapping[
        str, Mapping[str, Mapping[str, float]]
    ]  # {"ner": {"LOC": {"p": …, "r": …, "f": …, "support": n}}}
    losses: Mapping[str, float]  # component → loss summed since the last evaluation
    words_per_second: float  # prediction speed
    device: str = "cpu"
    excluded_entities: int = 0  # gold entities that do not align with the predicted tokens


@dataclass(frozen=True)
class Step:
    """One update of the weights."""

    step: int  # updates done, this one included: the first is 1
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
    is_best: bool = False  # this evaluation is the best so far
    extra: Mapping[str, float] = field(default_factory=dict)  # further metrics, by key

    @property
    def loss(self) -> float:
        return sum(self.losses.values())
