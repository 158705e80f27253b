"""A doc in the layout of spaCy's `Doc.to_json`; corpus/readers/exports.py reads it.

    {"text": "Ada slept.", "ents": [{"start": 0, "end": 3, "label": "PER"}], "sents": [{"start": 0, "end": 10}],
     "tokens": [{"id": 0, "start": 0, "end": 3, "tag": "NNP", "dep": "nsubj", "head": 1}, …]}

All offsets are in characters of the text; `head` is a token's position. A layer that is not annotated has no key, and an
unknown value in a layer is an empty string. For the layout with words instead of tokens, which also tells what is
unknown, write JSON lines with `runner.write_corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from runner.corpus.views import Span, Viewed


class Shown(Viewed, Protocol):
    """The parts of a doc that are written."""

    cats: dict[str, float] | None
    meta: dict[str, Any]

    @property
    def sents(self) -> list[Span]: ...


def to_json(doc: Shown) -> dict[str, Any]:
    """The doc as a dict of JSON values. Lemmas and features come from `meta["lemmas"]` and `meta["feats"]`."""
    record: dict[str, Any] = {"text": doc.text}
    if doc.has_ents:
        record["ents"] = [{**_characters(ent), "label": ent.label} for ent in doc.ents]
    if doc.sent_starts is not None:
        record["sents"] = [_characters(sent) for sent in doc.sents]
    if doc.cats:
        record["cats"] = dict(doc.cats)
    tokens: list[dict[str, Any]] = [
        {"id": i, "start": start, "end": start + len(word)}
        for i, (start, word) in enumerate(zip(doc.offsets, doc.words, strict=True))
    ]
    layers: Mapping[str, Any] = {
        "tag": doc.tags,
        "pos": doc.pos,
        "morph": doc.meta.get("feats"),
        "lemma": doc.meta.get("lemmas"),
        "dep": doc.deps,
    }
    for key, values in layers.items():
        if isinstance(values, list) and len(values) == len(tokens):
            for token, value in zip(tokens, values, strict=True):
                token[key] = value if value is not None else ""
    if doc.heads is not None:
        for token, head in zip(tokens, doc.heads, strict=True):
            token["head"] = token["id"] if head is None else head
    record["tokens"] = tokens
    return record


def _characters(span: Span) -> dict[str, Any]:
    return {"start": span.start_char, "end": span.end_char}
