"""Choose among overlapping proposed entities, and make the JSON line that an annotator reviews.

A line is a task of Prodigy's NER recipes, without `answer`: the annotator adds "accept", "reject" or "ignore". Offsets
count characters of the text as given; `token_end` is the index of the last token, inclusive.

    {"text": "Acme hired Ada.", "tokens": [{"text": "Acme", "start": 0, "end": 4, "id": 0, "ws": true}, …],
     "spans": [{"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "ORG", "score": 0.97, "source": "ner"}],
     "meta": {"source": "ner", "score": 0.97}, "_view_id": "ner_manual"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.corpus.alignment import word_edges
from runner.corpus.doc import Doc


@dataclass(frozen=True)
class Proposal:
    """An entity for an annotator to judge. start, end: tokens, end exclusive."""

    start: int
    end: int
    label: str
    confidence: float  # 0 to 1
    source: str
    id: str | None = None  # pattern's id


def resolve_overlaps(proposals: Iterable[Proposal]) -> list[Proposal]:
    """The kept proposals, by start: of two that overlap the more confident, else the longer, else the first.

    >>> ada, ada_lin = Proposal(0, 1, "PER", 0.9, "ner"), Proposal(0, 2, "ORG", 0.9, "patterns")
    >>> resolve_overlaps([ada, ada_lin]) == [ada_lin]
    True
    """
    ranked = sorted(proposals, key=lambda p: (-p.confidence, p.start - p.end, p.start, p.label, p.source))
    taken: set[int] = set()
    kept = []
    for proposal in ranked:
        tokens = range(proposal.start, proposal.end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            kept.append(proposal)
    return sorted(kept, key=lambda p: p.start)


def uncertainty(proposals: Iterable[Proposal]) -> float:
    """The least sure proposal's uncertainty: 1 at confidence 0.5, 0 at 0 and 1; 0 if empty."""
    return max((1.0 - abs(2.0 * proposal.confidence - 1.0) for proposal in proposals), default=0.0)


def task(text: str, doc: Doc, proposals: Sequence[Proposal], meta: Mapping[str, Any]) -> dict[str, Any]:
    """One line as a dict. text: as given; doc: the text's tokens, equal to it but for white space."""
    starts, ends = word_edges(text, doc.words)
    tokens = [
        {"text": word, "start": start, "end": end, "id": i, "ws": end < len(text) and text[end].isspace()}
        for i, (word, start, end) in enumerate(zip(doc.words, starts, ends, strict=True))
    ]
    spans = []
    for proposal in proposals:
        span: dict[str, Any] = {
            "start": starts[proposal.start],
            "end": ends[proposal.end - 1],
            "token_start": proposal.start,
            "token_end": proposal.end - 1,
            "label": proposal.label,
            "score": round(proposal.confidence, 4),
            "source": proposal.source,
        }
        spans.append(span if proposal.id is None else {**span, "pattern_id": proposal.id})
    about: dict[str, Any] = dict(meta)
    if proposals:
        about["source"] = ", ".join(sorted({proposal.source for proposal in proposals}))
        about["score"] = min(span["score"] for span in spans)
    return {"text": text, "tokens": tokens, "spans": spans, "meta": about, "_view_id": "ner_manual"}
