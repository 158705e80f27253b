"""Docs that stay on disk: they are decoded on access from the columns that writer.py wrote.

Each annotation of a doc is decoded at its first use and then belongs to that doc object: a change touches no other. Opening
checks, in pieces of bounded size, that the columns fit each other, so every access finds its data; if they do not fit (a
forged file), that is `DamagedArrays` and the file is packed again. Only texts and the JSON of `rest` are checked at their use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.corpus.alignment import word_edges
from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.packed import writer as packer
from runner.corpus.packed.arrays import Arrays, DamagedArrays, StoredArray
from runner.corpus.views import Span
from runner.errors import RunnerError

Ints = NDArray[np.integer[Any]]
_PIECE = 1 << 20  # numbers that are checked at once


class Words:
    """The words of all docs, as numbers in a table of strings."""

    def __init__(self, numbers: StoredArray, spaces: StoredArray, ends: Ints, strings: Sequence[Any]) -> None:
        self.numbers = numbers  # (n_words,)
        self.spaces = spaces  # (n_words,), 0 or 1
        self.starts = np.concatenate([np.zeros(1, dtype="int64"), ends.astype("int64")])  # (n_docs + 1,)
        self.strings = strings


class PackedDocs:
    """The docs of one file that `Packer` wrote.

    paths: the data files that the docs came from, for error messages; as many as were packed. Raises DamagedArrays if the
    columns do not fit each other.
    """

    def __init__(self, arrays: Arrays, paths: Sequence[Path | str]) -> None:
        try:
            _check(arrays, len(paths))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise DamagedArrays(f"{type(error).__name__}: {error}") from None
        self.arrays = arrays
        self.paths = [str(path) for path in paths]
        self.n_docs_of = [int(n_docs) for n_docs, _ in arrays.about["files"]]  # of each file
        self.n_words = sum(int(n_words) for _, n_words in arrays.about["files"])
        # What the readers counted and remarked when the docs were packed; see LeftOut.
        self.left_out = {str(what): int(n) for what, n in arrays.about.get("left_out", {}).items()}
        self.remarks: list[list[Any]] = list(arrays.about.get("remarks", []))
        self.meta_columns = {str(key): int(bit) for key, bit in arrays.about["meta"].items()}
        self.file_starts = np.concatenate([[0], np.cumsum(self.n_docs_of)]).astype("int64")  # (n_files + 1,)
        strings = self.strings("words")
        self.words = Words(arrays["word"], arrays["space"], arrays["word_end"][:], strings)
        self.predicted_words = self.words
        if "predicted_word" in arrays:
            self.predicted_words = Words(
                arrays["predicted_word"], arrays["predicted_space"], arrays["predicted_end"][:], strings
            )
        self._flags = arrays["flags"][:]  # (n_docs,); this and the next two in memory, as every doc needs them
        self._lines = arrays["line"][:]  # (n_docs,)
        self._ends = {name: arrays[f"{name}_end"][:] for name in ("span", "cat", "raw", "rest")}  # (n_docs,) each
        self._strings: dict[str, list[str | None]] = {}

    def __len__(self) -> int:
        return len(self._flags)

    def strings(self, name: str) -> list[str | None]:
        """The table of strings called `name`: number → string; 0 → None."""
        content = self.arrays[f"strings/{name}"][:].tobytes()
        ends = self.arrays[f"strings/{name}/end"][:].tolist()
        starts = [0, *ends]
        return [None, *(content[i:j].decode("utf-8", "surrogatepass") for i, j in zip(starts, ends, strict=False))]

    def reference(self, i: int) -> PackedDoc:
        """The annotated doc number `i`."""
        doc = PackedDoc.__new__(PackedDoc)
        doc._docs, doc._words, doc._i = self, self.words, i
        doc._text = doc._offsets = doc.lexeme_ids = doc.confidence = None
        return doc

    def predicted(self, i: int) -> PackedDoc:
        """Doc number `i` without annotations, in the words that a pipeline predicts on."""
        doc = self.reference(i)
        doc._words = self.predicted_words
        doc.tags = doc.pos = doc.deps = doc.heads = doc.sent_starts = doc.cats = doc._ents = None
        doc.unknown_ents = []
        if self.predicted_words is self.words:
            doc.meta = {}  # as in Doc.copy_unannotated
        return doc

    def table(self, name: str) -> list[str | None]:
        """As `strings`, but read only once."""
        if name not in self._strings:
            self._strings[name] = self.strings(name)
        return self._strings[name]

    def flags(self, i: int) -> int:
        return int(self._flags[i])

    def part(self, name: str, i: int) -> slice:
        """The slice of doc `i` in the column `name`."""
        ends = self._ends[name]
        return slice(int(ends[i - 1]) if i else 0, int(ends[i]))

    def rest(self, i: int) -> tuple[dict[str, Any], list[Any] | None]:
        """(meta that is in no column, source that is not a line of a file: see Packer)."""
        content = self.arrays["rest"][self.part("rest", i)].tobytes()
        if not content:
            return {}, None
        try:
            meta, source = json.loads(content)
            if source is not None:
                _is_below, _text = source
            if UNALIGNED in meta:
                meta[UNALIGNED] = [tuple(span) for span in meta[UNALIGNED]]
            return dict(meta), source
        except (ValueError, TypeError, RecursionError) as error:
            raise self.damaged(error) from None

    def damaged(self, error: Exception) -> RunnerError:
        """The error of content that is checked only at its use."""
        fact = f"the packed data is damaged ({error})"
        return RunnerError(fact, place=str(self.arrays.path), hint="Delete this file.")


def _check(arrays: Arrays, n_files: int) -> None:
    """Raises errors of many kinds if an access to a doc could find data missing or out of range."""
    about = arrays.about
    files, meta = [(int(docs), int(words)) for docs, words in about["files"]], dict(about["meta"])
    n_docs, n_words = len(arrays["flags"]), len(arrays["word"])
    _fits(len(files) == n_files and all(n >= 0 for pair in files for n in pair), "files")
    _fits([sum(column) for column in zip((0, 0), *files, strict=True)] == [n_docs, n_words], "files")
    _fits(len(arrays["line"]) == n_docs and arrays["line"].dtype.kind == "u", "line")
    _fits(all(type(key) is str and type(bit) is int for key, bit in meta.items()), "meta")
    _fits(sorted(meta.values()) == list(range(packer.FIRST_META, packer.FIRST_META + len(meta))), "meta")
    n_strings = {name: _check_strings(arrays, name) for name in packer.STRINGS}
    _check_words(arrays, "", n_docs, n_strings["words"])
    if "predicted_word" in arrays:
        _check_words(arrays, "predicted_", n_docs, n_strings["words"])
    per_word = {name: (packer.FLAGS[name], n_strings[name]) for name in packer.LAYERS}
    per_word["sent_starts"] = packer.HAS_SENT_STARTS, len(packer.SENT_STARTS) - 1
    per_word |= {f"meta/{bit}": (1 << bit, n_strings["meta"]) for bit in meta.values()}
    flags = arrays["flags"][:]
    _fits(_top(flags) < 1 << (packer.FIRST_META + len(meta)), "flags")
    seen = int(np.bitwise_or.reduce(flags)) if n_docs else 0
    for name, (flag, largest) in per_word.items():
        if name in arrays or seen & flag:
            _fits(len(arrays[name]) == n_words and _top(arrays[name]) <= largest, name)
    _check_parts(arrays["span_end"], n_docs, len(arrays["span"]) // 3, "span")
    _check_parts(arrays["cat_end"], n_docs, len(arrays["cat"]), "cat")
    for name in ("raw", "rest"):
        _check_parts(arrays[f"{name}_end"], n_docs, len(arrays[name]), name)
        _fits(arrays[name].dtype == np.uint8, name)
    _fits(len(arrays["span"]) % 3 == 0 and _top(arrays["span"][2::3]) <= n_strings["ents"], "span")
    _fits(_top(arrays["cat"]) <= n_strings["cats"] and len(arrays["cat"]) == len(arrays["cat_value"]), "cat")
    values = arrays["cat_value"]
    _fits(values.dtype == np.float64, "cat_value")
    for i in range(0, len(values), _PIECE):
        _fits(((values[i : i + _PIECE] >= 0) & (values[i : i + _PIECE] <= 1)).all(), "cat_value")
    lengths = np.diff(arrays["word_end"][:].astype("int64"), prepend=0)  # (n_docs,)
    if "heads" in arrays or seen & packer.HAS_HEADS:
        heads, ends = arrays["heads"], arrays["word_end"][:]
        _fits(len(heads) == n_words and heads.dtype.kind == "u", "heads")
        for i in range(0, n_words, _PIECE):
            piece = heads[i : i + _PIECE]
            at = np.arange(i, i + len(piece))
            _fits((piece <= lengths[np.searchsorted(ends, at, side="right")]).all(), "heads")
    span_ends = arrays["span_end"][:]
    for i in range(0, len(arrays["span"]) // 3, _PIECE):
        start, end, _label = arrays["span"][3 * i : 3 * (i + _PIECE)].reshape(-1, 3).T
        longest = lengths[np.searchsorted(span_ends, np.arange(i, i + len(start)), side="right")]
        _fits((start < end).all() and (end <= longest).all(), "span")


def _fits(condition: Any, column: str) -> None:
    if not condition:
        raise ValueError(f"{column} does not fit the other columns")


def _top(numbers: Ints | StoredArray) -> int:
    """The largest number of a column, read in pieces."""
    _fits(numbers.dtype.kind == "u", "a column of other values")
    return max((int(numbers[i : i + _PIECE].max()) for i in range(0, len(numbers), _PIECE)), default=0)


def _check_strings(arrays: Arrays, name: str) -> int:
    """The number of strings in the table; each must be text."""
    content, ends = arrays[f"strings/{name}"], arrays[f"strings/{name}/end"]
    _fits(content.dtype == np.uint8, name)
    _check_parts(ends, len(ends), len(content), name)
    text, start = content[:].tobytes(), 0
    for end in ends[:].tolist():
        text[start:end].decode("utf-8", "surrogatepass")
        start = end
    return len(ends)


def _check_words(arrays: Arrays, prefix: str, n_docs: int, n_strings: int) -> None:
    numbers, spaces = arrays[f"{prefix}word"], arrays[f"{prefix}space"]
    _check_parts(arrays[f"{prefix}{'end' if prefix else 'word_end'}"], n_docs, len(numbers), f"{prefix}word")
    _fits(len(spaces) == len(numbers) and spaces.dtype == np.uint8 and _top(spaces) <= 1, f"{prefix}space")
    for i in range(0, len(numbers), _PIECE):
        _fits(numbers[i : i + _PIECE].min() >= 1, f"{prefix}word")
    _fits(_top(numbers) <= n_strings, f"{prefix}word")


def _check_parts(ends: StoredArray, n: int, total: int, what: str) -> None:
    """Check that the `n` docs divide a column of `total` elements: ends are in order and the last is `total`."""
    _fits(len(ends) == n and _top(ends) == total and (not n or int(ends[-1]) == total), what)
    for i in range(0, n, _PIECE):
        piece = ends[i : i + _PIECE + 1]
        _fits((piece[:-1] <= piece[1:]).all(), what)


class PackedDoc(Doc):
    """A doc whose words and annotations are decoded at their first use and then belong to it."""

    __slots__ = ("_docs", "_i", "_words")

    _docs: PackedDocs
    _words: Words
    _i: int

    def __getattr__(self, name: str) -> Any:  # called if a slot is still empty
        decode = _DECODERS.get(name)
        if decode is None:
            raise AttributeError(name)
        value = decode(self)
        setattr(self, name, value)
        return value

    def _own(self) -> tuple[int, int]:
        """(start, end) of the doc's words in the columns."""
        starts = self._words.starts
        return int(starts[self._i]), int(starts[self._i + 1])


def _words(doc: PackedDoc) -> list[str]:
    return list(map(doc._words.strings.__getitem__, doc._words.numbers.numbers(*doc._own())))


def _spaces(doc: PackedDoc) -> list[bool]:
    return list(map(bool, doc._words.spaces.numbers(*doc._own())))


def _raw(doc: PackedDoc) -> str | None:
    """The stored text of a doc, None if words and spaces spell it. Raises RunnerError if it does not hold the words."""
    docs = doc._docs
    content = docs.arrays["raw"][docs.part("raw", doc._i)].tobytes()
    if not content:
        return None
    try:
        text = content.decode("utf-8", "surrogatepass")
        word_edges(text, doc.words)
    except (UnicodeDecodeError, RunnerError) as error:
        raise docs.damaged(error) from None
    return text


def _layer(name: str) -> Callable[[PackedDoc], list[str | None] | None]:
    def decode(doc: PackedDoc) -> list[str | None] | None:
        docs = doc._docs
        if not docs.flags(doc._i) & packer.FLAGS[name]:
            return None
        return list(map(docs.table(name).__getitem__, docs.arrays[name].numbers(*doc._own())))

    return decode


def _heads(doc: PackedDoc) -> list[int | None] | None:
    if not doc._docs.flags(doc._i) & packer.HAS_HEADS:
        return None
    return [head - 1 if head else None for head in doc._docs.arrays["heads"].numbers(*doc._own())]


def _sent_starts(doc: PackedDoc) -> list[bool | None] | None:
    if not doc._docs.flags(doc._i) & packer.HAS_SENT_STARTS:
        return None
    return list(map(packer.SENT_STARTS.__getitem__, doc._docs.arrays["sent_starts"].numbers(*doc._own())))


def _spans(doc: PackedDoc) -> list[list[int]]:
    part = doc._docs.part("span", doc._i)
    spans: list[list[int]] = doc._docs.arrays["span"][3 * part.start : 3 * part.stop].reshape(-1, 3).tolist()
    return spans


def _ents(doc: PackedDoc) -> list[Span] | None:
    if not doc._docs.flags(doc._i) & packer.HAS_ENTS:
        return None
    labels = doc._docs.table("ents")
    return [Span(doc, start, end, labels[label] or "") for start, end, label in _spans(doc) if label]


def _unknown_ents(doc: PackedDoc) -> list[tuple[int, int]]:
    return [(start, end) for start, end, label in _spans(doc) if not label]


def _cats(doc: PackedDoc) -> dict[str, float] | None:
    docs = doc._docs
    if not docs.flags(doc._i) & packer.HAS_CATS:
        return None
    part, labels = docs.part("cat", doc._i), docs.table("cats")
    values = docs.arrays["cat_value"][part].tolist()
    return {labels[i] or "": value for i, value in zip(docs.arrays["cat"][part].tolist(), values, strict=True)}


def _meta(doc: PackedDoc) -> dict[str, Any]:
    docs = doc._docs
    meta, flags = docs.rest(doc._i)[0], docs.flags(doc._i)
    starts = docs.words.starts
    for key, bit in docs.meta_columns.items() if flags >> packer.FIRST_META else ():
        if flags >> bit & 1:
            numbers = docs.arrays[f"meta/{bit}"][starts[doc._i] : starts[doc._i + 1]].tolist()
            meta[key] = list(map(docs.table("meta").__getitem__, numbers))
    return meta


def _source(doc: PackedDoc) -> str | None:
    docs = doc._docs
    path = docs.paths[int(np.searchsorted(docs.file_starts, doc._i, side="right")) - 1]
    line = int(docs._lines[doc._i])
    if line:
        return f"{path}:{line - 1}"
    source = docs.rest(doc._i)[1]
    if source is None:
        return None
    is_below, text = source
    return f"{path}{text}" if is_below else str(text)


_DECODERS: dict[str, Callable[[PackedDoc], Any]] = {
    "raw": _raw,
    "words": _words,
    "spaces": _spaces,
    "heads": _heads,
    "sent_starts": _sent_starts,
    "_ents": _ents,
    "unknown_ents": _unknown_ents,
    "cats": _cats,
    "meta": _meta,
    "source": _source,
    **{name: _layer(name) for name in packer.LAYERS},
}
