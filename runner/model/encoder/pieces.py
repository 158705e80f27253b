"""Word pieces by Hugging Face's `tokenizers` (an extra), each distinct word once.

The pieces of a word are those of the tokenizer's pre-tokenized mode (`is_pretokenized`), in which words are given one by
one. tokenizer.json also says how to cut and to pad whole texts; both are left to sequences.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from runner.errors import RunnerError
from runner.model.encoder.sequences import WordPieces
from runner.model.layout import TableWords, WordTable

_SURROGATES = re.compile("[\ud800-\udfff]")
_MOST_WORDS = 500_000  # whose pieces are remembered
_AT_ONCE = 1000  # words that are cut in one call
INSTALL = 'Run `pip install "declarative-runner[encoder]"`.'


class WordTokenizer:
    """The pieces of words.

    content: of a tokenizer.json. n_pieces: rows of the encoder's table. most: pieces of a word; the rest of a longer word
    is not read. before, after: ids of the special pieces around a text. Any number of threads may ask at once.
    Raises RunnerError if the library is missing, or the file does not fit the encoder. place: of the file, for errors.
    """

    def __init__(self, content: bytes, *, n_pieces: int, most: int, place: str) -> None:
        self._tokenizer = _tokenizer(content, place)
        self._most = most
        self._known: dict[str, list[int]] = {}  # of words that stand in no table
        self._by_row: WeakKeyDictionary[WordTable, _PiecesByRow] = WeakKeyDictionary()
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        if not vocabulary or max(vocabulary.values()) >= n_pieces:
            fact = f"its {len(vocabulary):,} pieces do not fit the encoder, which knows {n_pieces:,}"
            raise RunnerError(fact, place=place, hint="Take tokenizer.json and config.json from the same encoder.")
        framed = self._tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=True)
        is_special = np.array(framed.special_tokens_mask, dtype=bool)
        at = np.flatnonzero(~is_special)
        self.before: tuple[int, ...] = tuple(framed.ids[: at[0]]) if len(at) else ()
        self.after: tuple[int, ...] = tuple(framed.ids[at[-1] + 1 :]) if len(at) else ()
        self.unknown = _unknown_piece(self._tokenizer, vocabulary)

    def pieces(self, words: Sequence[str]) -> WordPieces:
        """The pieces of distinct words. A word that the tokenizer drops (a control character) is one unknown piece."""
        if isinstance(words, TableWords):
            return self._by_row.setdefault(words.table, _PiecesByRow()).of(words.table, words.rows, self._cut)
        known = self._known
        if len(known) > _MOST_WORDS:
            self._known = known = {}
        new = [word for word in dict.fromkeys(words) if word not in known]
        known.update(zip(new, self._cut(new), strict=True))
        found = [known[word] for word in words]
        counts = np.fromiter(map(len, found), "int64", len(found))
        return WordPieces(np.fromiter((i for ids in found for i in ids), "int32", int(counts.sum())), counts)

    def _cut(self, words: Sequence[str]) -> list[list[int]]:
        """The pieces of each word. All words in one call: half the time of a call each."""
        clean = [_SURROGATES.sub("\ufffd", word) for word in words]
        pieces: list[list[int]] = [[] for _ in words]
        for i in range(0, len(words), _AT_ONCE):
            found = self._tokenizer.encode(clean[i : i + _AT_ONCE], is_pretokenized=True, add_special_tokens=False)
            for piece, word in zip(found.ids, found.word_ids, strict=True):
                pieces[i + word].append(piece)
        return [ids[: self._most] or [self.unknown] for ids in pieces]


class _PiecesByRow:
    """The pieces of all words of a table, one row's after the other's, in arrays that grow with it."""

    def __init__(self) -> None:
        self._n = 0  # rows whose pieces are here
        self._ids = np.zeros(1024, "int32")
        self._ends = np.zeros(1024, "int64")  # [i + 1]: behind the pieces of row i
        self._lock = Lock()

    def of(
        self, table: WordTable, rows: NDArray[np.int64], cut: Callable[[Sequence[str]], list[list[int]]]
    ) -> WordPieces:
        """The pieces of the words in these rows. cut: words → their pieces, asked once a row."""
        if self._n < len(table):
            with self._lock:
                self._extend(cut(table.words_from(self._n)))
        ends, ids = self._ends, self._ids
        starts = ends[rows]
        counts = ends[rows + 1] - starts
        shifts = starts - (np.cumsum(counts) - counts)
        return WordPieces(ids[np.repeat(shifts, counts) + np.arange(counts.sum())], counts)

    def _extend(self, pieces: list[list[int]]) -> None:
        """What was written once stays as it is, so that other threads may read meanwhile."""
        n = self._n
        start, ends = int(self._ends[n]), np.cumsum([len(ids) for ids in pieces], dtype="int64")
        total = int(ends[-1]) if len(ends) else 0
        self._ids = _with_room(self._ids, start + total)
        self._ids[start : start + total] = [i for ids in pieces for i in ids]
        self._ends = _with_room(self._ends, n + len(pieces) + 1)
        self._ends[n + 1 : n + 1 + len(pieces)] = start + ends
        self._n = n + len(pieces)


def _with_room(array: NDArray[Any], n: int) -> NDArray[Any]:
    """The array, or a copy of twice the size if it has fewer than n places."""
    if n <= len(array):
        return array
    return np.concatenate([array, np.zeros(max(len(array), n), array.dtype)])


def _tokenizer(content: bytes, place: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise RunnerError(f"tokenizers is not installed ({error})", place="tok2vec.type", hint=INSTALL) from None
    again = "Download tokenizer.json again."
    try:
        described = json.loads(content)
        _begin_words(described["pre_tokenizer"])
        tokenizer = Tokenizer.from_str(json.dumps({**described, "truncation": None, "padding": None}))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fact = f"the tokenizer cannot be read ({type(error).__name__}: {str(error)[:80]})"
        raise RunnerError(fact, place=place, hint=again) from None
    except Exception as error:  # the library raises bare Exceptions for what it cannot parse
        raise RunnerError(f"the tokenizer cannot be read ({str(error)[:100]})", place=place, hint=again) from None
    return tokenizer


def _begin_words(pre_tokenizer: Any) -> None:
    """Have each word begin like a word inside of a text: with the space that these tokenizers make part of a piece."""
    if not isinstance(pre_tokenizer, dict):
        return
    if pre_tokenizer.get("type") == "ByteLevel":
        pre_tokenizer["add_prefix_space"] = True
    if pre_tokenizer.get("type") == "Metaspace":
        pre_tokenizer["prepend_scheme"] = "always"
        pre_tokenizer.pop("add_prefix_space", None)
    for inner in pre_tokenizer.get("pretokenizers", ()):
        _begin_words(inner)


def _unknown_piece(tokenizer: Any, vocabulary: Mapping[str, int]) -> int:
    """The id of the piece that stands for what has none."""
    named = getattr(tokenizer.model, "unk_token", None)
    return next((vocabulary[piece] for piece in (str(named), "[UNK]", "<unk>") if piece in vocabulary), 0)
