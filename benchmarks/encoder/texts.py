"""The sentences that both sides read, and how they are cut into batches. Nothing of either side is imported here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

BATCH_WORDS = 800
ORDERS = ("corpus", "length")

Sentence = list[str]


def read(path: str | Path) -> list[Sentence]:
    """Sentences from a file of JSON lines, a list of words each."""
    with Path(path).open(encoding="utf8") as file:
        return [json.loads(line) for line in file]


def write(path: Path, sentences: Sequence[Sentence]) -> None:
    path.write_text("".join(json.dumps(words) + "\n" for words in sentences), encoding="utf8")


def batches(sentences: Sequence[Sentence], order: str, size: int = BATCH_WORDS) -> list[list[Sentence]]:
    """Cut sentences into batches of at most `size` words, or of one sentence. order: of ORDERS; "length" sorts them first.

    >>> batches([["a", "b"], ["c"], ["d", "e"]], "length", 3)
    [[['c'], ['a', 'b']], [['d', 'e']]]
    """
    cut: list[list[Sentence]] = []
    n_words = 0
    for words in sorted(sentences, key=len) if order == "length" else sentences:
        if not cut or n_words + len(words) > size:
            cut.append([])
            n_words = 0
        cut[-1].append(words)
        n_words += len(words)
    return cut


def first(sentences: Sequence[Sentence], n_words: int) -> list[Sentence]:
    """The first sentences that hold at least `n_words` words together; all of them, if they hold fewer.

    >>> first([["a"], ["b", "c"], ["d"]], 2)
    [['a'], ['b', 'c']]
    """
    taken: list[Sentence] = []
    total = 0
    for words in sentences:
        if total >= n_words:
            break
        taken.append(words)
        total += len(words)
    return taken
