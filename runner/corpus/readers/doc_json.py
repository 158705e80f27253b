"""Read a record of spaCy's `Doc.to_json`: tokens and sentences as characters of the text → words and layers.

    {"text": "Ada slept.", "ents": [], "sents": [{"start": 0, "end": 10}], "tokens": [{"id": 0, "start": 0, "end": 3, …}]}

The layout is that of corpus/doc_json.py. `lemma` and `morph` go to the keys `lemmas` and `feats`. A value that is absent or
empty is unknown, and so is the head of a token that heads itself without a label: spaCy writes that for a token without
annotation. As in Universal Dependencies, spaCy's label ROOT becomes `root`. exports.py reads `ents`.
"""

from __future__ import annotations

from typing import Any

_LAYERS = {"tag": "tags", "pos": "pos", "dep": "deps", "head": "heads", "lemma": "lemmas", "morph": "feats"}


def take_tokens(record: dict[str, Any]) -> None:
    """Replace `tokens` and `sents` by `words`, their layers and `sent_starts`, in place. Other keys stay."""
    text, tokens = record["text"], record.pop("tokens")
    record["words"] = [text[token["start"] : token["end"]] for token in tokens]
    for key, layer in _LAYERS.items():
        values = [token.get(key) for token in tokens]
        if layer not in record and any(value not in (None, "") for value in values):
            record[layer] = [None if value == "" else value for value in values]
    deps = record.get("deps")
    if isinstance(deps, list):
        record["deps"] = deps = ["root" if label == "ROOT" else label for label in deps]
        if isinstance(heads := record.get("heads"), list) and len(heads) == len(deps):
            pairs = enumerate(zip(heads, deps, strict=True))
            record["heads"] = [None if head == i and dep is None else head for i, (head, dep) in pairs]
    sents = record.get("sents")
    if isinstance(sents, list) and sents and "sent_starts" not in record:
        starts = {sent.get("start") for sent in sents if isinstance(sent, dict)}
        if starts <= {token["start"] for token in tokens}:
            record["sent_starts"] = [token["start"] in starts for token in tokens]
            del record["sents"]
    if record.get("ents") == [] and record.get("entities") is None:
        record["entities"] = record.pop("ents")
