"""What is run. A cell is a component on N docs of a corpus; a run is a cell, a side and a seed. Nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

SIDES = ("ours", "guide", "spacy")
NAMES = {"ours": "ours", "guide": "guide", "spacy": "spaCy"}  # in tables
SCORES = {  # component → the score that the tables show
    "ner": "ents_f",
    "tagger": "tag_acc",
    "parser": "dep_las",
    "textcat": "cats_macro_f",
    "textcat_bow": "cats_macro_f",
}
WEIGHTS = {
    "parser": {"dep_uas": 0.5, "dep_las": 0.5}
}  # of the score that picks the best epoch, unless it is SCORES' alone


class Cell(NamedTuple):
    """size: docs to train on."""

    component: str
    corpus: str
    size: int

    def __str__(self) -> str:
        return f"{self.component} {self.corpus} {self.size}"


@dataclass(frozen=True)
class Run:
    """side: "ours", our defaults; "guide", our preset of the guide's literal recipe; "spacy", spaCy's defaults."""

    side: str
    component: str
    corpus: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """
        >>> Run("ours", "ner", "wnut17", 300, 0).name
        'ours ner wnut17 300 seed 0'
        """
        return f"{self.side} {self.component} {self.corpus} {self.size} seed {self.seed}"

    @property
    def cell(self) -> Cell:
        return Cell(self.component, self.corpus, self.size)

    @property
    def weights(self) -> Mapping[str, float]:
        """score → its weight in the score that picks the best epoch."""
        return WEIGHTS.get(self.component) or {SCORES[self.component]: 1.0}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
