"""Records → cells, in each of which ours stands beside the guide's recipe and spaCy.

A difference is ours minus the other side, of the means over seeds. Its 95 % interval:

    by seeds   Where both sides have at least two seeds. Welch's interval of the difference of two means: it tells what
               other seeds might give on the same docs. Two or three seeds make it wide.
    by items   Otherwise. The two scores are taken for shares of right answers among the scored items (entities, tokens,
               texts), with the standard error of Agresti and Caffo (2000): it tells what other docs might give. Both sides
               answer the same items, so that the true interval is narrower; F is no share, so that it is an approximation.

Verdicts: win (the interval is above 0), loss (below 0), tie (it holds 0).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.defaults.cells import SCORES, SIDES, Cell
from benchmarks.defaults.corpora import CORPORA
from benchmarks.defaults.records import Record, cell_of, dev_of, test_of
from benchmarks.report import best_score, median, ratio, seconds_to, seconds_to_best

PARTS: Mapping[str, Callable[[Record], float]] = {"dev": dev_of, "test": test_of}
NORMAL = 1.959964  # quantile of the normal distribution at .975
PUNCTUATION = ("punct", "p")  # labels of tokens that LAS leaves out


class Difference(NamedTuple):
    """Of two scores, 0 to 1. low, high: its 95 % interval. by: "seeds" or "items"."""

    mean: float
    low: float
    high: float
    by: str

    @property
    def verdict(self) -> str:
        """
        >>> Difference(0.02, 0.01, 0.03, "seeds").verdict, Difference(0.0, 0.0, 0.0, "seeds").verdict
        ('win', 'tie')
        """
        return "win" if self.low > 0 else "loss" if self.high < 0 else "tie"


def difference(ours: Sequence[float], theirs: Sequence[float], n_items: int) -> Difference:
    """Of the means of scores over seeds. n_items: scored in a run."""
    mean = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    is_by_seeds = len(ours) > 1 and len(theirs) > 1
    half = welch(ours, theirs) if is_by_seeds else by_items(ours, theirs, n_items)
    return Difference(mean, mean - half, mean + half, "seeds" if is_by_seeds else "items")


def welch(a: Sequence[float], b: Sequence[float]) -> float:
    """Half of Welch's 95 % interval of the difference of two means; each side has at least two values."""
    from scipy.special import stdtrit

    shares = [variance(values) / len(values) for values in (a, b)]
    total = sum(shares)
    if not total:
        return 0.0
    degrees = total**2 / sum(s**2 / (len(values) - 1) for s, values in zip(shares, (a, b), strict=True))
    return float(stdtrit(degrees, 0.975)) * math.sqrt(total)


def variance(values: Sequence[float]) -> float:
    """Of a sample.

    >>> variance([1.0, 2.0, 3.0])
    1.0
    """
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def by_items(a: Sequence[float], b: Sequence[float], n_items: int) -> float:
    """Half of the 95 % interval of the difference of two shares of `n_items`, each with one right, one wrong added."""
    shares = [(sum(values) / len(values) * n_items + 1) / (n_items + 2) for values in (a, b)]
    return NORMAL * math.sqrt(sum(p * (1 - p) for p in shares) / (n_items + 2))


@dataclass(frozen=True)
class Compared:
    """A cell and its runs.

    runs: side → its records, by seed. n_items: "dev", "test" → items scored. is_all: the cell has all docs of its corpus.
    """

    cell: Cell
    runs: Mapping[str, Sequence[Record]]
    n_items: Mapping[str, int]
    is_all: bool

    @property
    def half(self) -> str:
        return CORPORA[self.cell.corpus].half

    @property
    def size(self) -> str:
        """Its number of training docs, as a table shows it."""
        return f"{'all ' if self.is_all else ''}{self.cell.size:,}"

    def mean(self, side: str, part: str) -> float | None:
        """The mean score over seeds, 0 to 1; None without runs."""
        scores = self.scores(side, part)
        return sum(scores) / len(scores) if scores else None

    def scores(self, side: str, part: str) -> list[float]:
        return [PARTS[part](record) for record in self.runs.get(side, ())]

    def difference(self, other: str, part: str) -> Difference | None:
        """Ours minus the other side; None if one of them has no runs."""
        ours, theirs = self.scores("ours", part), self.scores(other, part)
        return difference(ours, theirs, self.n_items[part]) if ours and theirs else None

    def target(self) -> float | None:
        """The median over spaCy's runs of the best score of their curves."""
        return median(best_score(record) for record in self.runs.get("spacy", ()))

    def seconds_to_target(self, side: str) -> float | None:
        """Median CPU seconds to the target, infinite if it is not reached; of spaCy's runs, each to its own best."""
        runs, target = self.runs.get(side, ()), self.target()
        if target is None:
            return None
        if side == "spacy":
            return median(map(seconds_to_best, runs))
        return median(seconds_to(record["curve"], target) for record in runs)

    def seconds_ratio(self) -> float | None:
        """CPU seconds to spaCy's best score, ours over spaCy's."""
        return ratio(self.seconds_to_target("ours"), self.seconds_to_target("spacy"))

    def total_seconds(self, side: str) -> float | None:
        """Median CPU seconds of a whole training."""
        return median(float(record["cpu_seconds"]) for record in self.runs.get(side, ()))

    def is_cut(self) -> bool:
        """Whether a training of spaCy's was cut before its patience was used up."""
        return any(record.get("is_cut") for record in self.runs.get("spacy", ()))


def compared(records: Iterable[Record], sizes: Mapping[str, Sequence[int]], counts: Counts) -> list[Compared]:
    """The cells that have runs, by component, corpus and size. sizes: corpus → sizes of its cells, the last one all docs."""
    groups: dict[Cell, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        groups[cell_of(record)][record["side"]].append(record)
    cells = []
    for cell in sorted(groups, key=order):
        runs = {side: sorted(some, key=lambda record: record["seed"]) for side, some in groups[cell].items()}
        n_items = {part: counts(cell, part) for part in PARTS}
        cells.append(Compared(cell, runs, n_items, cell.size == sizes[cell.corpus][-1]))
    return cells


def order(cell: Cell) -> tuple[int, int, int]:
    """Components and corpora in the order of their lists."""
    return [*SCORES].index(cell.component), [*CORPORA].index(cell.corpus), cell.size


def sides_in(cells: Iterable[Compared]) -> list[str]:
    """The sides that have runs."""
    found = {side for one in cells for side in one.runs}
    return [side for side in SIDES if side in found]


def middle(values: Iterable[float]) -> float:
    """The median; of an even number of values, the lower of the two in the middle, as one may be infinite."""
    known = sorted(values)
    return known[(len(known) - 1) // 2]


class Counts:
    """How many items of a cell are scored. folder: of the prepared corpora."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted = cache(self._count)

    def __call__(self, cell: Cell, part: str) -> int:
        return self._counted(cell.component, cell.corpus, part)

    def _count(self, component: str, corpus: str, part: str) -> int:
        lines = (self._folder / corpus / f"{part}.jsonl").read_text(encoding="utf8").splitlines()
        return sum(items(component, json.loads(line)) for line in lines)


def items(component: str, doc: Mapping[str, Any]) -> int:
    """Of a doc as a line of JSON: its entities, tagged tokens, tokens with a head but punctuation, or 1 for a text.

    >>> items("parser", {"words": ["No", "!"], "heads": [0, 0], "deps": ["root", "punct"]})
    1
    """
    if component == "ner":
        entities = doc.get("entities") or ()
        return sum(not isinstance(one, str) or one[:2] in ("B-", "U-") for one in entities)
    if component == "tagger":
        return sum(tag is not None for tag in doc.get("tags") or ())
    if component == "parser":
        return sum(label not in PUNCTUATION for label in doc.get("deps") or ())
    return 1
