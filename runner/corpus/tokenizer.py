"""Tokenizers: text → words and whether white space follows each, behind the registry.

The rule that every entry keeps: all characters that are not white space (`str.isspace`) come back, in order, and no
word holds white space. So the words are found again in the text, which the doc keeps as it is (`Doc.tokenized`).

Chosen by measurement: F-score of token character spans on English EWT, raw text of the dev set, sentence by sentence
and as 750 paragraphs (real text does not come cut into sentences), against UD's syntactic words where their forms spell
the surface (do|n't, else the surface token), and words a CPU second of the sentences. The repairs were made on the dev
set; the test set, sentence by sentence, is the check.

    tokenizer                        sentences   paragraphs   words/s    test    licence, weight
    split at white space                 .7907            -       10 M            -
    nltk 3.10 NLTKWordTokenizer          .9647        .9130      99 k    .9645   Apache, 14 MB, 2 s import, 5 packages
    sacremoses 0.2, en                   .9427        .9397     217 k            MIT, 3.3 MB, 4 packages
    spaCy 3.8 blank("en")                .9725        .9725     168 k            MIT, a large dependency: an extra here
    syntok 1.4.4                         .9706        .9706     370 k    .9701   MIT, 0.2 MB, needs only regex
    syntok 1.4.4 with two repairs        .9799        .9799     307 k    .9768   the default, "syntok"
    SoMaJo 2.5, en_PTB                   .9896        .9896      17 k            GPL-3, slower than our models predict

nltk needs sentences to find final full stops, and its sentence splitter needs a data download. The repairs put
together what syntok cuts and UD, like newswire, does not: runs of one punctuation mark (`!!!`) and camel case (iPhone).

Not here: sentence splitting, lower-casing, and any treatment of languages that do not put spaces between words
(use `spacy` with its `lang`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from runner.errors import RunnerError
from runner.registry import tokenizers

Tokenizer = Callable[[str], tuple[list[str], list[bool]]]

REPEATED_MARKS = frozenset(".!?*-+_=$~")  # a run of one of these is one word
MAX_MENDED = 1000  # characters; a longer word grows no more, lest a line of them take the square of its length


@tokenizers("syntok")
def syntok() -> Tokenizer:
    """syntok's rules for Indo-European text, with two repairs (see above); the default.

    >>> syntok()("Don't sell the iPhone!!")
    (['Do', "n't", 'sell', 'the', 'iPhone', '!!'], [False, True, True, True, False, False])
    """
    from syntok.tokenizer import Tokenizer as Syntok

    splitter = Syntok(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)

    def tokenize(text: str) -> tuple[list[str], list[bool]]:
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
def spacy(lang: str = "en") -> Tokenizer:
    """The rules of `spacy.blank(lang)`, for some 70 languages. Its tokens of white space are left out.

    lang: spaCy's code of the language ("en", "de", "fr", …). Raises RunnerError where spaCy or the language is missing.
    """
    try:
        import spacy as library
    except ImportError as error:
        raise RunnerError(
            f"the tokenizer 'spacy' needs spaCy, which cannot be imported ({error})",
            hint="Run `pip install spacy`, or choose pipeline.tokenizer.type=syntok.",
        ) from error
    try:
        nlp: Any = library.blank(lang)
    except ImportError as error:
        raise RunnerError(
            f"spaCy has no tokenizer for the language {lang!r}", hint="Give a code such as en, de, fr, es, zh."
        ) from error

    lock = Lock()  # the libraries behind some languages refuse a second thread

    def tokenize(text: str) -> tuple[list[str], list[bool]]:
        with lock:
            doc = nlp.make_doc(text)
        return cover(text, [(token.idx, token.text) for token in doc])

    return tokenize


def cover(text: str, pieces: Iterable[tuple[int, str]]) -> tuple[list[str], list[bool]]:
    """Words and spaces from a library's (offset, token) pairs, with whatever it lost or ran together mended.

    Characters between the tokens that are not white space become words of their own; a token that holds white space is
    split there; a token that is not in the text at its offset is ignored, and its characters are then found in the gap.
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
    """Add what the gap between two tokens holds, split at white space."""
    parts = gap.split()
    if spaces and gap[0].isspace():
        spaces[-1] = True
    words.extend(parts)
    spaces.extend([True] * len(parts))
    if parts:
        spaces[-1] = gap[-1].isspace()
