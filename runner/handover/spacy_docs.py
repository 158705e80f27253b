"""spaCy's Doc to ours, and our predictions into spaCy's Doc.

spaCy keeps every character of a text in a token: white space beyond one blank after a word is a token of its own. Ours keeps
such white space beside the words. So white-space tokens are left out on the way to our Doc, and on the way back they belong
to the word before them (to the first word, at the start): they are inside a sentence, and inside an entity only between two of
its words. Their tag is `_SP`, their label `dep`, as in spaCy's own models.

Sentences are not written: spaCy derives them from the trees, again each time a Doc is read from bytes. They are ours, except
where the tree of one root lies inside or across that of another (model/trees.py): one sentence here, two there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from runner.corpus.doc import Doc

CONFIDENCE = "runner_confidence"  # key of a spaCy Doc's user_data
_SPACE_TAG, _SPACE_DEP, _SPACE_POS = "_SP", "dep", "SPACE"
_INSIDE, _OUTSIDE, _BEGIN = 1, 2, 3  # ENT_IOB


def from_spacy(doc: Any) -> Doc:
    """Our doc of the words of a spaCy Doc, without annotation."""
    words, spaces = [], []
    for token in doc:
        text = token.text
        if not text.isspace():
            words.append(text)
            spaces.append(bool(token.whitespace_))
    return Doc(words, spaces)


def annotate(target: Any, doc: Doc, layers: frozenset[str]) -> None:
    """Write predictions into the spaCy Doc that `doc` was made of.

    layers: which to write: ents, tags, pos, heads, cats. What another component has written into them is replaced.
    """
    if "cats" in layers and doc.cats is not None:
        target.cats.update({label: float(value) for label, value in doc.cats.items()})
    if len(target):
        columns = _columns(target, doc, layers)
        if columns:
            names = list(columns)
            target.from_array(names, np.array([columns[name] for name in names], dtype="i8").T.astype("u8"))
    if doc.confidence is not None:
        target.user_data[CONFIDENCE] = _confidence(doc)


def _columns(target: Any, doc: Doc, layers: frozenset[str]) -> dict[str, Any]:
    """spaCy's attribute → its values, one for each token of spaCy's."""
    number = target.vocab.strings.add
    hashes: dict[str, int] = {}  # of the strings met, as signed numbers

    def numbers(values: Sequence[str | None], space: str) -> list[int]:
        for value in {*values, space}:
            if value is not None and value not in hashes:
                hashes[value] = number(value) - (1 << 64) * (number(value) >= 1 << 63)
        return [hashes[value] if value is not None else 0 for value in values]

    places = _places(target, len(doc))
    columns: dict[str, Any] = {}
    if "tags" in layers and doc.tags is not None:
        values = numbers(doc.tags, _SPACE_TAG)
        columns["TAG"] = _spread(values, places, len(target), hashes[_SPACE_TAG])
    if "pos" in layers and doc.pos is not None:
        columns["POS"] = _spread([_pos().get(pos or "", 0) for pos in doc.pos], places, len(target), _pos()[_SPACE_POS])
    if "heads" in layers and doc.heads is not None and doc.deps is not None:
        columns["HEAD"] = _heads(doc.heads, places, len(target))
        values = numbers(["ROOT" if dep == "root" else dep for dep in doc.deps], _SPACE_DEP)
        columns["DEP"] = _spread(values, places, len(target), hashes[_SPACE_DEP])
    if "ents" in layers and doc.has_ents:
        iob, types = np.full(len(target), _OUTSIDE), np.zeros(len(target), dtype="i8")
        for ent in doc.ents:
            start, end = places[ent.start], places[ent.end - 1] + 1
            iob[start:end] = _INSIDE
            iob[start] = _BEGIN
            types[start:end] = numbers([ent.label], ent.label)[0]
        columns["ENT_IOB"], columns["ENT_TYPE"] = iob, types
    return columns


def _places(target: Any, n_words: int) -> Any:
    """The token of spaCy's for each of our words."""
    if n_words == len(target):
        return np.arange(n_words)
    return np.array([token.i for token in target if not token.text.isspace()], dtype="i8")


def _spread(values: Sequence[int], places: Any, n: int, space: int) -> Any:
    """The values at their places, `space` elsewhere."""
    if len(places) == n:
        return values
    column = np.full(n, space, dtype="i8")
    column[places] = values
    return column


def _heads(heads: Sequence[int | None], places: Any, n: int) -> Any:
    """How far each head is away, 0 for a root; white space hangs on the word before it, or on the first word."""
    own = np.arange(len(heads))
    absolute = np.where([head is None for head in heads], own, [head or 0 for head in heads]).astype("i8")
    if len(places) == n:
        return absolute - own
    column = np.empty(n, dtype="i8")
    if not len(places):  # white space alone
        return -np.arange(n)
    at = np.arange(n)
    word = np.clip(np.searchsorted(places, at, side="right") - 1, 0, None)  # the word at or before each token
    column[:] = places[word] - at
    column[places] = places[absolute] - places
    return column


def _confidence(doc: Doc) -> dict[str, Any]:
    """Layer → the probabilities of our words' predictions, or of labels; `ents`: of the entities in order."""
    layers: dict[str, Any] = {
        layer: dict(values) if isinstance(values, dict) else [float(value) for value in values]
        for layer, values in (doc.confidence or {}).items()
    }
    if doc.has_ents:
        layers["ents"] = [ent.confidence for ent in doc.ents]
    return layers


@cache
def _pos() -> dict[str, int]:
    from spacy.parts_of_speech import IDS

    return {str(name): int(number) for name, number in IDS.items()}
