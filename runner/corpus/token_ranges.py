"""The tokens of a range of characters, as spaCy's `Doc.char_span` finds them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import index
from typing import Literal, get_args

from runner.errors import RunnerError, suggest

AlignmentMode = Literal["strict", "contract", "expand"]
_MODES: tuple[str, ...] = get_args(AlignmentMode)


def token_range(
    offsets: Sequence[int], words: Sequence[str], characters: tuple[int, int], mode: str
) -> tuple[int, int] | None:
    """The (start, end) in tokens of a range of characters; None if there is no token in it, or it does not fit.

    offsets: where each word starts. characters: (start, end). mode: strict: the range starts and ends with tokens; contract:
    the tokens that lie in it; expand: the tokens that share a character with it. Raises RunnerError for another mode, and
    for offsets that are no whole numbers.

    >>> [token_range([0, 5], ["Lake", "Aurel"], (0, 7), mode) for mode in ("strict", "contract", "expand")]
    [None, (0, 1), (0, 2)]
    """
    if mode not in _MODES:
        raise RunnerError(f"unknown alignment_mode {mode!r}; {suggest(str(mode), _MODES)}")
    try:
        start, end = map(index, characters)
    except TypeError:
        hint = 'Write doc.char_span(0, 4, label="ORG"); the offsets are whole numbers.'
        raise RunnerError(f"{characters} are no offsets of characters", hint=hint) from None
    if start >= end:
        return None
    first = bisect_left(offsets, start)  # the first token that starts in the range
    last = bisect_left(offsets, end)  # after the last one that starts in the range
    if mode == "expand":
        before = bisect_right(offsets, start) - 1
        if before >= 0 and offsets[before] + len(words[before]) > start:
            first = before
        return (first, last) if first < last else None
    if last > first and offsets[last - 1] + len(words[last - 1]) > end:
        last -= 1
    if first >= last:
        return None
    is_exact = offsets[first] == start and offsets[last - 1] + len(words[last - 1]) == end
    return (first, last) if mode == "contract" or is_exact else None
