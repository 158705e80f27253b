"""Convert JSON records of annotation tools and data hubs to the simple training style, by the shape of the record.

    {"text": "Ann sleeps", "label": [[0, 3, "PER"]]}                       doccano: spans          entities
    {"text": "Ann sleeps", "entities": [{"start_offset": 0, …}]}           doccano: relations      entities
    {"text": "good film", "label": "pos"}, {…, "label": ["A", "B"]}        categories              cats
    {"tokens": ["Ann", "sleeps"], "ner_tags": ["B-PER", "O"]}              data hubs               words, entities
    {"data": {"text": "…"}, "annotations": [{"result": […]}]}              Label Studio            text, entities, cats
    ["Ann sleeps", {"entities": [[0, 3, "PER"]]}]                          spaCy's guide           text and its keys
    {"text": "…", "ents": [{"start": 0, "end": 3, "label": "PER"}]}        spaCy's Doc.to_json     entities

Each guess adds a remark. Unknown keys are kept; an unknown key one or two letters away from a known key adds a
warning. If every text has exactly one category, `cats` names no absent category; else absent categories are 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from runner.corpus.annotations import KEYS
from runner.corpus.biluo import (
    WHOLE,
    TagError,
    detect_scheme,
    iob_to_spans,
    lenient_spans,
    spans_to_biluo,
    unknown_ranges,
)
from runner.corpus.readers.doc_json import take_tokens
from runner.corpus.readers.label_studio import is_label_studio, read_label_studio
from runner.corpus.readers.misspelt import misspelt, resembles
from runner.corpus.readers.reader import LeftOut, Remark, Remarks
from runner.errors import RunnerError

TEXT_KEYS = ("data", "sentence", "review", "content", "tweet", "message", "utterance")
TAG_KEYS = ("ner_tags", "ner", "ner_labels", "labels", "tags")
CATEGORY_KEYS = ("label", "labels", "categories", "category", "class", "sentiment", "intent")
CATEGORIES = "runner:categories"  # key of a record's list of categories, until the whole file is known
_ANNOTATION = frozenset(("entities", "cats", "tags", "pos", "heads", "deps", CATEGORIES))
_LOOKED_AT = frozenset(
    (
        *TEXT_KEYS,
        *TAG_KEYS,
        *CATEGORY_KEYS,
        "tokens",
        "pos_tags",
        "ents",
        "sents",
        "spans",
        "annotations",
        "relations",
        "annotator",
        "lead_time",
    )
)
_fine = set(KEYS)  # simple-style keys, and users' own keys seen so far; a record of such keys is not checked again
_MAX_FINE = 10_000
_IGNORED = (-100, -1)  # numbers that mean "unknown tag"


def as_simple(
    record: Any, left_out: LeftOut, remarks: Remarks, place: str, names: Sequence[str] | None = None
) -> dict[str, Any] | None:
    """The record with the keys of the simple style; None if nobody has annotated the record.

    names: the names of tags or categories 0, 1, … Raises RunnerError if the record is no object, has neither text nor
    words, or is a broken record of a known tool.
    """
    if isinstance(record, list) and len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], dict):
        remarks.add(_pairs, place)
        record = {"text": record[0], **record[1]}
    if not isinstance(record, dict):
        raise RunnerError(
            "it is JSON, but no object", place=place, hint='Give {"text": "…", "entities": [[0, 3, "LOC"]]}.'
        )
    if record.keys() <= _fine and ("text" in record or "words" in record) and not _has_objects(record.get("entities")):
        return record
    if is_label_studio(record):
        remarks.add(_label_studio, place)
        simple = read_label_studio(record, left_out, place)
        if simple is not None and simple.pop("is_categorized", False):
            simple[CATEGORIES] = simple.pop("choices")
        return simple
    if any(key in _LOOKED_AT for key in record) or _has_objects(record.get("entities")):
        record = _Reading(dict(record), remarks, place, names).simple(left_out)
    for key in record.keys() - _fine:
        meant = misspelt(key, record)
        if meant is not None:
            remarks.add(Remark(f"key {key!r}, did you mean {meant!r}?", "", True), place)
        elif key not in _LOOKED_AT and not resembles(key) and len(_fine) < _MAX_FINE:
            _fine.add(key)
    if record.get("text") is None and record.get("words") is None:
        raise _no_text(record, place)
    return record


_pairs = Remark("record is read as a pair of text and annotations", "records are read as pairs of text and annotations")
_label_studio = Remark("record is read as a task of Label Studio", "records are read as tasks of Label Studio")


def _has_objects(entities: Any) -> bool:
    """Whether the entities are objects; doccano's objects have other keys."""
    return isinstance(entities, list) and len(entities) > 0 and isinstance(entities[0], dict)


@lru_cache
def _read_as(key: str, what: str, kind: str = "") -> Remark:
    tool = f" ({kind})" if kind else ""
    return Remark(f"record has its {what} in {key!r}{tool}", f"records have their {what} in {key!r}{tool}")


class _Reading:
    """The conversion of one record."""

    def __init__(self, record: dict[str, Any], remarks: Remarks, place: str, names: Sequence[str] | None) -> None:
        self.record = record
        self.remarks = remarks
        self.place = place
        self.names = names

    def simple(self, left_out: LeftOut) -> dict[str, Any]:
        record = self.record
        self._text()
        self._words()
        self._spans()
        if record.get("words") is not None:
            self._tags()
        self._categories()
        if record.get("relations"):
            left_out["relations (a Doc has no place for them)"] += _size(record.pop("relations"))
        return record

    def _say(self, key: str, what: str, kind: str = "") -> None:
        self.remarks.add(_read_as(key, what, kind), self.place)

    def _text(self) -> None:
        record = self.record
        if record.get("text") is not None or record.get("words") is not None or "tokens" in record:
            return
        keys = [key for key in TEXT_KEYS if isinstance(record.get(key), str)]
        if len(keys) == 1:
            record["text"] = record.pop(keys[0])
            self._say(keys[0], "text")

    def _words(self) -> None:
        tokens = self.record.get("tokens")
        if self.record.get("words") is not None or not isinstance(tokens, list) or not tokens:
            return
        if all(isinstance(token, str) for token in tokens):
            self.record["words"] = self.record.pop("tokens")
            self._say("tokens", "words")
        elif isinstance(self.record.get("text"), str) and all(map(_is_span, tokens)):
            take_tokens(self.record)
            self._say("tokens", "words", "Doc.to_json")

    def _spans(self) -> None:
        """Move entities from other keys to `entities`; rename the keys of entity objects."""
        record = self.record
        if record.get("entities") is None:
            spans = [
                key for key, value in record.items() if isinstance(value, list) and value and all(map(_is_short, value))
            ]
            for key in ("label", "labels", "ents", "spans", "annotations", *spans):
                value = record.get(key)
                if isinstance(value, list) and value and all(map(_is_entity, value)):
                    record["entities"] = record.pop(key)
                    self._say(key, "entities", "doccano" if key in ("label", "labels", "annotations") else "")
                    break
        entities = record.get("entities")
        if isinstance(entities, list) and _has_objects(entities):
            record["entities"] = [_plain_entity(entity) for entity in entities]
            if "start_offset" in entities[0]:
                self._say("entities", "entities", "doccano")

    def _tags(self) -> None:
        """Move entity tags (one a word) to `entities`, and `pos_tags` to `tags`."""
        record = self.record
        n = len(record["words"]) if isinstance(record["words"], list) else -1
        if (
            "tags" not in record
            and isinstance(pos := record.get("pos_tags"), list)
            and all(isinstance(tag, str) for tag in pos)
        ):
            record["tags"] = record.pop("pos_tags")
            self._say("pos_tags", "tags")
        if record.get("entities") is not None:
            return
        for key in TAG_KEYS:
            tags = record.get(key)
            if not isinstance(tags, list) or len(tags) != n or not n:
                continue
            if all(type(tag) is int for tag in tags):
                tags = [self._name(tag, key) for tag in tags]
            if not all(isinstance(tag, str) for tag in tags) or (key == "tags" and not _are_entity_tags(tags)):
                continue
            try:
                record["entities"] = _biluo(tags)
            except TagError as error:
                raise RunnerError(f"{key}[{error.index}]: {error.fact}", place=self.place, hint=error.hint) from None
            del record[key]
            self._say(key, "entities")
            return

    def _categories(self) -> None:
        """Move text labels to `cats` or CATEGORIES."""
        record = self.record
        if record.get("cats") is not None:
            return
        for key in CATEGORY_KEYS if _ANNOTATION.isdisjoint(record) else CATEGORY_KEYS[:1]:
            value = record.get(key)
            if isinstance(value, dict) and value and all(isinstance(number, int | float) for number in value.values()):
                record["cats"] = record.pop(key)
            elif type(value) is int and value in _IGNORED:
                pass  # data hubs' number for an unknown label
            elif type(value) is int or (isinstance(value, str) and value.strip()):
                record[CATEGORIES] = [self._name(value, key) if type(value) is int and self.names else str(value)]
            elif isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value):
                record[CATEGORIES] = value
            else:
                continue
            record.pop(key, None)
            self._say(key, "categories")
            return

    def _name(self, number: int, key: str) -> str:
        """The name of tag or category `number`."""
        if number in _IGNORED:
            return "-"
        if self.names is None:
            raise RunnerError(
                f"{key!r} holds numbers, and nothing names them",
                place=self.place,
                hint='Name them in their order, as the data set\'s card does: "corpus.reader.names=[O,B-PER,I-PER]"',
            )
        if not 0 <= number < len(self.names):
            raise RunnerError(
                f"{key!r} holds the number {number}, and there are {len(self.names)} names",
                place=self.place,
                hint="Name all of them, in their order, in corpus.reader.names.",
            )
        return self.names[number]


def _is_span(value: Any) -> bool:
    return isinstance(value, dict) and type(value.get("start")) is int and type(value.get("end")) is int


def _is_entity(value: Any) -> bool:
    """Whether the value looks like [start, end, label] or an object with such keys."""
    if isinstance(value, list):
        return len(value) == 3 and type(value[0]) is int and type(value[1]) is int and isinstance(value[2], str)
    return (
        isinstance(value, dict)
        and ("start" in value or "start_offset" in value)
        and ("label" in value or "labels" in value)
    )


def _is_short(value: Any) -> bool:
    """Whether the value is a span in Label Studio's short export (the key names the control)."""
    return _is_span(value) and isinstance(value.get("labels"), list)


def _plain_entity(entity: Any) -> Any:
    """The entity object with keys start, end, label."""
    if not isinstance(entity, dict) or ("start" in entity and "label" in entity):
        return entity
    renamed = dict(entity)
    for theirs, ours in (("start_offset", "start"), ("end_offset", "end")):
        if theirs in renamed and ours not in renamed:
            renamed[ours] = renamed.pop(theirs)
    labels = renamed.get("labels")
    if "label" not in renamed and isinstance(labels, list) and len(labels) == 1:
        renamed["label"] = labels[0]
    if type(renamed.get("label")) is int:
        renamed["label"] = str(renamed["label"])
    return renamed


def _are_entity_tags(tags: Sequence[str]) -> bool:
    return (
        all(tag in ("O", "-") or (len(tag) > 2 and tag[1] == "-" and tag[0] in "BILUESMW") for tag in tags)
        and "O" in tags
    )


def _biluo(tags: Sequence[str]) -> list[str]:
    """Convert tags to BILUO, guessing the scheme of the tags. Raises TagError."""
    scheme = detect_scheme([tags])
    spans = iob_to_spans(tags, scheme) if scheme in WHOLE else lenient_spans(tags)[0]
    return spans_to_biluo(len(tags), spans, unknown_ranges(tags))


def _no_text(record: Mapping[str, Any], place: str) -> RunnerError:
    keys = ", ".join(repr(key)[:40] for key in list(record)[:8])
    fact = (
        f"there is neither 'text' nor 'words'; the keys are {keys}" if record else "there is neither 'text' nor 'words'"
    )
    meant = [(key, near) for key in record if (near := misspelt(str(key), record)) in ("text", "words", "tokens")]
    hint = f"Did you mean {meant[0][1]!r} by {meant[0][0]!r}?" if meant else "Give one of the two."
    return RunnerError(fact, place=place, hint=hint)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1


__all__ = ["CATEGORIES", "as_simple"]
