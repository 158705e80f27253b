"""A component's facts about its training data: counts and places. `debug` judges and prints the facts.

facts = component.facts(corpus.train)
facts.labels["PER"]                          42
facts.faults["docs of no category"].places   ["train.jsonl:7"]
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.corpus.diagnose import Trouble

Total = Literal["n_docs", "n_annotated", "n_values", "n_values_and_n"]


@dataclass(frozen=True)
class Flaw:
    """A reason why a result means little. is_fatal: the whole result is meaningless; else only a part."""

    fact: str
    hint: str
    is_fatal: bool = True


@dataclass
class Fault(Trouble):
    """A kind of annotation that is wrong or unusual.

    text: the words after the count; if empty, the fault's name. among: the count of `Facts` that is the total for `n`;
    None: no total. is_harmless: the data needs no change.
    """

    text: str = ""
    among: Total | None = None
    hint: str | None = None
    is_harmless: bool = False


@dataclass
class Facts:
    """A component's facts about one part of a corpus."""

    unit: str  # the counted things, in the plural: "entities"
    n_docs: int = 0
    n_annotated: int = 0  # docs
    n_values: int = 0  # entities, tags, arcs or categories
    labels: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Fault] = field(default_factory=dict)
    spans: Counter[str] = field(default_factory=Counter)  # lower-cased texts, to compare with the training data's
    remarks: list[Flaw] = field(default_factory=list)  # on training data; only `debug` reports them

    def fault(
        self,
        name: str,
        text: str = "",
        among: Total | None = None,
        *,
        hint: str | None = None,
        is_harmless: bool = False,
    ) -> Fault:
        """Return the fault of that name, made if missing. The other arguments are the fields of `Fault`."""
        return self.faults.setdefault(name, Fault(text=text, among=among, hint=hint, is_harmless=is_harmless))

    def total(self, fault: Fault) -> int | None:
        """Return the total for the fault's count, or None."""
        if fault.among == "n_values_and_n":
            return self.n_values + fault.n
        return getattr(self, fault.among) if fault.among is not None else None

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON values; `spans` becomes the number of distinct texts."""
        return {
            "unit": self.unit,
            "n_docs": self.n_docs,
            "n_annotated": self.n_annotated,
            "n_values": self.n_values,
            "labels": dict(self.labels),
            "troubles": {name: {"n": fault.n, "places": fault.places} for name, fault in self.faults.items()},
            "n_distinct_spans": len(self.spans),
        }
