"""Cut a long doc into pieces, for components whose cost grows faster than the text.

    sentence_lengths    for predicting: a sentence a piece. The doc marks the sentences, else punctuation rules find the
                        sentences, in any script with final marks
    piece_lengths       for training: as many sentences as fit, cut at starts that no arc crosses

The rules are wrong at times (headings, abbreviations), and still better than no rules. UAS of a small parser trained on
single sentences, over 16,247 words of English EWT's dev set as one doc: .575 in sentences by the rules, .600 in the
gold sentences, .555 in groups of sentences up to 60 words, .538 in groups up to 1,000 words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from runner.corpus.doc import Doc

FINAL = ".!?…。！？｡।॥؟۔։።"
CLOSING = ")]}>\"'»”’›」』）】"
_LONGEST_ABBREVIATION = 3  # letters before a full stop in an abbreviation


def sentence_starts(doc: Doc) -> list[int]:
    """Indices of sentence starts but the first, in order: the doc's own starts, else the rules'.

    A doc's starts are ignored if the doc has heads: an earlier parse set both. So the same doc gives the same answer
    twice.

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
    """The lengths of sentences in words, each sentence above `limit` cut every `limit` words."""
    bounds = [0, *sentence_starts(doc), len(doc)]
    return [length for begin, end in pairwise(bounds) for length in piece_lengths(end - begin, limit, ())]


def piece_lengths(n: int, limit: int, starts: Sequence[int]) -> list[int]:
    """Lengths that sum to n, at most `limit` each. A piece ends at the last start within `limit`, else at `limit`.

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
    """Whether a word ends in a final mark, not an abbreviation's full stop ("Dr.", "U.S.")."""
    bare = word.rstrip(CLOSING)
    if not bare or bare[-1] not in FINAL:
        return False
    stem = bare.rstrip(FINAL)
    return bare[-1] != "." or not stem or (len(stem) > _LONGEST_ABBREVIATION and "." not in stem)
