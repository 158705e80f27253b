"""Write docs into columns: words, annotations, and the place that each doc came from. docs.py reads them.

    per doc     where its words, spans, categories, raw and rest end in their columns; which annotations it has; its line
    per word    its number in the table of words, whether a space follows, and a number for each layer: tag, head, …
    raw         the text of docs whose words and spaces do not spell it
    rest        JSON of `Doc.meta`, except lists with one string per word: those become columns

Strings are stored as numbers of a table, from 1, in order of first appearance; 0 is None. Tables are held in memory while
writing: they grow with the vocabulary, not with the corpus. `meta` returns as JSON: tuples as lists, keys as strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.packed.arrays import ArrayWriter, Column
from runner.errors import RunnerError

FORMAT = 2  # version of the columns; a file of another version is packed again
STRINGS = ("words", "tags", "pos", "deps", "ents", "cats", "meta")  # the tables of strings
LAYERS = ("tags", "pos", "deps")  # one string per word
SENT_STARTS = (None, False, True)
HAS_TAGS, HAS_POS, HAS_DEPS, HAS_HEADS, HAS_SENT_STARTS, HAS_ENTS, HAS_CATS = (1 << i for i in range(7))
FLAGS = {"tags": HAS_TAGS, "pos": HAS_POS, "deps": HAS_DEPS}
FIRST_META = 7  # the bit, in a doc's flags, of the first column of meta; the others follow
MAX_META = 24  # columns of meta; further keys are stored as JSON
MAX_META_STRINGS = 1 << 18  # distinct strings in columns of meta; once there are more, meta is stored as JSON

_LINE = re.compile(r":(0|[1-9][0-9]{0,17})")
_SENT_START_NUMBERS = {value: i for i, value in enumerate(SENT_STARTS)}


class Strings:
    """A table of strings: string → number, from 1; None → 0."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {None: 0}

    def __len__(self) -> int:
        return len(self._numbers) - 1

    def numbers(self, values: Iterable[str | None]) -> list[int]:
        """The number of each value; new strings are added. Raises TypeError if a value is neither a string nor None."""
        values = list(values)
        numbers: list[Any] = list(map(self._numbers.get, values))
        if None in numbers:
            for value in values:
                if value not in self._numbers:
                    if not isinstance(value, str):
                        raise TypeError(f"{value!r} is not a string")
                    self._numbers[value] = len(self._numbers)
            numbers = [self._numbers[value] for value in values]
        return numbers

    def write(self, content: Column, ends: Column) -> None:
        """Write all strings, joined, into `content`, and where each ends into `ends`."""
        end = 0
        for text in self._numbers:
            if text is not None:
                encoded = text.encode("utf-8", "surrogatepass")
                content.write(encoded)
                end += len(encoded)
                ends.append(end)


def _is_odd(doc: Doc) -> bool:
    """Whether the text differs from what words and spaces spell."""
    return doc.raw is not None and doc.raw != doc.spelt


class Packer:
    """Packs docs file by file: call `open(path)`, then `add(doc, predicted)` for each of its docs, and finally `finish`.

    predicted: the doc in the tokenizer's words; None: the pipeline predicts on the doc's own words.
    """

    def __init__(self, writer: ArrayWriter) -> None:
        self._writer = writer
        self._strings = {name: Strings() for name in STRINGS}
        self._meta_columns: dict[str, int] = {}  # key in Doc.meta → its bit
        self._columns: dict[str, Column] = {}
        self._files: list[list[int]] = []  # [docs, words] of each file
        self._base = ""  # path of the current file
        self._n_docs = 0
        make = writer.column
        self._word, self._space = make("word", "I"), make("space", "B")
        self._span, self._cat, self._cat_value = make("span", "I"), make("cat", "I"), make("cat_value", "d")
        self._raw, self._rest = make("raw", "B"), make("rest", "B")
        self._flags, self._line = make("flags", "I"), make("line", "Q")
        self._ends = {name: make(f"{name}_end", "Q") for name in ("word", "span", "cat", "raw", "rest")}
        self._predicted: tuple[Column, Column, Column] | None = None

    def open(self, path: Path) -> None:
        """Say that the next docs come from the file `path`."""
        self._files.append([0, 0])
        self._base = str(path)

    def add(self, doc: Doc, predicted: Doc | None = None) -> None:
        """Append a doc. Raises RunnerError, at the doc's source, if a value cannot be stored."""
        try:
            self._add(doc, predicted)
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as error:
            raise RunnerError(
                f"an annotation cannot be packed ({error})",
                place=doc.source,
                hint="Readers give strings and numbers, and JSON in Doc.meta; corpus.in_memory_words=1000000000 packs nothing.",
            ) from None

    def _add(self, doc: Doc, predicted: Doc | None) -> None:
        n, flags = len(doc), 0
        self._word.extend(self._strings["words"].numbers(doc.words))
        self._space.write(bytes(map(bool, doc.spaces)))
        for layer in LAYERS:
            values = getattr(doc, layer)
            if values is not None:
                flags |= FLAGS[layer]
                self._per_word(layer, self._strings[layer].numbers(values), n)
        if doc.heads is not None:
            flags |= HAS_HEADS
            self._per_word("heads", [0 if head is None else head + 1 for head in doc.heads], n)
        if doc.sent_starts is not None:
            flags |= HAS_SENT_STARTS
            self._per_word("sent_starts", map(_SENT_START_NUMBERS.__getitem__, doc.sent_starts), n)
        if doc.has_ents:
            flags |= HAS_ENTS
            labels = self._strings["ents"].numbers(ent.label for ent in doc.ents)
            for ent, label in zip(doc.ents, labels, strict=True):
                self._span.extend((ent.start, ent.end, label))
        for start, end in doc.unknown_ents:
            self._span.extend((start, end, 0))
        if doc.cats is not None:
            flags |= HAS_CATS
            self._cat.extend(self._strings["cats"].numbers(doc.cats))
            self._cat_value.extend(doc.cats.values())
        flags |= self._add_meta(doc, n)
        self._flags.append(flags)
        if _is_odd(doc) or (predicted is not None and _is_odd(predicted)):
            self._raw.write(doc.text.encode("utf-8", "surrogatepass"))
        sizes = len(self._word), len(self._span) // 3, len(self._cat), len(self._raw), len(self._rest)
        for column, size in zip(self._ends.values(), sizes, strict=True):
            column.append(size)
        if predicted is not None:
            if self._predicted is None:
                make = self._writer.column
                self._predicted = make("predicted_word", "I"), make("predicted_space", "B"), make("predicted_end", "Q")
            words, spaces, ends = self._predicted
            words.extend(self._strings["words"].numbers(predicted.words))
            spaces.write(bytes(map(bool, predicted.spaces)))
            ends.append(len(words))
        self._n_docs += 1
        self._files[-1][0] += 1
        self._files[-1][1] += n

    def _per_word(self, name: str, numbers: Iterable[int], n: int) -> None:
        """Extend the column `name`; it is made when the first doc has such values, and filled with 0 for earlier docs."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self._writer.column(name, "I")
        column.pad(len(self._word) - n)
        column.extend(numbers)

    def _add_meta(self, doc: Doc, n: int) -> int:
        """Store `meta` and the source; return the flags of the doc's columns of meta."""
        flags, rest = 0, {}
        for key, value in doc.meta.items():
            is_column = n and type(key) is str and type(value) is list and len(value) == n
            numbers = self._numbers_of(value) if is_column else None
            if numbers is not None and (key in self._meta_columns or len(self._meta_columns) < MAX_META):
                bit = self._meta_columns.setdefault(key, FIRST_META + len(self._meta_columns))
                flags |= 1 << bit
                self._per_word(f"meta/{bit}", numbers, n)
            else:
                rest[key] = value
        line, source = self._source(doc.source)
        self._line.append(line)
        if rest or source:
            self._rest.write(json.dumps([rest, source], separators=(",", ":")).encode("ascii"))
        return flags

    def _source(self, source: str | None) -> tuple[int, list[Any] | None]:
        """(line + 1, None) if the source is a line of the current file, else (0, [whether it begins with the path, text]).

        The path itself is not stored: the file may have moved when the doc is read.
        """
        if source is None:
            return 0, None
        is_below = source.startswith((f"{self._base}:", f"{self._base}/"))
        if not is_below:
            return 0, [False, source]
        below = source[len(self._base) :]
        if _LINE.fullmatch(below):
            return int(below[1:]) + 1, None
        return 0, [True, below]

    def _numbers_of(self, values: list[Any]) -> list[int] | None:
        """The numbers of the strings; None if some values are not strings, or the table has too many."""
        if len(self._strings["meta"]) > MAX_META_STRINGS:
            return None
        try:
            return self._strings["meta"].numbers(values)
        except TypeError:
            return None

    def finish(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write the file. Raises OSError."""
        for column in self._columns.values():
            column.pad(len(self._word))
        for name, strings in self._strings.items():
            strings.write(self._writer.column(f"strings/{name}", "B"), self._writer.column(f"strings/{name}/end", "Q"))
        own = {"files": self._files, "meta": self._meta_columns}
        self._writer.finish(path, {**about, **own})
