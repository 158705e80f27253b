"""Tokenizers: text → words and whether white space follows each, behind the registry.

Every tokenizer returns all characters that are not white space (`str.isspace`), in order, and no word holds white
space. So words can be found again in the text, which the doc keeps unchanged (`Doc.tokenized`).

The default was chosen by measurement: F-score of token character spans on the raw text of English EWT's dev set, by
sentence and as 750 paragraphs (real text is not cut into sentences), and words a CPU second on the sentences. Gold
tokens are UD's syntactic words if their forms spell the surface (do|n't), else surface tokens. The repairs were made
on the dev set and checked on the test set, by sentence.

    tokenizer                        sentences   paragraphs   words/s    test    licence, weight
    split at white space                 .7907            -       10 M            -
    nltk 3.10 NLTKWordTokenizer          .9647        .9130      99 k    .9645   Apache, 14 MB, 2 s import, 5 packages
    sacremoses 0.2, en                   .9427        .9397     217 k            MIT, 3.3 MB, 4 packages
    spaCy 3.8 blank("en")                .9725        .9725     168 k            MIT, a large dependency: an extra here
    syntok 1.4.4                         .9706        .9706     370 k    .9701   MIT, 0.2 MB, needs only regex
    syntok 1.4.4 with two repairs        .9799        .9799     307 k    .9768   the default, "syntok"
      the same, pieces known (`by_piece`)                             3 M
    SoMaJo 2.5, en_PTB                   .9896        .9896      17 k            GPL-3, slower than our models predict

nltk finds final full stops only in single sentences, and its sentence splitter needs a data download. The repairs
rejoin runs of one mark (`!!!`) and camel case (iPhone): syntok cuts both, UD and newswire do not. In any script no word
is cut before a combining mark, soft hyphen or joiner (हिन्दी, café with a separate accent character): syntok sees the
text without these characters.

This module splits no sentences, lower-cases nothing, and has no rules for languages without spaces between words (use
`spacy` with its `lang`).
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from threading import Lock
from typing import Any

from runner.corpus.alignment import word_edges
from runner.errors import RunnerError
from runner.registry import needs, tokenizers

Tokenizer = Callable[[str], tuple[list[str], list[bool]]]

_BEHIND_SPACY = {  # libraries that spaCy needs
    "ja": "Run `pip install sudachipy sudachidict_core`.",
    "ko": "Run `pip install natto-py`, and install MeCab with mecab-ko and mecab-ko-dic.",
    "th": "Run `pip install pythainlp`.",
    "vi": "Run `pip install pyvi`.",
}
REPEATED_MARKS = frozenset(".!?*-+_=$~")  # a run of one mark is a word
# Combining marks, soft hyphens, joiners, direction marks: no word ends before these (Unicode's word boundaries, UAX 29,
# rule 4). MARKS lacks the zero-width space, which parts words.
MARKS = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"
MAY_BE_MARK = re.compile(
    "[\xad\u0300-\u036f\u0483-\u0489\u0591-\u1dff\u200c-\u200f\u202a-\u202e\u2060-\U0010ffff]"
)  # a fast test
MAX_MENDED = 1000  # characters; longer words are not rejoined, so that long lines take no quadratic time
MAX_PIECES = 1 << 16  # in the memory of one tokenizer: some 20 MB
MAX_REMEMBERED = 64  # characters; longer pieces seldom come back, and one could fill the memory


@tokenizers("syntok")
def syntok() -> Tokenizer:
    """syntok's rules for Indo-European text, with two repairs (see above); the default.

    >>> syntok()("Don't sell the iPhone!!")
    (['Do', "n't", 'sell', 'the', 'iPhone', '!!'], [False, True, True, True, False, False])
    """
    return by_piece(uncached_syntok())


def uncached_syntok() -> Tokenizer:
    """`syntok`, with each text cut anew."""
    import regex
    from syntok.tokenizer import Tokenizer as Syntok

    marks = regex.compile(MARKS)
    splitter = Syntok(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)

    def tokenize(text: str) -> tuple[list[str], list[bool]]:
        if not text.isascii() and MAY_BE_MARK.search(text) and marks.search(text):
            return _with_marks(text, [mark.start() for mark in marks.finditer(text)], tokenize)
        pieces: list[tuple[int, str]] = []
        end = -1
        for token in splitter.tokenize(text):
            value, start = token.value, token.offset
            if not value:
                continue
            if start == end:
                before = pieces[-1][1]
                is_run = before[-1] == value[0] and value[0] in REPEATED_MARKS
                is_camel_case = before[-1].islower() and value[0].isupper()
                if (is_run or is_camel_case) and len(before) < MAX_MENDED:
                    pieces[-1] = pieces[-1][0], before + value
                    end += len(value)
                    continue
            pieces.append((start, value))
            end = start + len(value)
        return cover(text, pieces)

    return tokenize


class _Cuts(dict[str, tuple[str, ...]]):
    """Piece between blanks → its words. A new piece is cut by `cut`; a full memory is emptied.

    Threads may share it: each operation on the dict is one step, and the words of a piece do not depend on the others.
    """

    def __init__(self, cut: Tokenizer) -> None:
        super().__init__()
        self._cut = cut

    def __missing__(self, piece: str) -> tuple[str, ...]:
        words = self._cut(piece)[0]
        # A piece that is one word is that word: one string for both.
        parts = (piece,) if len(words) == 1 else tuple(words)
        if len(piece) <= MAX_REMEMBERED:
            if len(self) >= MAX_PIECES:
                self.clear()
            self[piece] = parts
        return parts


class _Ends(dict[int, tuple[bool, ...]]):
    """Number of words in a piece → whether white space follows each: the last alone."""

    def __missing__(self, n: int) -> tuple[bool, ...]:
        ends = (*[False] * (n - 1), True)
        if n <= MAX_REMEMBERED:
            self[n] = ends
        return ends


def by_piece(tokenize: Tokenizer) -> Tokenizer:
    """Remember how `tokenize` cuts each piece between blanks: four to ten times as fast once the pieces are known.

    Exact for a tokenizer that cuts at every white space and looks at nothing beyond, as syntok does: all its rules, for
    contractions, hyphens, ellipses and final marks, read one piece. syntok does not cut at the control characters FS, GS,
    RS and US, which Python counts as white space. Texts with such a character are tokenized whole.
    """
    cuts, ends = _Cuts(tokenize), _Ends()

    def tokenize_by_piece(text: str) -> tuple[list[str], list[bool]]:
        if "\x1c" in text or "\x1d" in text or "\x1e" in text or "\x1f" in text:
            return tokenize(text)
        parts = list(map(cuts.__getitem__, text.split()))
        words = list(chain.from_iterable(parts))
        spaces = list(chain.from_iterable(map(ends.__getitem__, map(len, parts))))
        if spaces:
            spaces[-1] = text[-1].isspace()
        return words, spaces

    return tokenize_by_piece


def _with_marks(text: str, marks: Sequence[int], tokenize: Tokenizer) -> tuple[list[str], list[bool]]:
    """Words and spaces of a text, tokenized without its marks; each mark then rejoins its character.

    marks: the marks' indices. A mark after no character, as after a blank, is its own word.
    """
    starts, ends = [0, *(i + 1 for i in marks)], [*marks, len(text)]
    bare = "".join([text[start:end] for start, end in zip(starts, ends, strict=True)])
    at = [i for start, end in zip(starts, ends, strict=True) for i in range(start, end)]  # bare position → position
    at.append(len(text))
    edges = zip(*word_edges(bare, tokenize(bare)[0]), strict=True)
    return cover(text, [(at[start], text[at[start] : at[end]]) for start, end in edges])


@tokenizers("whitespace")
def whitespace() -> Tokenizer:
    """Split at white space and nowhere else, for text that is already tokenized.

    >>> whitespace()("in New York !")
    (['in', 'New', 'York', '!'], [True, True, True, False])
    """

    def tokenize(text: str) -> tuple[list[str], list[bool]]:
        words = text.split()
        spaces = [True] * len(words)
        if words:
            spaces[-1] = text[-1].isspace()
        return words, spaces

    return tokenize


@tokenizers("spacy")
@needs("spacy")
def spacy(lang: str = "en") -> Tokenizer:
    """The rules of `spacy.blank(lang)`, for some 70 languages. Tokens of white space are left out.

    lang: spaCy's language code ("en", "de", "fr", …); in a pipeline, pipeline.lang by default. Raises RunnerError if
    spaCy, the language, or a library that spaCy needs for the language is missing.
    """
    try:
        import spacy as library
    except ImportError as error:
        raise RunnerError(
            f"the tokenizer 'spacy' needs spaCy, which cannot be imported ({error})",
            hint='Run `pip install "declarative-runner[spacy]"`, or choose pipeline.tokenizer.type=syntok.',
        ) from error
    try:
        nlp: Any = library.blank(lang)
    except Exception as error:  # each language's library raises its own kinds of errors
        raise _spacy_refuses(lang, error) from error

    lock = Lock()  # the libraries behind some languages refuse a second thread

    def tokenize(text: str) -> tuple[list[str], list[bool]]:
        with lock:
            doc = nlp.make_doc(text)
        return cover(text, [(token.idx, token.text) for token in doc])

    return tokenize


def _spacy_refuses(lang: str, error: Exception) -> RunnerError:
    """The error for a language that spaCy does not know, or whose library is missing or broken."""
    import spacy.lang

    known = [module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg]
    if lang not in known:
        near = lang.lower().replace("-", "_").split("_")[0]
        return RunnerError(
            f"spaCy has no tokenizer for the language {lang!r:.40}",
            hint=f"Set pipeline.lang={near if near in known else 'xx'}"
            f"{'' if near in known else ' for rules of no language, or a code such as en, de, fr, es, zh'}.",
        )
    reason = " ".join(str(error).split())
    return RunnerError(
        f"spaCy's tokenizer for {lang!r} needs a library that is missing or does not start ({reason:.100})",
        hint=_BEHIND_SPACY.get(lang, "Install the library that the message names."),
    )


def cover(text: str, pieces: Iterable[tuple[int, str]]) -> tuple[list[str], list[bool]]:
    """Words and spaces from a library's (offset, token) pairs, mended so that no character is lost.

    Tokens that hold white space, or are not in the text at their offset, are ignored. The text between other tokens,
    split at white space, becomes words too.
    """
    words: list[str] = []
    spaces: list[bool] = []
    end = 0
    for start, value in pieces:
        if start < end or not text.startswith(value, start):
            continue
        parts = value.split()
        if parts != [value]:
            continue
        if start > end:
            gap = text[end:start]
            if gap.isspace():
                if spaces:
                    spaces[-1] = True
            else:
                _append_parts(gap, words, spaces)
        words.append(value)
        spaces.append(False)
        end = start + len(value)
    if end < len(text):
        _append_parts(text[end:], words, spaces)
    return words, spaces


def _append_parts(gap: str, words: list[str], spaces: list[bool]) -> None:
    """Add the gap between two tokens, split at white space."""
    parts = gap.split()
    if spaces and gap[0].isspace():
        spaces[-1] = True
    words.extend(parts)
    spaces.extend([True] * len(parts))
    if parts:
        spaces[-1] = gap[-1].isspace()
