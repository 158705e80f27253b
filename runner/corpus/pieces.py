"""Cut a long doc into pieces, for components whose cost grows faster than the text.

    sentence_lengths    a sentence each: those that the doc has, else by rules of punctuation, in any script that ends a
                        sentence with a mark; for predicting
    piece_lengths       as many sentences as fit, where it is known that nothing crosses their bounds; for training

Rules are wrong at times (headings, abbreviations), and still better than none. 16,247 words of English EWT's dev set as
one doc, a small parser that had learned from single sentences, UAS: .575 in sentences by these rules, .600 in the right
ones; as many sentences together as fit into 60 words .555, into 1,000 words .538.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from runner.corpus.doc import Doc

FINAL = ".!?…。！？｡।॥؟۔։።"
CLOSING = ")]}>\"'»”’›」』）】"
_LONGEST_ABBREVIATION = 3  # letters before a full stop that is part of the word


def sentence_starts(doc: Doc) -> list[int]:
    """Where sentences begin, but for the first: those that the doc has, else by the rules. In order.

    A doc with heads was parsed before, and its starts came with them: they do not count, so that the same doc gives the
    same answer twice.

    >>> sentence_starts(Doc(["(", "He", "slept", ".", ")", "Dr.", "No", "?", "!", "no"]))
    [5]
    """
    if doc.sent_starts is not None and doc.heads is None:
        return [i for i, is_start in enumerate(doc.sent_starts) if is_start and i]
    starts = []
    after_end = False
    for i, word in enumerate(doc.words):
        if after_end and not _is_marks(word):
            if not word[0].islower():
                starts.append(i)
            after_end = False
        after_end = _ends_sentence(word) or (after_end and _is_marks(word))
    return starts


def sentence_lengths(doc: Doc, limit: int) -> list[int]:
    """Words of each sentence; of one that is longer than `limit`, words of each stretch of that length."""
    bounds = [0, *sentence_starts(doc), len(doc)]
    return [length for begin, end in pairwise(bounds) for length in piece_lengths(end - begin, limit, ())]


def piece_lengths(n: int, limit: int, starts: Sequence[int]) -> list[int]:
    """Lengths that add up to n, none above `limit`: each as long as it can be that ends at a start, else of `limit`.

    >>> piece_lengths(10, 4, [1, 3, 9])
    [3, 4, 3]
    """
    lengths = []
    begin = 0
    while n - begin > limit:
        last = bisect_right(starts, begin + limit) - 1
        end = starts[last] if last >= 0 and starts[last] > begin else begin + limit
        lengths.append(end - begin)
        begin = end
    return [*lengths, n - begin]


def _is_marks(word: str) -> bool:
    return all(character in FINAL or character in CLOSING for character in word)


def _ends_sentence(word: str) -> bool:
    """Whether a word ends in a final mark that is no part of an abbreviation ("Dr.", "U.S.")."""
    bare = word.rstrip(CLOSING)
    if not bare or bare[-1] not in FINAL:
        return False
    stem = bare.rstrip(FINAL)
    return bare[-1] != "." or not stem or (len(stem) > _LONGEST_ABBREVIATION and "." not in stem)
