"""The overrides of a run as one text, as its tags hold them, apart again."""

from __future__ import annotations

_OPEN, _CLOSED = "([{", ")]}"


def split_overrides(text: str) -> tuple[str, ...]:
    """The overrides; a space inside of brackets or quotes parts none.

    >>> split_overrides("seed=1 optimizer.rates={tok2vec: 0.1} tracking.run_name='a b'")
    ('seed=1', 'optimizer.rates={tok2vec: 0.1}', "tracking.run_name='a b'")
    """
    words: list[str] = []
    begun = ""
    for piece in text.split():
        begun = f"{begun} {piece}" if begun else piece
        if _is_whole(begun):
            words.append(begun)
            begun = ""
    return (*words, *begun.split())


def _is_whole(word: str) -> bool:
    depth = sum(word.count(mark) for mark in _OPEN) - sum(word.count(mark) for mark in _CLOSED)
    return depth <= 0 and all(word.count(quote) % 2 == 0 for quote in "'\"")
