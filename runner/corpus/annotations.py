"""The simple training style: each example is a dict, which is read into a `Doc`.

    {"text": "Ada met Lin in Oslo.", "entities": [[0, 3, "PER"], [15, 19, "LOC"]], "cats": {"TRAVEL": 1.0}}
    {"words": ["Ada", "slept"], "tags": ["NNP", "VBD"], "heads": [1, 1], "deps": ["nsubj", "root"],
     "entities": ["U-PER", "O"]}

An example has `text`, `words` or both, which must agree up to white space. Without a text, `spaces` says whether a space
follows each word. Entities are [start, end, label] or {"start", "end", "label"} in characters of the text (without a text:
of the words joined by their spaces), or one BILUO tag per word, null or "-" if unknown. `tags`, `pos`, `deps`, `heads` and
`sent_starts` hold one value per word, null if unknown; a root is its own head. Sentence starts may also be spaCy's numbers: 1
starts, -1 does not, 0 is unknown. `cats`: label → a number from 0 to 1, or true or false. numpy's numbers and arrays count as
Python's. A key that is null counts as absent; unknown keys are kept in `Doc.meta`.

An entity that does not start and end with words cannot be an entity of the Doc: the words that it touches become
`Doc.unknown_ents`, and `Doc.meta[UNALIGNED]` lists it as (first word, end word, label), so that `Example` can count it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.corpus.alignment import Fit, fit_offsets, word_edges
from runner.corpus.biluo import UNKNOWN, biluo_to_spans, unknown_ranges
from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError, suggest

UNALIGNED = "runner:unaligned_entities"  # key in Doc.meta
ANNOTATED = "runner:annotated_labels"  # key in Doc.meta, which no file can set; see Example.annotated_labels

KEYS = ("text", "words", "spaces", "entities", "tags", "pos", "heads", "deps", "sent_starts", "cats")
# Of predictions: no annotation to learn from, kept in Doc.meta.
CONFIDENCE = ("entity_confidence", "tag_confidence", "head_confidence", "dep_confidence", "cat_confidence")
_FLAG_OF = {1: True, -1: False, 0: None}  # spaCy's numbers of sentence starts
_KEYS = frozenset((*KEYS, UNALIGNED, ANNOTATED))


def check_keys(annotations: Mapping[str, Any]) -> None:
    """Raises RunnerError for a key that is neither an annotation nor "meta"."""
    known = (*KEYS, "meta")
    for key in annotations:
        if key not in known and key not in CONFIDENCE and key != UNALIGNED:
            raise RunnerError(
                f"unknown annotation {key!r}; {suggest(str(key), known)}",
                hint='Put other data under "meta": {"meta": {"id": 3}}.',
            )


def read_annotations(record: Mapping[str, Any], tokenizer: Tokenizer | None, source: str | None = None) -> Doc:
    """The Doc that `record` describes.

    tokenizer: makes the words if the record has only a `text`; None: the record must have `words`.
    source: "file:line", for errors and `Doc.source`. Raises RunnerError that names the source, the key and the fault.
    """
    text = _typed(record, "text", str, "a string", source)
    words, spaces = _read_words(record, text, tokenizer, source)
    edges = None  # (starts, ends) of the words in the text; not needed if words and spaces spell the text
    if text is not None and (spaces is None or text != _spelt(words, spaces)):
        edges = word_edges(text, words, place=source)
    fit: Fit | None = None
    unknown: Sequence[tuple[int, int]] = ()
    entities = record.get("entities")
    if entities is not None:
        if edges is None:
            spaces = spaces if spaces is not None else [True] * (len(words) - 1) + [False]
            joined, starts, ends = _join(words, spaces)
            fit, unknown = _read_entities(entities, joined, starts, ends, source)
        else:
            fit, unknown = _read_entities(entities, text, *edges, source)
    meta = {key: value for key, value in record.items() if key not in _KEYS}
    if fit is not None and fit.unaligned:
        meta[UNALIGNED] = fit.unaligned
    doc = Doc(
        words,
        spaces,
        ents=fit.ents if fit is not None else None,
        unknown_ents=unknown,
        cats=_read_cats(record, source),
        meta=meta,
        source=source,
        **_read_layers(record, len(words), source),
    )
    if text is not None and edges is not None:
        doc.take(text, *edges)
    return doc


def _read_words(
    record: Mapping[str, Any], text: str | None, tokenizer: Tokenizer | None, source: str | None
) -> tuple[list[str], list[bool] | None]:
    """(words, spaces) of a record: its own, or the tokenizer's for its text. spaces is None if the record has none."""
    words = _values(record, "words", str, "a string", source)
    spaces = _values(record, "spaces", bool, "true or false", source)
    if words is not None:
        if spaces is not None and len(spaces) != len(words):
            raise _mismatch("spaces", len(spaces), len(words), source)
        if "" in words:
            raise RunnerError(f"words[{words.index('')}] is empty", place=source, hint="Remove the empty word.")
    elif text is None:
        raise RunnerError("there is neither 'text' nor 'words'", place=source, hint="Give one of the two.")
    else:
        if spaces is not None:
            raise RunnerError("'spaces' without 'words'", place=source, hint="Give the words too, or only the text.")
        if tokenizer is None:
            raise RunnerError("there is a text and no tokenizer", place=source, hint="Set pipeline.tokenizer.")
        words, spaces = tokenizer(text)
    if not words:
        raise RunnerError("there are no words", place=source, hint="Remove the example, or give it a text.")
    return words, spaces


def _read_layers(record: Mapping[str, Any], n_words: int, source: str | None) -> dict[str, Any]:
    """The annotations with one value per word: key → list, or None if absent."""
    layers: dict[str, Any] = {
        "tags": _values(record, "tags", str, "a string or null", source, nullable=True),
        "pos": _values(record, "pos", str, "a string or null", source, nullable=True),
        "deps": _values(record, "deps", str, "a string or null", source, nullable=True),
        "heads": _values(record, "heads", int, "a word's position or null", source, nullable=True),
        "sent_starts": _values(
            record, "sent_starts", bool, "true, false or null; or 1, -1 or 0", source, nullable=True
        ),
    }
    for key, values in layers.items():
        if values is not None and len(values) != n_words:
            raise _mismatch(key, len(values), n_words, source)
    return layers


def _read_entities(
    entities: Any, text: str, starts: list[int], ends: list[int], source: str | None
) -> tuple[Fit, list[tuple[int, int]]]:
    """The entities in words, and the word ranges whose entities are unknown."""
    if not isinstance(entities, (list, tuple)):
        entities = entities.tolist() if isinstance(entities, np.ndarray) else entities
    if not isinstance(entities, (list, tuple)):
        raise RunnerError(
            f"'entities' is {_kind(entities)}",
            place=source,
            hint='Give a list of [start, end, "LABEL"], or one BILUO tag per word.',
        )
    if entities and all(isinstance(entity, str) or entity is None for entity in entities):
        entities = [UNKNOWN if entity is None else entity for entity in entities]
        if len(entities) != len(starts):
            raise _mismatch("entities (tags)", len(entities), len(starts), source)
        try:
            return Fit(biluo_to_spans(entities)), unknown_ranges(entities)
        except RunnerError as error:
            raise (error.at(source) if source else error) from None
    offsets = [_read_entity(entity, i, source) for i, entity in enumerate(entities)]
    fit = fit_offsets(text, starts, ends, offsets, place=source)
    return fit, fit.unknown


def _read_entity(entity: Any, i: int, source: str | None) -> tuple[int, int, str]:
    """(start, end, label) of entity number `i`, in characters."""
    hint = 'An entity is [start, end, "LABEL"]: two character offsets and a label.'
    if isinstance(entity, Mapping):
        missing = [key for key in ("start", "end", "label") if key not in entity]
        if missing:
            raise RunnerError(f"entities[{i}] has no {missing[0]!r}", place=source, hint=hint)
        entity = entity["start"], entity["end"], entity["label"]
    if not isinstance(entity, (list, tuple)) or len(entity) != 3:
        raise RunnerError(f"entities[{i}] is {_kind(entity)}", place=source, hint=hint)
    start, end, label = entity
    for value in (start, end):
        if type(value) is not int and not isinstance(value, np.integer):  # a bool is an int to isinstance
            raise RunnerError(f"entities[{i}] has {_kind(value)} as an offset", place=source, hint=hint)
    if not isinstance(label, str) or not label.strip():
        raise RunnerError(
            f"entities[{i}] has {_kind(label) if label != '' else 'an empty string'} as its label",
            place=source,
            hint=hint,
        )
    return int(start), int(end), label


def _read_cats(record: Mapping[str, Any], source: str | None) -> dict[str, float] | None:
    cats = record.get("cats")
    if cats is None:
        return None
    hint = 'Give each category a number from 0 to 1: {"SPORT": 1.0, "SCIENCE": 0.0}.'
    if not isinstance(cats, Mapping):
        raise RunnerError(f"'cats' is {_kind(cats)}", place=source, hint=hint)
    for label, value in cats.items():
        if not isinstance(value, (int, float, np.number, np.bool_)):
            raise RunnerError(f"cats[{label!r}] is {_kind(value)}", place=source, hint=hint)
        if not 0 <= value <= 1:
            raise RunnerError(f"cats[{label!r}] is {value}", place=source, hint=hint)
    return {str(label): float(value) for label, value in cats.items()}


def _spelt(words: list[str], spaces: list[bool]) -> str:
    return "".join([word + " " if space else word for word, space in zip(words, spaces, strict=True)])


def _join(words: list[str], spaces: list[bool]) -> tuple[str, list[int], list[int]]:
    """(text, starts, ends): the words joined by their spaces, and where each word starts and ends."""
    starts: list[int] = []
    ends: list[int] = []
    parts: list[str] = []
    position = 0
    for word, space in zip(words, spaces, strict=True):
        starts.append(position)
        ends.append(position + len(word))
        position += len(word) + space
        parts.append(word + " " if space else word)
    return "".join(parts), starts, ends


def _typed(record: Mapping[str, Any], key: str, kind: type, wanted: str, source: str | None) -> Any:
    value = record.get(key)
    if value is not None and not isinstance(value, kind):
        raise RunnerError(f"{key!r} is {_kind(value)}", place=source, hint=f"Give {wanted}.")
    return value


def _values(
    record: Mapping[str, Any], key: str, kind: type, wanted: str, source: str | None, *, nullable: bool = False
) -> list[Any] | None:
    """The list under `key`, or None if it is absent. Each value is exactly of `kind` (no bool for int), or None if nullable."""
    values = record.get(key)
    if values is None:
        return None
    if not isinstance(values, (list, tuple)):
        values = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(values, (list, tuple)):
        raise RunnerError(f"{key!r} is {_kind(values)}", place=source, hint=f"Give a list, {wanted} each.")
    kinds = set(map(type, values))
    if not kinds <= ({kind, type(None)} if nullable else {kind}):
        values = [_plain(value, is_flag=kind is bool and nullable) for value in values]
        for i, value in enumerate(values):
            if not (type(value) is kind or (nullable and value is None)):
                raise RunnerError(f"{key}[{i}] is {_kind(value)}", place=source, hint=f"Give {wanted}.")
    return list(values)


def _plain(value: Any, *, is_flag: bool) -> Any:
    """Python's value for one of numpy's; is_flag: also True, False and None for spaCy's 1, -1 and 0."""
    value = value.item() if isinstance(value, np.generic) else value
    return _FLAG_OF.get(value, value) if is_flag and type(value) is int else value


def _mismatch(key: str, n: int, n_words: int, source: str | None) -> RunnerError:
    return RunnerError(
        f"{n} {key} for {n_words} words",
        place=source,
        hint="Give one value per word; give the 'words' too if the tokenizer cuts the text otherwise.",
    )


def _kind(value: Any) -> str:
    """A short description of a value in the terms of JSON, for errors.

    >>> _kind(True), _kind([1, 2]), _kind("seven"), _kind(None)
    ('true', 'a list of 2', "the string 'seven'", 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value:.12g}" if isinstance(value, float) else "a number"
    if isinstance(value, str):
        return f"the string {value[:30]!r}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"
