"""Docs in batches for prediction: large enough to be fast, small enough to stay in the processor's caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.corpus.doc import Doc

_WORDS_PER_BATCH = 3000  # the fastest or nearly so for every component, of 1,000 to 4,000
_MOST_WORDS = 12_000  # in a batch of a component that predicts several docs at once


def by_words(docs: Sequence[Doc], at_once: int = 1) -> Iterator[list[Doc]]:
    """Cut docs into batches of at most _WORDS_PER_BATCH words; of more, if they are fewer than `at_once` docs.

    A doc of more words makes a batch of its own. No batch of several docs has more than _MOST_WORDS words.
    """
    batch: list[Doc] = []
    words = 0
    for doc in docs:
        total = words + len(doc)
        if (
            batch
            and total > _WORDS_PER_BATCH
            and (len(batch) >= at_once or total > _MOST_WORDS or max(len(doc), len(batch[0])) > _WORDS_PER_BATCH)
        ):
            yield batch
            batch, words = [], 0
        batch.append(doc)
        words += len(doc)
    if batch:
        yield batch
