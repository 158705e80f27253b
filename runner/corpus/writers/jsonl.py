"""Write JSON lines in the simple training style (keys: annotations.py), which readers/jsonl.py reads.

    {"text": "Ada slept.", "words": ["Ada", "slept", "."], "spaces": [true, false, false], "entities": [[0, 3, "PER"]]}

Keys of layers that were never annotated are left out; meta (lemmas, features, comments, an id) follows. Entities are
character offsets, or one BILUO tag a word if some entities are unknown or a word is white space. Only entities that fit
no words are lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runner.corpus.annotations import UNALIGNED
from runner.corpus.biluo import spans_to_biluo
from runner.corpus.doc import Doc
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.writer import Writer, count_unaligned
from runner.errors import RunnerError
from runner.registry import writers

_STRINGS, _OPTIONAL, _FLAGS, _WHOLE, _LISTS = {str}, {str, type(None)}, {bool}, {int}, {list}  # values in a list
_MOST = 1_000_000  # strings in the cache, at most
LAYERS = ("tags", "pos", "heads", "deps", "sent_starts")


@writers("jsonl")
def jsonl() -> Writer:
    """A writer of JSON lines. It takes no options."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[str]:
        encode = Encoder()
        for doc in docs:
            count_unaligned(doc, left_out)
            yield encode(doc)

    return write


def record_of(doc: Doc) -> dict[str, Any]:
    """The example as a dict that read_annotations turns into an equal Doc.

    >>> record_of(Doc(["Ada", "slept"], ents=[(0, 1, "PER")]))["entities"]
    [[0, 3, 'PER']]
    """
    record: dict[str, Any] = {"text": doc.text, "words": doc.words, "spaces": doc.spaces}
    if doc.has_ents:
        if doc.unknown_ents or any(word.isspace() for word in doc.words if not word.isalnum()):
            record["entities"] = spans_to_biluo(len(doc), [ent.as_tuple() for ent in doc.ents], doc.unknown_ents)
        else:
            record["entities"] = [[ent.start_char, ent.end_char, ent.label] for ent in doc.ents]
    for layer in LAYERS:
        values = getattr(doc, layer)
        if values is not None:
            record[layer] = values
    if doc.cats is not None:
        record["cats"] = doc.cats
    if doc.meta:
        record.update((key, value) for key, value in doc.meta.items() if key != UNALIGNED)
    return record


class Encoder:
    """Doc → line. Lists that need no escaping are joined without the JSON encoder, twice as fast."""

    def __init__(self) -> None:
        self._encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
        self._texts = _Texts(self._encode)

    def __call__(self, doc: Doc) -> str:
        try:
            parts = [self._texts[key] + ": " + self._value(value) for key, value in record_of(doc).items()]
        except (TypeError, ValueError, RecursionError) as error:
            raise RunnerError(f"the doc's meta is not JSON ({error})", place=doc.source, hint="Remove it.") from None
        return "{" + ", ".join(parts) + "}\n"

    def _value(self, value: Any) -> str:
        if type(value) is not list or not value:
            return self._encode(value)
        kinds = set(map(type, value))
        if kinds == _STRINGS:
            joined = "".join(value)
            if joined.isprintable() and '"' not in joined and "\\" not in joined:  # nothing to escape
                return '["' + '", "'.join(value) + '"]'
        elif kinds == _FLAGS:
            return str(value).lower()
        elif kinds == _WHOLE:
            return str(value)
        elif kinds == _OPTIONAL:
            return "[" + ", ".join(map(self._texts.__getitem__, value)) + "]"
        elif kinds == _LISTS:
            return "[" + ", ".join(map(self._value, value)) + "]"
        return self._encode(value)


class _Texts(dict[Any, str]):
    """Strings and None → their JSON, encoded at the first look-up."""

    def __init__(self, encode: Callable[[Any], str]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, text: str | None) -> str:
        if len(self) > _MOST:
            self.clear()
        encoded = self[text] = self._encode(text)
        return encoded
