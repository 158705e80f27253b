"""Runs side by side: what was set otherwise, what came out, and whether the differences mean anything.

Every other run is held against the first. Nothing here reads MLflow or writes files; text.py and page.py show the result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice, product
from string import ascii_uppercase

from runner.compare.significance import Difference, compare, gold_of, keys_of
from runner.components import predictions
from runner.components.counts import score_of
from runner.components.predictions import Predictions
from runner.errors import RunnerError
from runner.tracking.past_run import PastRun

ABSENT = "–"
LEVEL = 0.05  # a difference whose p-value is below is significant
_FREE = re.compile(r"tracking(\.|$)|resume$|force$|fail_fast$|repeat$")  # parameters that do not change the model
_TAGS = ("code_digest", "git_commit", "git_dirty", "libraries", "python", "host")
_ROUNDED = 1e-6  # how far equal scores may lie apart: files hold them rounded


@dataclass(frozen=True)
class Row:
    """A figure of every run. best: the columns that hold the best value; empty if none is better."""

    name: str
    cells: Sequence[str]
    best: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tested:
    """One score of a run beside the first run's. p: adjusted for the number of runs that are held against the first."""

    run: int
    difference: Difference
    p: float

    @property
    def is_significant(self) -> bool:
        return self.p < LEVEL


@dataclass(frozen=True)
class Comparison:
    """letters: the runs' names in the tables. notes: what the reader must know, the most serious first."""

    runs: Sequence[PastRun]
    letters: Sequence[str]
    settings: Sequence[Row]
    origins: Sequence[Row]  # code, versions, machine
    metrics: Sequence[Row]
    tested: Sequence[Tested]
    rounds: int
    notes: Sequence[str] = field(default_factory=list)


def compare_runs(runs: Sequence[PastRun], *, rounds: int, seed: int = 0) -> Comparison:
    """Compare runs with the first. Raises RunnerError for fewer than two runs, or a run that is named twice."""
    if len(runs) < 2:
        raise RunnerError("there is one run, and nothing to compare it with", place="compare", hint="Name two or more.")
    letters = list(islice(_letters(), len(runs)))
    for i, run in enumerate(runs):
        for letter, other in zip(letters[:i], runs[:i], strict=True):
            if run.place == other.place or (run.run_id is not None and run.run_id == other.run_id):
                raise RunnerError(f"run {letter} is named twice", place=run.place, hint="Name each run once.")
    notes = _notes_on_data(runs, letters)
    notes += [
        f"{letter} ended {run.status}." for letter, run in zip(letters, runs, strict=True) if run.status != "FINISHED"
    ]
    tested, more = _significance(runs, letters, rounds, seed)
    return Comparison(
        runs,
        letters,
        different([{key: value for key, value in run.params.items() if not _FREE.match(key)} for run in runs]),
        different([{key: run.tags[key] for key in _TAGS if key in run.tags} for run in runs]),
        _metrics(runs),
        tested,
        rounds,
        [*notes, *more],
    )


def different(settings: Sequence[Mapping[str, str]]) -> list[Row]:
    """A row for each key whose values are not the same in all settings, by name.

    >>> different([{"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}])[0].cells
    ('2', '3')
    """
    keys = sorted({key for one in settings for key in one})
    rows = [Row(key, tuple(one.get(key, ABSENT) for one in settings)) for key in keys]
    return [row for row in rows if len(set(row.cells)) > 1]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, 1979): the probability that any of the tests claims too much stays below the level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def percent(value: float) -> str:
    """A score, as the console shows it."""
    return f"{100 * value:.2f}"


# The table of figures


def _metrics(runs: Sequence[PastRun]) -> list[Row]:
    def row(name: str, values: Sequence[float | None], show: Callable[[float], str], better: int = 0) -> None:
        """better: 1 where more is better, -1 where less is, 0 where neither."""
        if any(value is not None for value in values):
            cells = tuple(ABSENT if value is None else show(value) for value in values)
            known = [better * value for value in values if value is not None]
            is_told = better and len(known) > 1 and len(set(cells)) > 1
            shown = max(zip(known, (cell for cell in cells if cell != ABSENT), strict=True))[1] if is_told else None
            rows.append(Row(name, cells, frozenset(i for i, cell in enumerate(cells) if is_told and cell == shown)))

    def whole(value: float) -> str:
        return f"{value:,.0f}"

    rows: list[Row] = []
    row("best score", [run.best.get("score") for run in runs], percent, 1)
    for key in dict.fromkeys(key for run in runs for key in run.scores):
        if key == "token_acc" and all(run.scores.get(key) in (1.0, None) for run in runs):
            continue  # gold tokens
        row(key, [run.scores.get(key) for run in runs], percent, 1)
    row("best epoch", [run.best.get("epoch") for run in runs], whole)
    row("best step", [run.best.get("step") for run in runs], whole)
    row("final score", [run.final.get("score") for run in runs], percent, 1)
    row("epochs", [run.final.get("epoch") for run in runs], whole)
    row("steps", [run.final.get("step") for run in runs], whole)
    row("words trained on", [run.figures.get("train_words") for run in runs], whole)
    row("training words/s", [run.figures.get("train_words_per_second") for run in runs], whole, 1)
    row("prediction words/s", [run.figures.get("prediction_words_per_second") for run in runs], whole, 1)
    row("seconds", [run.figures.get("seconds") for run in runs], lambda value: f"{value:,.1f}", -1)
    return rows


# Significance


def _significance(
    runs: Sequence[PastRun], letters: Sequence[str], rounds: int, seed: int
) -> tuple[list[Tested], list[str]]:
    """Test each run against the first if both were scored on the same dev texts; else a note says why there is no test."""
    notes: list[str] = []
    kept = []
    for letter, run in zip(letters, runs, strict=True):
        predicted, reason = _predictions(run)
        kept.append(predicted)
        if reason is not None:
            notes.append(f"No significance test with {letter}: {reason}.")
    by_key: dict[str, list[tuple[int, Difference]]] = {}
    first = kept[0]
    for i in range(1, len(runs)):
        other = kept[i]
        if first is None or other is None:
            continue
        reason = _other_texts(runs[0], runs[i], first, other)
        if reason is not None:
            notes.append(f"No significance test between {letters[0]} and {letters[i]}: {reason}.")
            continue
        shared = [key for key in keys_of(first.counts) if key in keys_of(other.counts)]
        same = [key for key in shared if gold_of(first.counts, key) == gold_of(other.counts, key)]
        if len(same) < len(shared):
            keys = ", ".join(key for key in shared if key not in same)
            notes.append(
                f"{letters[0]} and {letters[i]} were scored against other annotation for {keys} (other tokens, or another"
                " reader): no significance test of that."
            )
        if not shared:
            notes.append(f"{letters[0]} and {letters[i]} have no score in common that can be tested.")
        a, b = ([{key: doc[key] for key in same if key in doc} for doc in one.counts] for one in (first, other))
        for difference in compare(a, b, rounds=rounds, seed=seed):
            by_key.setdefault(difference.key, []).append((i, difference))
    tested = []
    for differences in by_key.values():
        adjusted = holm([difference.p for _, difference in differences])
        tested += [Tested(i, difference, p) for (i, difference), p in zip(differences, adjusted, strict=True)]
    return tested, notes


def _predictions(run: PastRun) -> tuple[Predictions | None, str | None]:
    """The run's predictions, or why they cannot be used."""
    if run.predictions is None:
        return None, "it has no predictions.jsonl (nothing was evaluated, or runner did not keep predictions yet)"
    try:
        predicted = predictions.load(run.predictions)
    except RunnerError as error:
        return None, f"its predictions cannot be read ({error.fact})"
    for key in keys_of(predicted.counts):
        again = score_of([doc[key] for doc in predicted.counts if key in doc])
        known = run.scores.get(key)
        if known is not None and not math.isclose(again, known, abs_tol=_ROUNDED):
            return None, f"its predictions give {key} {percent(again)}, its model-best had {percent(known)}"
    return predicted, None


def _other_texts(a: PastRun, b: PastRun, first: Predictions, second: Predictions) -> str | None:
    """The reason why two runs were not scored on the same texts; None if they were."""
    digests = [run.digests("dev") for run in (a, b)]
    if None not in digests and digests[0] != digests[1]:
        return f"their dev data differs ({_short(digests[0])} and {_short(digests[1])})"
    if first.texts != second.texts:
        return f"their dev texts differ ({len(first.texts):,} and {len(second.texts):,}; other folds, or another limit)"
    return None


def _notes_on_data(runs: Sequence[PastRun], letters: Sequence[str]) -> list[str]:
    """Notes that say where the runs' training or dev data differs."""
    notes = []
    for split in ("train", "dev"):
        by_run = [run.digests(split) for run in runs]
        if len({_short(digests) for digests in by_run if digests is not None}) > 1:
            each = ", ".join(f"{letter} {_short(digests)}" for letter, digests in zip(letters, by_run, strict=True))
            scores = "; their scores cannot be compared" if split == "dev" else ""
            notes.append(f"The {split} data differs{scores}: {each}.")
    wholes = [run.tags.get("data_digest") for run in runs]
    if not notes and len({digest for digest in wholes if digest}) > 1:
        each = ", ".join(f"{letter} {(one or ABSENT)[:8]}" for letter, one in zip(letters, wholes, strict=True))
        notes.append(f"The data was cut in different ways (folds, limit, tokens), or differs: {each}.")
    return notes


def _short(digests: Sequence[str] | None) -> str:
    return ABSENT if digests is None else "+".join(digest[:8] for digest in digests)


def _letters() -> Iterator[str]:
    """A, B, …, Z, AA, AB, …"""
    for size in count(1):
        for letters in product(ascii_uppercase, repeat=size):
            yield "".join(letters)
