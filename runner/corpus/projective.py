"""Check a tree for cycles and crossing arcs. heads: one index a word; a root's is its own, None is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def has_cycle(heads: Sequence[int | None]) -> bool:
    """Whether following heads from some word leads in a circle; a root, its own head, is no circle.

    >>> has_cycle([1, 1, 1]), has_cycle([1, 2, 0])
    (False, True)
    """
    state = [0] * len(heads)  # 0 not seen, 1 on the way, 2 leads to a root
    for start in range(len(heads)):
        path = []
        i: int | None = start
        while i is not None and state[i] == 0:
            state[i] = 1
            path.append(i)
            i = None if heads[i] == i else heads[i]
        if i is not None and state[i] == 1:
            return True
        for j in path:
            state[j] = 2
    return False


def crossing_arcs(heads: Sequence[int | None]) -> int:
    """The number of arcs that cross an arc beginning further left, plus roots below an arc; 0 if projective.

    A root below an arc counts because an arc to the root from outside would cross.

    >>> crossing_arcs([1, 1, 1, 2]), crossing_arcs([2, 3, 2, 3])
    (0, 2)
    """
    arcs = sorted(
        ((min(i, head), max(i, head)) for i, head in enumerate(heads) if head is not None and head != i),
        key=lambda arc: (arc[0], -arc[1]),
    )
    change = [0] * (len(heads) + 1)  # in the number of arcs over each word, from word to word
    for left, right in arcs:
        change[left + 1] += 1
        change[right] -= 1
    crossed = sum(above > 0 for i, above in enumerate(accumulate(change[:-1])) if heads[i] == i)
    open_arcs: list[int] = []  # right ends, the innermost last
    for left, right in arcs:
        while open_arcs and open_arcs[-1] <= left:
            open_arcs.pop()
        if open_arcs and open_arcs[-1] < right:
            crossed += 1
        open_arcs.append(right)
        open_arcs.sort(reverse=True)
    return crossed
