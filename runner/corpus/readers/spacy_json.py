"""Read spaCy 2's JSON training format: documents of paragraphs of sentences of tokens; a paragraph becomes a Doc.

    [{"id": 0, "paragraphs": [{"raw": "Ada slept.", "sentences": [{"tokens": [
        {"id": 0, "orth": "Ada", "tag": "NNP", "head": 1, "dep": "nsubj", "ner": "U-PERSON"}, …]}]}]}]

A file is a list of documents, one document, or one document a line. `head` counts from the token (0: a root) and may
leave the sentence. `ner` is BILUO, with `-` for unknown; if no token has `ner`, the paragraph's `entities` (offsets in
`raw`) are read. The text is `raw`, or else `orth` joined by `space` (default: one space). `lemma` and
`morph` go to `Doc.meta` as `lemmas` and `feats`. As in Universal Dependencies, spaCy's label ROOT becomes `root`,
and features are sorted. `brackets` (constituents), `links` and unknown keys of tokens
are left out, and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.corpus.alignment import fit_offsets
from runner.corpus.annotations import read_annotations
from runner.corpus.biluo import spans_to_biluo
from runner.corpus.doc import Doc
from runner.corpus.readers.jsonl import check_text, parse
from runner.corpus.readers.lines import no_examples, read_bytes
from runner.corpus.readers.not_utf8 import check_block, not_utf8
from runner.corpus.readers.reader import LeftOut, Reader, Remark, Remarks
from runner.corpus.spelling import respelt_edges
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

_TOKEN_KEYS = frozenset(("id", "orth", "space", "tag", "pos", "morph", "lemma", "head", "dep", "ner"))
_RESPELT = Remark(
    "raw text is left out: it spells quotes, dashes or the like otherwise than the words",
    "raw texts are left out: they spell quotes, dashes or the like otherwise than the words",
)
_HINT = 'A document is {"id": 0, "paragraphs": [{"raw": "…", "sentences": [{"tokens": [{"orth": "…"}]}]}]}.'


@readers("spacy_json")
def spacy_json() -> Reader:
    """A reader of spaCy 2's JSON. It takes no options."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file; they have words already, so the tokenizer is not needed."""
        content = read_content(path)
        if not isinstance(content, Lines):
            content = [
                (f"{path}: document {i}", one)
                for i, one in enumerate(content if isinstance(content, list) else [content])
            ]
        yield from read_documents(content, path, left_out if left_out is not None else LeftOut())

    return read


def is_document(value: Any) -> bool:
    """Whether a value is a spaCy 2 document, not a text's record with a meta key `paragraphs`."""
    is_record = isinstance(value, dict) and not {"text", "words", "tokens"}.isdisjoint(value)
    return isinstance(value, dict) and isinstance(value.get("paragraphs"), list) and not is_record


def read_documents(documents: Iterable[tuple[str, Any]], path: Path, left_out: LeftOut) -> Iterator[Doc]:
    """The docs of (place, document) pairs. Raises RunnerError, also if there are no paragraphs."""
    remarks = left_out.opened(path)
    is_empty = True
    for place, document in documents:
        for i, paragraph in enumerate(_list(document, "paragraphs", place)):
            is_empty = False
            yield _read_paragraph(paragraph, document, f"{place}, paragraph {i}", left_out, remarks)
    if is_empty:
        raise no_examples(path)


def root_label(label: Any) -> Any:
    """Rename spaCy's label ROOT to UD's `root`; return other labels unchanged."""
    return "root" if label == "ROOT" else label


MAX_OBJECT_BYTES = 700 << 20  # memory limit for one file's objects; a 64 MB file from spaCy takes 500 MB
_SAMPLE = 1 << 18  # bytes for guessing the encoding
_STRING_BYTES, _OBJECT_BYTES = 60, 232  # smallest unshared string with its list slot; smallest dict


def ud_features(features: Any) -> Any:
    """The features in UD's order, which ignores case; spaCy's order does not.

    >>> ud_features("NumForm=Digit|Number=Sing")
    'Number=Sing|NumForm=Digit'
    """
    return "|".join(sorted(features.split("|"), key=str.lower)) if isinstance(features, str) else features


class Lines(list[tuple[str, Any]]):
    """The (place, document) pairs of a file that turned out to be JSON lines."""


def read_content(path: Path) -> Any:
    """The file's JSON value, or `Lines` for JSON lines. Raises RunnerError at file:line if the file is not JSON."""
    raw = read_bytes(path)
    check_block(raw[:_SAMPLE], path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{path}:{raw.count(bytes([10]), 0, error.start) + 1}"
        raise not_utf8(path, raw, place, f"byte 0x{raw[error.start]:02x} is not UTF-8") from None
    if not text.strip():
        raise no_examples(path)
    needed = _STRING_BYTES * text.count(",") + _OBJECT_BYTES * (text.count("[") + text.count("{"))
    if needed > MAX_OBJECT_BYTES:
        raise RunnerError(
            f"the file would take {needed >> 20:,} MB of memory", place=str(path), hint="Cut it into several files."
        )
    try:
        content = json.loads(text)
        check_text(content, text, str(path))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            return Lines(
                (f"{path}:{number}", parse(line, f"{path}:{number}"))
                for number, line in enumerate(text.split("\n"), start=1)
                if line.strip()
            )
        raise RunnerError(
            f"the file is not JSON ({error.msg}, column {error.colno})", place=f"{path}:{error.lineno}", hint=_HINT
        ) from None
    except (ValueError, RecursionError):
        raise RunnerError(
            "the file nests too deeply or holds an endless number", place=str(path), hint="Simplify it."
        ) from None
    return content


def _read_paragraph(
    paragraph: Any, document: Mapping[str, Any], place: str, left_out: LeftOut, remarks: Remarks
) -> Doc:
    tokens: list[Mapping[str, Any]] = []
    sent_starts: list[bool] = []
    for i, sentence in enumerate(_list(paragraph, "sentences", place)):
        own = _list(sentence, "tokens", f"{place}, sentence {i}")
        for j, token in enumerate(own):
            if not isinstance(token, dict) or not isinstance(token.get("orth"), str):
                raise RunnerError(
                    f"token {j} has no 'orth'", place=f"{place}, sentence {i}", hint='A token is {"orth": "…", …}.'
                )
            if not _TOKEN_KEYS.issuperset(token):
                left_out.update(f"key {key!r} of tokens" for key in token if key not in _TOKEN_KEYS)
        tokens += own
        sent_starts += [True] + [False] * (len(own) - 1) if own else []
        _count(sentence, "brackets", "constituents (brackets)", left_out)
    _count(paragraph, "links", "entity links", left_out)
    record: dict[str, Any] = {"words": [token["orth"] for token in tokens], "sent_starts": sent_starts}
    if paragraph.get("raw") is not None:
        record["text"] = paragraph["raw"]
    elif any("space" in token for token in tokens):
        record["spaces"] = [token.get("space", " ") != "" for token in tokens]
    for key, layer in (("tag", "tags"), ("pos", "pos"), ("dep", "deps"), ("lemma", "lemmas"), ("morph", "feats")):
        values = [token.get(key) for token in tokens]
        if any(value not in (None, "") for value in values):
            record[layer] = [None if value == "" else value for value in values]
    if "deps" in record:
        record["deps"] = list(map(root_label, record["deps"]))
    if "feats" in record:
        record["feats"] = list(map(ud_features, record["feats"]))
    if any(token.get("head") is not None for token in tokens):
        record["heads"] = [_head(token, i, place) for i, token in enumerate(tokens)]
    if any(token.get("ner") is not None for token in tokens):
        record["entities"] = [token["ner"] if token.get("ner") not in (None, "") else "-" for token in tokens]
    elif paragraph.get("entities"):
        record["entities"] = paragraph["entities"]
        if "text" not in record and "spaces" not in record:
            record["text"] = " ".join(record["words"])
    if paragraph.get("cats"):
        record["cats"] = _cats(paragraph["cats"], place)
    if isinstance(document.get("id"), str):
        record["id"] = document["id"]
    try:
        return read_annotations(record, None, source=place)
    except RunnerError:
        respelt = _without_raw(record, place)
        if respelt is None:
            raise
    remarks.add(_RESPELT, place)
    return read_annotations(respelt, None, source=place)


def _without_raw(record: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """The record without its text if text and words differ only in the spelling of marks; else None."""
    text, words, entities = record.get("text"), record["words"], record.get("entities")
    edges = respelt_edges(text, words) if isinstance(text, str) and words and all(words) else None
    if edges is None or not isinstance(text, str):
        return None
    starts, ends = edges
    kept = {key: value for key, value in record.items() if key != "text"}
    kept["spaces"] = [end < start for end, start in zip(ends, [*starts[1:], len(text)], strict=True)]
    if isinstance(entities, list) and entities and not isinstance(entities[0], str):  # offsets in the dropped text
        try:
            fit = fit_offsets(text, starts, ends, [(start, end, label) for start, end, label in entities], place=place)
        except (TypeError, ValueError):
            return None
        kept["entities"] = spans_to_biluo(len(words), fit.ents, fit.unknown)
    return kept


def _head(token: Mapping[str, Any], i: int, place: str) -> int | None:
    head = token.get("head")
    if head is None:
        return None
    if type(head) is not int:
        raise RunnerError(
            f"the head of token {i} is {head!r:.40}",
            place=place,
            hint="Give how many tokens the head is away: 0 for a root, -1 for the token before.",
        )
    return i + head


def _cats(cats: Any, place: str) -> Any:
    """Categories as label → value; spaCy lists {"label", "value"}."""
    if not isinstance(cats, list):
        return cats
    values: dict[str, Any] = {}
    for cat in cats:
        if not isinstance(cat, dict) or not isinstance(cat.get("label"), str) or "value" not in cat:
            raise RunnerError(
                "a category is no object of label and value", place=place, hint='{"label": "A", "value": 1}'
            )
        values[cat["label"]] = cat["value"]
    return values


def _list(value: Any, key: str, place: str) -> list[Any]:
    """The list under a key of an object. Raises RunnerError if there is no such list."""
    if not isinstance(value, dict) or not isinstance(value.get(key), list):
        fact = f"{key!r} is no list" if isinstance(value, dict) and key in value else f"there is no {key!r}"
        raise RunnerError(fact, place=place, hint=_HINT)
    return value[key]


def _count(value: Mapping[str, Any], key: str, name: str, left_out: LeftOut) -> None:
    if value.get(key):
        left_out[name] += len(value[key]) if isinstance(value[key], (list, dict)) else 1
