"""Docs → columns (see packed.py for the way back): what was annotated, what was not, and where each doc came from.

    of each doc     where its words, spans, categories, raw and rest end in their columns; which layers it has; its line
    raw             the text, of docs whose words and spaces do not spell it
    of each word    its number in the table of words, the space after it, and a number a layer: tag, head, …
    rest            JSON: what a reader put into `Doc.meta`, but for lists of one string a word, which are columns too

A number is that of a string in a table, from 1, in order of first appearance; 0 is None. Tables are held in memory
while a file is made: they grow with the vocabulary, not with the corpus. `meta` comes back as JSON has it: tuples as
lists, keys as strings.
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

FORMAT = 2  # of the columns; a file of another is made anew
STRINGS = ("words", "tags", "pos", "deps", "ents", "cats", "meta")  # the tables
LAYERS = ("tags", "pos", "deps")  # one string a word
SENT_STARTS = (None, False, True)
HAS_TAGS, HAS_POS, HAS_DEPS, HAS_HEADS, HAS_SENT_STARTS, HAS_ENTS, HAS_CATS = (1 << i for i in range(7))
FLAGS = {"tags": HAS_TAGS, "pos": HAS_POS, "deps": HAS_DEPS}
FIRST_META = 7  # the bit of the first column of meta; one more for each column
MAX_META = 24  # columns, and
MAX_META_STRINGS = 1 << 18  # distinct strings in them: of more, the doc's meta is JSON

_LINE = re.compile(r":(0|[1-9][0-9]{0,17})")
_SENT_START_NUMBERS = {value: i for i, value in enumerate(SENT_STARTS)}


class Strings:
    """string → number, from 1; None is 0."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {None: 0}

    def __len__(self) -> int:
        return len(self._numbers) - 1

    def numbers(self, values: Iterable[str | None]) -> list[int]:
        """The numbers of these, new strings included. Raises TypeError where one is no string."""
        values = list(values)
        found: list[Any] = list(map(self._numbers.get, values))
        if None in found:
            for value in values:
                if value not in self._numbers:
                    if not isinstance(value, str):
                        raise TypeError(f"{value!r} is no string")
                    self._numbers[value] = len(self._numbers)
            found = [self._numbers[value] for value in values]
        return found

    def write(self, content: Column, ends: Column) -> None:
        """All strings, one after the other, and where each ends."""
        end = 0
        for text in self._numbers:
            if text is not None:
                encoded = text.encode("utf-8", "surrogatepass")
                content.write(encoded)
                end += len(encoded)
                ends.append(end)


def _is_odd(doc: Doc) -> bool:
    """Whether the text is not what words and spaces spell."""
    return doc.raw is not None and doc.raw != doc.spelt


class Packer:
    """Takes docs, file by file: `open(path)`, then `add(doc, predicted)` for each of its docs; at last `finish`.

    predicted: the tokenizer's words for the doc's text, where the pipeline predicts on those and not on the doc's own.
    """

    def __init__(self, writer: ArrayWriter) -> None:
        self._writer = writer
        self._strings = {name: Strings() for name in STRINGS}
        self._meta_columns: dict[str, int] = {}  # key in Doc.meta → its bit
        self._columns: dict[str, Column] = {}
        self._files: list[list[int]] = []  # docs and words of each
        self._base = ""  # the path of the file that is being read
        self._n_docs = 0
        make = writer.column
        self._word, self._space = make("word", "I"), make("space", "B")
        self._span, self._cat, self._cat_value = make("span", "I"), make("cat", "I"), make("cat_value", "d")
        self._raw, self._rest = make("raw", "B"), make("rest", "B")
        self._flags, self._line = make("flags", "I"), make("line", "Q")
        self._ends = {name: make(f"{name}_end", "Q") for name in ("word", "span", "cat", "raw", "rest")}
        self._predicted: tuple[Column, Column, Column] | None = None

    def open(self, path: Path) -> None:
        """The docs that follow come from this file."""
        self._files.append([0, 0])
        self._base = str(path)

    def add(self, doc: Doc, predicted: Doc | None = None) -> None:
        """Append a doc. Raises RunnerError at its source where a value cannot be kept."""
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
        """Add to a column that exists only once a doc has it."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self._writer.column(name, "I")
        column.pad(len(self._word) - n)
        column.extend(numbers)

    def _add_meta(self, doc: Doc, n: int) -> int:
        """Keep `meta` and the source; the flags of the columns that the doc's meta is in."""
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
        """Where a doc came from: its line + 1 in the file, or 0 and [whether it goes on from the file's path, text].

        The file may have moved when it is asked for, so its own path is not kept.
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
        """The strings' numbers; None where there are other values among them, or too many strings."""
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
