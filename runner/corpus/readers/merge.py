"""Multi-word tokens of CoNLL-U as one word each: don't in place of do, n't.

The merged word takes the token's spelling and MISC. Tag, universal tag, features, label and head come from the only
member word whose head lies outside the token, or from the last word if no or several heads do. The lemma is the words'
lemmas, joined by blanks. Docs with a merged word lose enhanced dependencies and empty nodes, whose word numbers no
longer fit; the tally counts the loss.
"""

from __future__ import annotations

from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.readers.reader import LeftOut

_MISC = 9


def merge_multiword(doc: Doc, left_out: LeftOut) -> Doc:
    """The doc with each multi-word token of its meta merged; the same doc if its meta has none."""
    tokens = doc.meta.get("multiword")
    if not tokens:
        return doc
    meta = dict(doc.meta)
    del meta["multiword"]
    for key, name in (("enhanced", "enhanced dependencies"), ("empty_nodes", "empty nodes")):
        lost = meta.pop(key, None)
        if lost:
            left_out[f"{name} (of docs with merged words)"] += len(lost) - lost.count("_")
    members: list[tuple[int, int, Any]] = []  # start, end, the token or None
    position = 0
    for token in tokens:
        members += [(i, i + 1, None) for i in range(position, token["start"])]
        members.append((token["start"], token["end"], token))
        position = token["end"]
    members += [(i, i + 1, None) for i in range(position, len(doc))]
    new_of = [new for new, (start, end, _) in enumerate(members) for _ in range(end - start)]
    anchors = [doc.anchor(start, end) for start, end, _ in members]
    lemmas, feats, misc = meta["lemmas"], meta["feats"], meta.get("misc") or ["_"] * len(doc)
    meta["lemmas"] = [
        " ".join(lemma for lemma in lemmas[start:end] if lemma is not None) or None for start, end, _ in members
    ]
    meta["feats"] = [feats[i] for i in anchors]
    misc = [misc[start] if token is None else token["columns"][_MISC] for start, _, token in members]
    meta.pop("misc", None)
    if misc.count("_") < len(misc):
        meta["misc"] = misc
    heads = doc.heads
    return Doc(
        [doc.words[start] if token is None else token["columns"][1] for start, _, token in members],
        [doc.spaces[end - 1] for _, end, _ in members],
        tags=[doc.tags[i] for i in anchors] if doc.tags is not None else None,
        pos=[doc.pos[i] for i in anchors] if doc.pos is not None else None,
        deps=[doc.deps[i] for i in anchors] if doc.deps is not None else None,
        heads=[None if (head := heads[i]) is None else new_of[head] for i in anchors] if heads is not None else None,
        sent_starts=[doc.sent_starts[start] for start, _, _ in members] if doc.sent_starts is not None else None,
        meta=meta,
        source=doc.source,
    )
