"""Read spaCy 3's `.spacy` files (DocBin), through the extra: pip install "declarative-runner[spacy]".

A DocBin is msgpack packed by zlib: a table of 64-bit numbers (a row a token, a column an attribute) and a list of
strings. Some numbers are hashes of strings. spaCy is only used to look up attributes and strings. spaCy's own loader
trusts the file and would run pickled objects; this reader unpacks plain data only, and checks every number.

Words, spaces, tags, universal tags, lemmas and features (`Doc.meta`), heads, labels, sentence starts, entities and
categories are read. A token without a label has no known head; a token with ENT_IOB 0 has no known entity. A layer
without any known value is not annotated. ROOT becomes `root`, and features are sorted in UD's order, as in
spacy_json.py. Attributes that depend on the word alone (NORM, SHAPE, …) are not read. Span groups, user data and
entity links are left out and counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers.lines import MAX_RATIO, MAX_UNPACKED, bomb, no_examples, read_bytes
from runner.corpus.readers.reader import LeftOut, Reader
from runner.corpus.readers.spacy_json import root_label, ud_features
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

_STRINGS = {"LEMMA": "lemmas", "POS": "pos", "TAG": "tags", "MORPH": "feats"}
_LEFT_OUT = {"ENT_KB_ID": "entity links (ENT_KB_ID)", "ENT_ID": "entity ids (ENT_ID)"}
_MAX_ITEMS = 1 << 22  # longest list (docs or strings); msgpack allocates the length that a header gives
_NO_GROUPS = (b"", b"\x90")  # spaCy's empty groups


@readers("docbin")
def docbin() -> Reader:
    """A reader of `.spacy` files. It takes no options."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """Yield the docs of one file. A DocBin has words; the tokenizer is not used."""
        table = _Table(path)
        if not table.lengths:
            raise no_examples(path)
        yield from table.docs(left_out if left_out is not None else LeftOut())

    return read


class _Table:
    """The file's arrays. The sizes of all arrays must agree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        ids, self._store = spacy_numbers()
        message = _unpack(path)
        names = {number: name for name, number in ids.items()}
        attrs = self._typed(message, "attrs", list)
        if not all(type(attr) is int and attr in names for attr in attrs) or ids["ORTH"] not in attrs:
            raise self._damaged("its attributes are not spaCy's")
        strings = self._typed(message, "strings", list)
        for string in strings:
            if not isinstance(string, str):
                raise self._damaged("a string is none")
            self._store.add(string)
        lengths = _array(self._typed(message, "lengths", bytes), "<i4")
        tokens = _array(self._typed(message, "tokens", bytes), "<u8")
        spaces = _array(self._typed(message, "spaces", bytes), "u1")
        if lengths is None or tokens is None or spaces is None or (lengths < 0).any():
            raise self._damaged("an array has no whole number of items")
        self.lengths: list[int] = lengths.tolist()
        n = sum(self.lengths)
        if len(spaces) != n or len(tokens) != n * len(attrs):
            raise self._damaged(f"it names {n} tokens and holds {len(spaces)} spaces and {len(tokens)} values")
        self._columns = dict(zip((names[attr] for attr in attrs), tokens.reshape(n, len(attrs)).T, strict=True))
        self._spaces = spaces.astype(bool)
        self._parts = {key: message.get(key) for key in ("cats", "flags", "span_groups", "user_data")}
        for key, values in self._parts.items():
            if values is not None and (not isinstance(values, list) or len(values) != len(self.lengths)):
                raise self._damaged(f"{key!r} has not one value a doc")

    def docs(self, left_out: LeftOut) -> Iterator[Doc]:
        """Yield docs. Raises RunnerError at file: doc."""
        words = self._texts("ORTH")
        layers = {layer: self._texts(name) for name, layer in _STRINGS.items() if name in self._columns}
        labels = self._texts("DEP") if "DEP" in self._columns else None
        types = self._texts("ENT_TYPE") if "ENT_TYPE" in self._columns else None
        heads, starts, iob = (
            self._columns[name].astype("i8").tolist() if name in self._columns else None
            for name in ("HEAD", "SENT_START", "ENT_IOB")
        )
        start = 0
        for number, length in enumerate(self.lengths):
            end = start + length
            place = f"{self.path}: doc {number}"
            record: dict[str, Any] = {"words": [word or "" for word in words[start:end]]}
            if not self._part("flags", number, dict, {}).get("has_unknown_spaces"):
                record["spaces"] = self._spaces[start:end].tolist()
            for layer, values in layers.items():
                _put(record, layer, values[start:end])
            if labels is not None:
                _put(record, "deps", list(map(root_label, labels[start:end])))
            if heads is not None and "deps" in record:
                record["heads"] = [
                    i + head if label is not None else None
                    for i, (head, label) in enumerate(zip(heads[start:end], record["deps"], strict=True))
                ]
            if starts is not None:
                _put(record, "sent_starts", [None if s == 0 else s == 1 for s in starts[start:end]])
            if iob is not None and types is not None and any(iob[start:end]):
                record["entities"] = _biluo(iob[start:end], types[start:end], place)
            cats = self._part("cats", number, dict, {})
            if cats:
                record["cats"] = cats
            self._count(start, end, number, left_out)
            yield read_annotations(record, None, source=place)
            start = end

    def _count(self, start: int, end: int, number: int, left_out: LeftOut) -> None:
        for name, what in _LEFT_OUT.items():
            if name in self._columns and (n := int((self._columns[name][start:end] != 0).sum())):
                left_out[f"{what}"] += n
        if self._part("span_groups", number, bytes, b"") not in _NO_GROUPS:
            left_out["docs' span groups"] += 1
        if self._part("user_data", number, bytes, b"") not in (b"", b"\x80"):
            left_out["docs' user data"] += 1

    def _part(self, key: str, number: int, kind: type, nothing: Any) -> Any:
        value = (self._parts[key] or [nothing] * len(self.lengths))[number]
        if value is None:
            return nothing
        if not isinstance(value, kind):
            raise RunnerError(f"{key!r} is of another kind than in spaCy's files", place=f"{self.path}: doc {number}")
        return value

    def _texts(self, name: str) -> list[str | None]:
        """The column's strings, None for an empty string. Raises RunnerError if the file lacks a string."""
        column = self._columns[name]
        values, places = np.unique(column, return_inverse=True)
        texts: list[str | None] = []
        for value in values.tolist():
            try:
                texts.append(self._store[value] or None)
            except (KeyError, IndexError, OverflowError):
                at = int(np.argmax(column == value))
                number = int(np.searchsorted(np.cumsum(self.lengths), at, side="right"))
                raise RunnerError(
                    f"the string of a token's {name} is not in the file",
                    place=f"{self.path}: doc {number}",
                    hint="Write the file again with spaCy's DocBin.",
                ) from None
        if name == "MORPH":
            texts = [None if text == "_" else ud_features(text) for text in texts]
        return [texts[place] for place in places.ravel().tolist()]

    def _typed(self, message: dict[str, Any], key: str, kind: type) -> Any:
        value = message.get(key)
        if not isinstance(value, kind):
            raise self._damaged(f"it has no {key!r}")
        return value

    def _damaged(self, fact: str) -> RunnerError:
        return _damaged(self.path, fact)


def spacy_numbers(
    doing: str = "reading", otherwise: str = "convert the file where spaCy is"
) -> tuple[dict[str, int], Any]:
    """(attribute name → number, an empty string store). Raises RunnerError without spaCy."""
    try:
        from spacy.attrs import IDS
        from spacy.strings import StringStore
    except ImportError as error:
        raise RunnerError(
            f"{doing} .spacy files needs spaCy, which cannot be imported ({error})",
            hint=f'Run `pip install "declarative-runner[spacy]"`, or {otherwise}.',
        ) from error
    return {str(name): int(number) for name, number in IDS.items() if name}, StringStore()


def _unpack(path: Path) -> dict[str, Any]:
    from srsly.msgpack import unpackb

    raw = read_bytes(path)
    unpacker = zlib.decompressobj()
    limit = max(MAX_UNPACKED, MAX_RATIO * len(raw))
    try:
        content = unpacker.decompress(raw, limit)
        if unpacker.unconsumed_tail:
            raise bomb(str(path))
        if not unpacker.eof:
            raise ValueError("it is cut off")
        # Our own hook replaces srsly's hooks, which would build objects from the data.
        message = unpackb(content, raw=False, object_pairs_hook=dict, max_array_len=_MAX_ITEMS, max_ext_len=0)
    except RunnerError:
        raise
    except Exception as error:  # errors of zlib and of msgpack
        raise _damaged(path, f"it cannot be unpacked: {str(error)[:100] or type(error).__name__}") from None
    if not isinstance(message, dict):
        raise _damaged(path, "it holds no table")
    return message


def _damaged(path: Path, fact: str) -> RunnerError:
    return RunnerError(
        f"this is no .spacy file, or a damaged one ({fact})",
        place=str(path),
        hint="Write it again with spaCy's DocBin, to_disk.",
    )


def _array(raw: bytes, kind: str) -> Any:
    return np.frombuffer(raw, dtype=kind) if len(raw) % np.dtype(kind).itemsize == 0 else None


def _put(record: dict[str, Any], layer: str, values: list[Any]) -> None:
    """Add a layer to the record if any of its values is known."""
    if any(value is not None for value in values):
        record[layer] = values


def _biluo(iob: list[int], types: list[str | None], place: str) -> list[str]:
    """BILUO tags from spaCy's numbers: 0 unknown, 1 inside, 2 outside, 3 begin. Begin without a type means outside."""
    tags: list[str] = []
    for i, (number, label) in enumerate(zip(iob, types, strict=True)):
        if number == 0:
            tags.append("-")
        elif number == 2 or (number == 3 and label is None):
            tags.append("O")
        elif number not in (1, 3) or label is None or (number == 1 and not (tags and tags[-1][2:] == label)):
            raise RunnerError(
                f"the entity of token {i} is broken (ENT_IOB {number}, ENT_TYPE {label})",
                place=place,
                hint="Write the file again with spaCy's DocBin.",
            )
        else:
            is_last = i + 1 == len(iob) or iob[i + 1] != 1
            tags.append(("LI" if number == 1 else "UB")[not is_last] + "-" + label)
    return tags
