"""Write spaCy 3's `.spacy` files (DocBin), through the extra: pip install "declarative-runner[spacy]".

readers/docbin.py tells what a DocBin is. It is one packed table and cannot grow, so docs become pieces, `piece`, that can be
appended to a file, and `join` makes the DocBin of them in passes over that file: its memory is that of the distinct strings.
spaCy is only asked for the numbers of attributes and strings; no spaCy Doc is made.

Words, spaces, tags, universal tags, heads, labels, sentence starts, entities, categories, and lemmas and features of meta have
their places. Other meta (an id, a comment) becomes `Doc.user_data`. The root's label is `ROOT`. White space that is not one
blank is left out and counted, as are heads without a label: spaCy takes such a token for one without a head.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.readers.docbin import spacy_numbers
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.writer import BinaryWriter, count_unaligned, count_white_space
from runner.errors import RunnerError
from runner.registry import writers

MAX_WORDS = 30_000_000  # in a file: readers of msgpack take no more than 2 GB at once
_ATTRS = (  # in the order of their numbers
    "ORTH", "LEMMA", "POS", "TAG", "DEP", "ENT_IOB", "ENT_TYPE", "HEAD", "SENT_START", "MORPH",
)  # fmt: skip
_META = {"LEMMA": "lemmas", "MORPH": "feats"}  # column → key of meta
_UNKNOWN, _INSIDE, _OUTSIDE, _BEGIN = range(4)  # ENT_IOB
_DOCS_A_PIECE = 1_000
_SIZE = struct.Struct("<Q")
_LISTS = ("cats", "flags", "span_groups", "user_data")  # one value a doc


class Pieces:
    """Docs → bytes to append to a file for `join`. Raises RunnerError without spaCy."""

    def __init__(self) -> None:
        _, strings = spacy_numbers("writing", "write JSON lines")
        from spacy.parts_of_speech import IDS

        self._pos = {str(name): int(number) for name, number in IDS.items()}
        self._add: Callable[[str], int] = strings.add
        self._known: dict[str, int] = {}  # of strings

    def __call__(self, docs: Sequence[Doc], left_out: LeftOut) -> bytes:
        """The docs as one piece. Raises RunnerError at a doc's source if its meta cannot be written."""
        n = sum(map(len, docs))
        table = np.zeros((n, len(_ATTRS)), dtype="<i8")
        used: set[str] = set()
        start = 0
        for doc in docs:
            end = start + len(doc)
            self._fill(table[start:end], doc, used, left_out)
            start = end
        spaces = np.fromiter((space for doc in docs for space in doc.spaces), dtype=bool, count=n)
        message = {
            "tokens": table.tobytes(),
            "spaces": spaces.tobytes(),
            "lengths": np.array([len(doc) for doc in docs], dtype="<i4").tobytes(),
            "strings": sorted(used),
            "cats": [_pack(doc.cats or {}) for doc in docs],
            "flags": [_pack({"has_unknown_spaces": False})] * len(docs),
            "span_groups": [_pack(b"")] * len(docs),
            "user_data": [_pack(_user_data(doc)) for doc in docs],
        }
        content = zlib.compress(_pack(message), 1)
        return _SIZE.pack(len(content)) + content

    def _fill(self, table: NDArray[np.int64], doc: Doc, used: set[str], left_out: LeftOut) -> None:
        """Write the doc's rows; add its strings to `used`."""
        count_unaligned(doc, left_out)
        count_white_space(doc, "spaCy", left_out)
        columns: dict[str, list[int]] = {"ORTH": self._numbers(doc.words, used)}
        if doc.tags is not None:
            columns["TAG"] = self._numbers(doc.tags, used)
        if doc.pos is not None:
            columns["POS"] = [self._pos.get(pos, 0) if pos else 0 for pos in doc.pos]
            if n := sum(bool(pos) and not number for pos, number in zip(doc.pos, columns["POS"], strict=True)):
                left_out["universal tags (spaCy does not know them)"] += n
        for name, key in _META.items():
            if _is_column(doc.meta.get(key), len(doc)):
                columns[name] = self._numbers(doc.meta[key], used)
        if doc.heads is not None:
            deps = doc.deps or [None] * len(doc)
            if n := sum(head is not None and not dep for head, dep in zip(doc.heads, deps, strict=True)):
                left_out["heads without a label (a .spacy file has no place for them)"] += n
            columns["HEAD"] = [0 if head is None else head - i for i, head in enumerate(doc.heads)]
        if doc.deps is not None:
            columns["DEP"] = self._numbers(["ROOT" if dep == "root" else dep for dep in doc.deps], used)
        if doc.sent_starts is not None:
            columns["SENT_START"] = [0 if value is None else 1 if value else -1 for value in doc.sent_starts]
        if doc.has_ents:
            columns["ENT_IOB"], columns["ENT_TYPE"] = self._entities(doc, used)
        for name, values in columns.items():
            table[:, _ATTRS.index(name)] = np.array(values, dtype="u8").view("i8") if name in _HASHED else values

    def _numbers(self, values: Sequence[str | None], used: set[str]) -> list[int]:
        """spaCy's numbers of strings; 0 of None."""
        known = self._known
        for value in set(values):
            if value:
                used.add(value)
                if value not in known:
                    known[value] = self._add(value)
        return [known[value] if value else 0 for value in values]

    def _entities(self, doc: Doc, used: set[str]) -> tuple[list[int], list[int]]:
        iob, types = [_OUTSIDE] * len(doc), [0] * len(doc)
        for start, end in doc.unknown_ents:
            iob[start:end] = [_UNKNOWN] * (end - start)
        for ent in doc.ents:
            n = ent.end - ent.start
            iob[ent.start : ent.end] = [_BEGIN] + [_INSIDE] * (n - 1)
            types[ent.start : ent.end] = self._numbers([ent.label], used) * n
        return iob, types


_HASHED = ("ORTH", "LEMMA", "TAG", "DEP", "ENT_TYPE", "MORPH")


@writers("docbin")
def docbin() -> BinaryWriter:
    """A writer of `.spacy` files. It takes no options. The whole file is held in memory."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[bytes]:
        pieces, held, out = Pieces(), BytesIO(), BytesIO()
        docs = iter(docs)
        while some := list(islice(docs, _DOCS_A_PIECE)):
            held.write(pieces(some, left_out))
        join(held, out)
        yield out.getvalue()

    return write


def join(pieces: BinaryIO, out: BinaryIO) -> None:
    """Write the DocBin of all pieces in a file to `out`."""
    ids, _ = spacy_numbers("writing", "write JSON lines")
    strings: set[str] = set()
    sizes = dict.fromkeys(("tokens", "spaces", "lengths"), 0)
    n_docs = 0
    for piece in _read(pieces):
        strings.update(piece["strings"])
        n_docs += len(piece["cats"])
        for key in sizes:
            sizes[key] += len(piece[key])
    packer = zlib.compressobj()

    def write(content: bytes) -> None:
        out.write(packer.compress(content))

    write(bytes([0x80 + 3 + len(sizes) + len(_LISTS)]))  # a map of so many keys
    write(_pack("version") + _pack("0.1"))
    write(_pack("attrs") + _pack([ids[name] for name in _ATTRS]))
    for key, size in sizes.items():
        write(_pack(key) + struct.pack(">BI", 0xC6, size))  # bytes
        for piece in _read(pieces):
            write(piece[key])
    write(_pack("strings") + struct.pack(">BI", 0xDD, len(strings)))  # a list
    for string in sorted(strings):
        write(_pack(string))
    for key in _LISTS:
        write(_pack(key) + struct.pack(">BI", 0xDD, n_docs))
        for piece in _read(pieces):
            write(b"".join(piece[key]))
    out.write(packer.flush())


def _read(pieces: BinaryIO) -> Iterator[dict[str, Any]]:
    from srsly.msgpack import unpackb

    pieces.seek(0)
    while head := pieces.read(_SIZE.size):
        yield unpackb(zlib.decompress(pieces.read(_SIZE.unpack(head)[0])), raw=False)


def _user_data(doc: Doc) -> bytes:
    columns = {key for key in _META.values() if _is_column(doc.meta.get(key), len(doc))}
    meta = {key: value for key, value in doc.meta.items() if key != UNALIGNED and key not in columns}
    try:
        return _pack(meta)
    except (OverflowError, ValueError, TypeError, RecursionError) as error:
        raise RunnerError(f"the doc's meta cannot be packed ({error})", place=doc.source, hint="Remove it.") from None


def _is_column(values: Any, n: int) -> bool:
    """Whether the values are a string or None for each of n tokens."""
    return isinstance(values, list) and len(values) == n and all(isinstance(value, str | None) for value in values)


def _pack(value: Any) -> bytes:
    packed: bytes = _packer().pack(value)
    return packed


@cache
def _packer() -> Any:
    """One for all: to make one takes a thousand times as long as to pack a number, for it asks for plugins."""
    from srsly.msgpack import Packer

    return Packer(use_bin_type=True)
