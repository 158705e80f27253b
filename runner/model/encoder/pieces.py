"""Word pieces by Hugging Face's `tokenizers` (an extra), each distinct word once.

The pieces of a word are those of the tokenizer's pre-tokenized mode (`is_pretokenized`), in which words are given one by
one. tokenizer.json also says how to cut and to pad whole texts; both are left to sequences.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.errors import RunnerError
from runner.model.encoder.sequences import WordPieces

_SURROGATES = re.compile("[\ud800-\udfff]")
_MOST_WORDS = 500_000  # whose pieces are remembered
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
        self._known: dict[str, tuple[int, ...]] = {}
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
        known = self._known
        if len(known) > _MOST_WORDS:
            self._known = known = {}
        for word in words:
            if word not in known:
                text = _SURROGATES.sub("\ufffd", word)
                ids = self._tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False).ids
                known[word] = tuple(ids[: self._most]) or (self.unknown,)
        found = [known[word] for word in words]
        counts = np.fromiter(map(len, found), "int64", len(found))
        return WordPieces(np.fromiter((i for ids in found for i in ids), "int32", int(counts.sum())), counts)


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
