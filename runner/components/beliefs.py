"""What a teacher believes about a batch, and how a student that knows other labels reads it.

A teacher is a trained pipeline (teacher.py). Its component tells the probability of each of its states; the student learns from
them as from annotation, where there is none or beside it.

Distillation: Hinton, Vinyals and Dean (2015), "Distilling the knowledge in a neural network"; of what is to be remembered: Li
and Hoiem (2016), "Learning without forgetting". A student with more labels than its teacher shares out the mass of "none of
them" as it sees fit (Cermelli et al., 2020, "Modeling the background for incremental learning").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc

Floats2d = NDArray[Any]


@dataclass(frozen=True)
class Beliefs:
    """labels: that the teacher knows, in the order of its rows. P: what its `Component.beliefs` returned.

    P is (n_states, n) probabilities of tokens or docs, but for the parser (parser_lessons.py).
    weight: of the teacher where there is annotation as well, 0 to 1.
    """

    labels: Sequence[str]
    P: Any
    weight: float


class Teaching(Protocol):
    """A teacher, as a network sees it (teacher.py)."""

    def knows(self, name: str) -> bool:
        """Whether it has a component of that name."""

    def beliefs(self, name: str, docs: Sequence[Doc], question: Any = None) -> Beliefs:
        """What its component of that name believes about the docs. question: of the student's component."""


class Lesson(NamedTuple):
    """The outcome of an update with a teacher. Beside annotation, both losses count with their weights."""

    learned: float  # loss against what the data annotate
    taught: float  # loss against what the teacher believes
    dX: Floats2d | None  # gradient of the token vectors


def taught_key(name: str) -> str:
    """The name of the loss of a component against its teacher's beliefs, among the losses by component."""
    return f"teach/{name}"


def rows_for(theirs: Sequence[str], rows: Mapping[str, int]) -> NDArray[np.intp]:
    """The student's row of each label of the teacher's; -1 for one that the student does not know."""
    return np.array([rows.get(label, -1) for label in theirs], dtype="intp")


def spread(P: Floats2d, places: NDArray[np.intp], n: int) -> Floats2d:
    """The teacher's rows moved to the student's: (n, …). places: as of `rows_for`; rows of -1 are left out."""
    out = np.zeros((n, P.shape[1]), dtype=P.dtype)
    known = places >= 0
    np.add.at(out, places[known], P[known])
    return out


def mixed(gold: Floats2d, taught: Floats2d, weight: float) -> Floats2d:
    """(1 - weight) gold + weight taught, column by column."""
    return (1 - weight) * gold + weight * taught


def class_targets(
    gold: NDArray[np.integer[Any]], own: Floats2d, beliefs: Beliefs, rows: Mapping[str, int]
) -> tuple[Floats2d, NDArray[np.float64]]:
    """(what the softmax over a token's classes should be, the part of it that the gold label gives).

    The first is (n_labels, n_tokens), the second (n_tokens,) from 0 to 1, see `losses_apart`.
    A token without gold has the teacher's distribution over the labels that both know; one whose gold label the teacher
    knows, a mixture; any other gold label stands alone. A token whose teacher believes in unknown labels only keeps its own.
    gold: (n_tokens,) rows, -1 unknown. own: the student's distribution (n_labels, n_tokens). rows: label → its row.
    """
    places = rows_for(beliefs.labels, rows)
    target = spread(beliefs.P, places, len(rows))
    total = target.sum(axis=0)
    target /= np.maximum(total, 1e-12)
    is_silent = total < 1e-6
    target[:, is_silent] = own[:, is_silent]
    known = np.flatnonzero(gold >= 0)
    exact = np.zeros((len(rows), len(known)), dtype=target.dtype)
    exact[gold[known], np.arange(len(known))] = 1
    is_theirs = np.isin(gold[known], places) & ~is_silent[known]
    target[:, known] = np.where(is_theirs, mixed(exact, target[:, known], beliefs.weight), exact)
    return target, gold_share(gold, is_theirs, beliefs.weight)


def gold_share(gold: NDArray[np.integer[Any]], is_theirs: NDArray[np.bool_], weight: float) -> NDArray[np.float64]:
    """The part of each token's target that its gold state gives: (n_tokens,).

    gold: (n_tokens,) states, negative where unknown. is_theirs: for each known one, whether the teacher knows it too.

    >>> gold_share(np.array([2, -1, 0]), np.array([True, False]), 0.25).tolist()
    [0.75, 0.0, 1.0]
    """
    share = np.zeros(len(gold))
    share[gold >= 0] = np.where(is_theirs, 1 - weight, 1.0)
    return share


def losses_apart(
    target: Floats2d, P: Floats2d, gold: NDArray[np.integer[Any]], share: NDArray[np.float64]
) -> tuple[float, float]:
    """-Σ target log P as (loss against the gold states, loss against the teacher's beliefs).

    target, P: (n_states, n_tokens). gold: (n_tokens,) states, negative where unknown. share: see `gold_share`.

    >>> target, P = np.array([[0.75, 0.5], [0.25, 0.5]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    >>> [round(loss / float(np.log(2)), 2) for loss in losses_apart(target, P, np.array([0, -1]), np.array([0.5, 0.0]))]
    [0.5, 1.5]
    """
    known = np.flatnonzero(gold >= 0)
    of_gold = np.maximum(P[gold[known], known], 1e-12)
    learned = -float((share[known] * np.log(of_gold, dtype="float64")).sum())
    return learned, cross_entropy_of(target, P) - learned


def cross_entropy_of(target: Floats2d, P: Floats2d) -> float:
    """-Σ target log P, (n_states, n) both."""
    return -float((target * np.log(np.maximum(P, 1e-12), dtype="float64")).sum())
