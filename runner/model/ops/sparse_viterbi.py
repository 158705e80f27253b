"""Viterbi over BILUO tags that steps only through the words where an entity of several words may win.

A path that opens an entity at word s and closes it at word e has to beat the path that stays closed from s to e. What it gains
on that path does not depend on the rest of the text, and running sums and maxima give the most that an entity through any
word and label can gain, for all words at once. Where that is clearly below 0, the label is never open on the best path.
The other words, few in most texts, are decided one by one.

The result is bit for bit that of the steps through all words: the scores of paths are added up in the same order and
precision, and what is left out would lose every comparison by more than rounding can change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.model.layout import Floats2d, Layout

Ints = NDArray[np.intp]


def decode_sparsely(scores: Floats2d, layout: Layout, most: int) -> Ints | None:
    """The best legal sequence of each doc. (n_states, n_tokens) → (n_tokens,) states.

    None if more than `most` pairs of a word and an open label have to be looked at, or a score is not finite.
    """
    n_labels, n = (len(scores) - 1) // 4, scores.shape[1]
    if not n_labels or not n:
        return np.zeros(n, dtype="intp")
    if not np.isfinite(scores).all():
        return None
    O, B, I, L, U = scores[0], *scores[1:].reshape(4, n_labels, n)  # noqa: E741 (their names)
    unit = U.argmax(axis=0)
    unit_score = np.take_along_axis(U, unit[None], axis=0)[0]
    best = np.where(unit_score <= O, 0, 3 * n_labels + 1 + unit)
    stay = np.maximum(O, unit_score)
    # A sum of float scores is off by less than half of `slack` a word.
    slack = 4 * float(np.finfo(scores.dtype).eps) * float(np.abs(scores).max()) * (float(layout.lengths.max()) + 1)
    is_open = _may_be_open(stay, B, I, L, layout, slack)  # (n_labels, n): the label may be open after the word
    labels_at = np.flatnonzero(is_open.any(axis=0))
    if int(is_open.sum()) > most:
        return None
    # Runs of words from an opening to a word after which no label is open.
    parted = np.flatnonzero(np.diff(labels_at) > 1) + 1
    doc, total, at = (
        -1,
        scores.dtype.type(0),
        0,
    )  # at: the word before which `total` is the score of the best closed path
    for run in np.split(labels_at, parted) if len(labels_at) else ():
        begin, end = int(run[0]), int(run[-1]) + 2  # the last word of an entity is the one after its last open label
        own = int(np.searchsorted(layout.starts, begin, side="right")) - 1
        if own != doc:
            doc, total, at = own, scores.dtype.type(0), int(layout.starts[own])
        if begin > at:  # accumulate adds from left to right
            total = np.add.accumulate(np.concatenate([[total], stay[at:begin]]), dtype=scores.dtype)[-1]
        total = _decode_run(begin, end, total, (stay, B, I, L), is_open, best)
        at = end
    return best


def _may_be_open(stay: Any, B: Any, I: Any, L: Any, layout: Layout, slack: float) -> NDArray[np.bool_]:  # noqa: E741
    """Whether the best path may have the label open after the word: (n_labels, n). slack: of every word's score."""
    first = layout.starts[layout.lengths > 0]
    begin, inside, close = (values.astype("float64") - stay + slack for values in (B, I, L))
    # No entity crosses the end of a doc: it would pay more than a doc can gain.
    largest = float(max(np.abs(begin).max(), np.abs(inside).max(), np.abs(close).max()))
    inside[:, first] = close[:, first] = -2 * (largest + 1) * (int(layout.lengths.max()) + 2)
    sums = np.cumsum(inside, axis=1)
    before = (
        np.maximum.accumulate(begin - sums, axis=1) + sums
    )  # of the words up to here, if the label is open after this
    ahead = close[:, 1:] + sums[:, :-1]  # of the words up to the last one
    after = np.full(before.shape, -np.inf)
    after[:, :-1] = np.maximum.accumulate(ahead[:, ::-1], axis=1)[:, ::-1] - sums[:, :-1]
    is_open: NDArray[np.bool_] = before + after >= -slack
    return is_open


def _decode_run(begin: int, end: int, total: Any, rows: tuple[Any, Any, Any, Any], is_open: Any, best: Ints) -> Any:
    """Decide the words from `begin` to `end`, between which alone a label may be open, and write their states to `best`.

    total: the score of the best path that is closed before `begin`. rows: the scores of staying closed, B, I and L. Returns
    the score of the best path that is closed after the last word. Ties break as in `decode_stepwise`.
    """
    stay, B, I, L = rows  # noqa: E741 (their names)
    n_labels = len(B)
    opened: dict[int, Any] = {}  # label → the score of the best path on which it is open
    came_from: list[int] = []  # closed after each word: -1 by staying, x by L-x
    continues: list[set[int]] = []  # labels that are open after each word by I-x, not by B-x
    for t in range(begin, end):
        staying, closing, source = total + stay[t], None, -1
        for x, score in opened.items():  # in ascending order
            if closing is None or score + L[x, t] > closing:
                closing, source = score + L[x, t], x
        before, opened, inside = opened, {}, set()
        for x in np.flatnonzero(is_open[:, t]).tolist():
            opened[x] = total + B[x, t]
            if x in before and before[x] + I[x, t] > opened[x]:
                opened[x] = before[x] + I[x, t]
                inside.add(x)
        continues.append(inside)
        came_from.append(-1 if closing is None or staying >= closing else source)
        total = staying if closing is None or staying >= closing else closing
    label = -1  # open after the word; -1: none
    for t in range(end - 1, begin - 1, -1):
        if label >= 0:
            is_inside = label in continues[t - begin]
            best[t] = 1 + label + (n_labels if is_inside else 0)
            label = label if is_inside else -1
        elif came_from[t - begin] >= 0:
            label = came_from[t - begin]
            best[t] = 1 + 2 * n_labels + label
    return total
