"""Augmenters change training examples on the fly, so that each epoch sees other spellings of the same texts.

    augmenters:
      noise: {type: orthographic_noise, level: 0.2, per_token: 0.1}

An augmenter is a function (example, rng) → example; it returns the same example or a changed copy. Those here change words
but not their number, so entities, tags, heads and categories keep their positions. Their random numbers depend only on the
run's seed, the epoch and the example's index, so neither the order of calls nor a resumed run changes the result. If an
augmenter has a method `prepare(examples)`, it is called with the training data first.

Changed copies are marked (`Example.is_augmented`), and their words do not count as seen: a misspelt word is unknown while
training, as it is later. Dev data are never changed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.files import read_file
from runner.registry import augmenters

Augmenter = Callable[[Example, np.random.Generator], Example]

SHORTEST_MISSPELT = 4  # letters; a typo in a shorter word often makes another word


class Augmentation:
    """The augmenters of a run, applied in order.

    steps: name → augmenter. Each has its own random generator, seeded by (seed, epoch, index, name).
    """

    def __init__(self, steps: Mapping[str, Augmenter], seed: int) -> None:
        self._steps = [(zlib.crc32(name.encode("utf8")), step) for name, step in steps.items()]
        self._seed = seed

    def prepare(self, examples: Iterable[Example]) -> None:
        """Call the `prepare` of each augmenter that has one."""
        for _, step in self._steps:
            if (prepare := getattr(step, "prepare", None)) is not None:
                prepare(examples)

    def __call__(self, example: Example, epoch: int, index: int) -> Example:
        """The augmented form, in this epoch (from 1), of training example number `index`."""
        for number, step in self._steps:
            example = step(example, np.random.Generator(np.random.PCG64([self._seed, epoch, index, number])))
        return example


def with_words(example: Example, words: Sequence[str]) -> Example:
    """A copy of the example with the predicted tokens replaced by `words`; the example itself if nothing changes.

    The reference changes likewise. If it is tokenized differently, a token without a one-to-one gold token keeps its word,
    because both texts must stay equal.
    """
    predicted, reference = example.predicted, example.reference
    shown = list(words)
    gold_words = shown
    if not example.is_identical:
        shown, gold_words = list(predicted.words), list(reference.words)
        for i, gold in enumerate(example.alignment.predicted_to_gold):
            if gold is not None:
                gold_words[gold] = shown[i] = words[i]
    if shown == predicted.words:
        return example
    return Example(
        predicted.with_words(shown),
        reference.with_words(gold_words),
        alignment=example.alignment if example.is_identical else None,
        is_augmented=True,
    )


@augmenters("lower_case")
def lower_case(level: float = 0.1) -> Augmenter:
    """Lower-case whole texts, as people type them. level: share of the examples to change."""
    _check_shares(level=level)

    def augment(example: Example, rng: np.random.Generator) -> Example:
        if rng.random() >= level:
            return example
        return with_words(example, [word.lower() for word in example.predicted.words])

    return augment


@augmenters("orthographic_noise")
def orthographic_noise(level: float = 0.2, per_token: float = 0.1) -> Augmenter:
    """Add typing errors: two letters swapped, one dropped, or one doubled.

    level: share of the examples to change. per_token: probability of an error in each word of such an example. Words of
    fewer than four letters, words with other characters, and each word's first letter are not changed.
    """
    _check_shares(level=level, per_token=per_token)

    def augment(example: Example, rng: np.random.Generator) -> Example:
        if rng.random() >= level:
            return example
        words = list(example.predicted.words)
        for i in np.flatnonzero(rng.random(len(words)) < per_token).tolist():
            if len(words[i]) >= SHORTEST_MISSPELT and words[i].isalpha():
                words[i] = misspelt(words[i], int(rng.integers(3)), int(rng.integers(1, len(words[i]))))
        return with_words(example, words)

    return augment


def misspelt(word: str, kind: int, at: int) -> str:
    """One typing error at letter `at` (from 1: the first stays).

    kind: 0 swaps the letter with the next (the last one with that before it), 1 drops it, 2 doubles it.

    >>> misspelt("wednesday", 0, 2), misspelt("wednesday", 1, 3), misspelt("wednesday", 2, 8)
    ('wendesday', 'wedesday', 'wednesdayy')
    """
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    at = min(at, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@augmenters("token_replacement")
def token_replacement(
    level: float = 0.2,
    per_token: float = 0.1,
    same: Literal["tag", "pos", "entity"] = "tag",
    table: str | Mapping[str, Sequence[str]] | None = None,
) -> Augmenter:
    """Words in the place of others.

    level: share of the examples. per_token: probability that a word of such an example is replaced. table: word → words
    that may stand for it, a mapping or a YAML or JSON file with one; a word that is not there is looked up in lower case,
    and its replacement gets its capital. Without a table, the word's place goes to another word of the training data with
    the same fine tag, the same universal tag (same=pos), or the same place in an entity of the same label (same=entity:
    a first word of a PER by one, words outside entities stay); frequent words are drawn more often.
    """
    _check_shares(level=level, per_token=per_token)
    return _Replacement(level, per_token, same, _read_table(table) if table is not None else None)


class _Replacement:
    """The augmenter that token_replacement describes."""

    def __init__(self, level: float, per_token: float, same: str, table: Mapping[str, Sequence[str]] | None) -> None:
        self.level = level
        self.per_token = per_token
        self.same = same
        self.table = table
        self.words_of: dict[str, tuple[list[str], np.ndarray[Any, Any]]] = {}  # class → words, their cumulated share

    def prepare(self, examples: Iterable[Example]) -> None:
        """Count the words of each class. Raises RunnerError if no example has the annotation that gives the class."""
        if self.table is not None:
            return
        counts: dict[str, Counter[str]] = {}
        for example in examples:
            for word, name in zip(example.predicted.words, self._classes(example), strict=True):
                if name is not None:
                    counts.setdefault(name, Counter())[word] += 1
        if not counts:
            raise RunnerError(
                f"same={self.same} needs annotations that no word of the training data has",
                place="augmenters",
                hint="Choose another of tag, pos and entity, or give token_replacement a table.",
            )
        for name, words in counts.items():
            known = sorted(words)
            share = np.cumsum([words[word] for word in known])
            self.words_of[name] = known, share / share[-1]

    def __call__(self, example: Example, rng: np.random.Generator) -> Example:
        if rng.random() >= self.level:
            return example
        words = list(example.predicted.words)
        chosen = np.flatnonzero(rng.random(len(words)) < self.per_token).tolist()
        draws = rng.random(len(chosen))
        classes = self._classes(example) if self.table is None and chosen else []
        for i, draw in zip(chosen, draws.tolist(), strict=True):
            if self.table is not None:
                words[i] = _from_table(words[i], self.table, draw)
            elif (name := classes[i]) is not None and name in self.words_of:
                known, share = self.words_of[name]
                words[i] = known[int(np.searchsorted(share, draw, side="right"))]
        return with_words(example, words)

    def _classes(self, example: Example) -> Sequence[str | None]:
        """The class (tag, entity tag or pos) within which each word may be replaced; None: keep the word."""
        if self.same == "entity":
            return [None if tag in ("O", "-") else tag for tag in example.biluo() or ["O"] * len(example.predicted)]
        return example.aligned_tags() if self.same == "tag" else example.aligned_pos()


def _from_table(word: str, table: Mapping[str, Sequence[str]], draw: float) -> str:
    """A replacement for `word` from the table; `word` itself if the table lacks it. draw: from 0 to below 1, chooses.

    >>> _from_table("You", {"you": ["u", "ya"]}, 0.5), _from_table("me", {"you": ["u"]}, 0.5)
    ('Ya', 'me')
    """
    if word in table:
        return table[word][int(draw * len(table[word]))]
    choices = table.get(word.lower())
    if choices is None:
        return word
    choice = choices[int(draw * len(choices))]
    return choice[0].upper() + choice[1:] if word[0].isupper() else choice


def _read_table(table: str | Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The table, from a file if `table` is a path. Raises RunnerError if it does not map words to lists of words."""
    place: str | None = None
    entries: Any = table
    if isinstance(table, str):
        place = table
        try:
            entries = yaml.safe_load(read_file(Path(table)).decode("utf8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise RunnerError(f"the table cannot be read ({reason})", place=table, hint="Check the path.") from None
        except (yaml.YAMLError, RecursionError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = f"{table}:{line + 1}" if line is not None else table
            raise RunnerError(
                "the table is not YAML or JSON", place=where, hint="Write WORD: [OTHER, OTHER]."
            ) from None
    hint = "Write WORD: [OTHER, OTHER]; words hold no white space. Quote yes, no, on, off and numbers."
    if not isinstance(entries, Mapping) or not entries:
        raise RunnerError("the table does not map words to words", place=place, hint=hint)
    for word, others in entries.items():
        if isinstance(others, str) or not isinstance(others, Sequence) or not others:
            raise RunnerError(f"the table gives no list of words for {word!r}", place=place, hint=hint)
        for other in (word, *others):
            if not isinstance(other, str) or other.split() != [other]:
                raise RunnerError(f"the table holds {other!r}, which is not one word", place=place, hint=hint)
    return {word: list(others) for word, others in entries.items()}


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise RunnerError(f"{name} must be from 0 to 1, got {value}")
