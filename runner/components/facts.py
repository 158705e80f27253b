"""What a component tells of the data that it learns from: facts, counted and placed. `debug` judges and prints them.

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
    """What makes a result mean little or nothing. is_fatal: nothing; else a part of it."""

    fact: str
    hint: str
    is_fatal: bool = True


@dataclass
class Fault(Trouble):
    """A kind of annotation that is wrong, or worth to know.

    text: the words after the count; empty: the unit and the fault's name. among: the count of `Facts` that `n` is a share
    of; None: of none. is_harmless: there is nothing to mend.
    """

    text: str = ""
    among: Total | None = None
    hint: str | None = None
    is_harmless: bool = False


@dataclass
class Facts:
    """What a component finds in one part of a corpus."""

    unit: str  # of what is counted, in the plural: "entities"
    n_docs: int = 0
    n_annotated: int = 0  # docs
    n_values: int = 0  # entities, tags, arcs or categories
    labels: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Fault] = field(default_factory=dict)
    spans: Counter[str] = field(default_factory=Counter)  # texts, in lower case, that the training data may not have
    remarks: list[Flaw] = field(default_factory=list)  # on training data: told by `debug` alone

    def fault(
        self,
        name: str,
        text: str = "",
        among: Total | None = None,
        *,
        hint: str | None = None,
        is_harmless: bool = False,
    ) -> Fault:
        """The fault of that name, to count in. The other arguments are those of `Fault`."""
        return self.faults.setdefault(name, Fault(text=text, among=among, hint=hint, is_harmless=is_harmless))

    def total(self, fault: Fault) -> int | None:
        """What the fault's count is a share of."""
        if fault.among == "n_values_and_n":
            return self.n_values + fault.n
        return getattr(self, fault.among) if fault.among is not None else None

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON has them; of the texts of spans only how many there are."""
        return {
            "unit": self.unit,
            "n_docs": self.n_docs,
            "n_annotated": self.n_annotated,
            "n_values": self.n_values,
            "labels": dict(self.labels),
            "troubles": {name: {"n": fault.n, "places": fault.places} for name, fault in self.faults.items()},
            "n_distinct_spans": len(self.spans),
        }
