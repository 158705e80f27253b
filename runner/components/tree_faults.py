"""Faults of gold trees, which `python -m runner debug` counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.components.facts import Total
from runner.corpus.projective import crossing_arcs, has_cycle

# For `debug`: name → (words after the count, total the count is a share of, harmless).
FAULTS: dict[str, tuple[str, Total, bool]] = {
    "docs with a head for some words only": ("texts with a head for some words only", "n_docs", False),
    "heads that lead in a circle": ("texts have heads that lead in a circle", "n_annotated", False),
    "not projective": ("trees are not projective", "n_annotated", True),
    "arcs that cross another": ("arcs cross another, or span a root", "n_values", True),
    "more roots than sentences": ("texts have more roots than sentences", "n_annotated", False),
}


def faults(heads: Sequence[int | None], n_sents: int) -> Iterator[tuple[str, int]]:
    """Yield each fault of a doc's trees, as (name in FAULTS, count)."""
    if any(head is None for head in heads):
        yield "docs with a head for some words only", 1
    if has_cycle(heads):
        yield "heads that lead in a circle", 1
    elif n := crossing_arcs(heads):
        yield "not projective", 1
        yield "arcs that cross another", n
    if sum(head == i for i, head in enumerate(heads)) > n_sents:
        yield "more roots than sentences", 1
