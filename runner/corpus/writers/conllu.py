"""Write CoNLL-U; a file read by readers/conllu.py comes back line by line.

Words are numbered in each sentence (`Doc.sents`); tags become XPOS, pos UPOS, heads HEAD (0 for a root), deps DEPREL;
lemmas, features, enhanced dependencies, MISC, comments, multi-word tokens and empty nodes come from `Doc.meta`, where
the reader put them. `SpaceAfter=No` follows `Doc.spaces`. A doc without comments gets `# text`, and `# newdoc` if
the doc has several sentences.

Entities, categories and other meta are left out, and counted, as are heads in another sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.readers.conllu import COLUMNS, FEATURES
from runner.corpus.readers.iob import OPENS_DOCUMENT
from runner.corpus.readers.reader import LeftOut
from runner.corpus.views import Span
from runner.corpus.writers.writer import Writer, count_lost, plain_words
from runner.errors import RunnerError
from runner.registry import writers

SEPARATOR = "\n\n"
_white_space = re.compile(r"\s")
_line_ends = re.compile(r"[\t\r\n]")


@writers("conllu")
def conllu() -> Writer:
    """A writer of CoNLL-U. It takes no options."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[str]:
        make = SentenceMaker(left_out)
        for doc in docs:
            yield from make(plain_words(doc, "CoNLL-U", left_out))

    return write


class SentenceMaker:
    """Doc → sentences as text. Each feature string is checked only once."""

    def __init__(self, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._features: set[Any] = {None, "_"}  # already checked
        self._numbers = list(map(str, range(100)))

    def __call__(self, doc: Doc) -> Iterator[str]:
        """The doc's sentences, each with the blank line after it. Raises RunnerError at the doc's source."""
        left_out, n = self._left_out, len(doc)
        if doc.has_ents or doc.cats:
            count_lost(doc, "CoNLL-U", left_out, "entities", "categories")
        sentences = doc.sents
        meta = self._held(doc, sentences)
        nothing = ["_"] * n
        tags, pos, deps = (_column(values, nothing) for values in (doc.tags, doc.pos, doc.deps))
        for name, values in (("XPOS", tags), ("UPOS", pos), ("DEPREL", deps)):
            _check(doc, values, name)
        columns = [
            doc.words,
            _column(meta.get("lemmas"), nothing),
            pos,
            tags,
            _column(meta.get("feats"), nothing),
            None,  # HEAD, which counts in the sentence
            deps,
            _column(meta.get("enhanced"), nothing),
            _misc(doc, meta, nothing),
        ]
        comments = meta.get("comments") or _comments(doc, sentences)
        before = _lines_before(meta, sentences) if "multiword" in meta or "empty_nodes" in meta else {}
        while len(self._numbers) <= n:
            self._numbers.append(str(len(self._numbers)))
        for number, sentence in enumerate(sentences):
            start, end = sentence.start, sentence.end
            heads = self._heads(doc, start, end)
            cells = [heads if column is None else column[start:end] for column in columns]
            lines = list(map("\t".join, zip(self._numbers[1 : end - start + 1], *cells, strict=True)))
            for i in range(end - start, -1, -1) if before else ():
                lines[i:i] = before.get((number, start + i), ())
            yield "\n".join([*comments[number], *lines]) + SEPARATOR

    def _heads(self, doc: Doc, start: int, end: int) -> list[str]:
        """HEAD of each word: the head's number, 0 for a root, `_` if the head is unknown or outside the sentence."""
        if doc.heads is None:
            return ["_"] * (end - start)
        numbers = self._numbers
        cells: list[str] = []
        for i, head in enumerate(doc.heads[start:end], start):
            if head is None:
                cells.append("_")
            elif head == i:
                cells.append("0")
            elif start <= head < end:
                cells.append(numbers[head - start + 1])
            else:
                cells.append("_")
                self._left_out["heads in another sentence (CoNLL-U has no place for them)"] += 1
        return cells

    def _are_features(self, values: list[str]) -> bool:
        if self._features.issuperset(values):
            return True
        if all(value in self._features or FEATURES.fullmatch(value) for value in values):
            self._features.update(values)
            return True
        return False

    def _held(self, doc: Doc, sentences: Sequence[Span]) -> dict[str, Any]:
        """The part of the doc's meta that CoNLL-U can hold; the rest is counted."""
        held: dict[str, Any] = {}
        for key, value in doc.meta.items():
            if key in (OPENS_DOCUMENT, UNALIGNED):
                continue
            is_fit = (
                (key in ("lemmas", "misc") and _is_column(value, len(doc), _is_free))
                or (key == "enhanced" and _is_column(value, len(doc), _is_tight))
                or (key == "feats" and _is_column(value, len(doc), self._are_features))
                or (key == "comments" and _are_comments(value, sentences))
                or (key == "multiword" and _are_multiword(value, sentences))
                or (key == "empty_nodes" and _are_empty_nodes(value, len(doc)))
            )
            if is_fit:
                held[key] = value
            else:
                self._left_out[f"{key} (CoNLL-U has no place for it)"] += 1
        return held


def _check(doc: Doc, values: list[str], column: str) -> None:
    if not _is_tight(values):
        wrong = next(value for value in values if not _is_tight([value]))
        raise RunnerError(
            f"the value {wrong[:40]!r} cannot be written as {column} of CoNLL-U",
            place=doc.source,
            hint="A value there holds no white space; --to jsonl can hold it.",
        )


def _is_tight(values: list[str]) -> bool:
    """Whether none of the values holds white space."""
    return not _white_space.search("".join(values))


def _is_free(values: list[str]) -> bool:
    """Whether the values may stand in columns that hold spaces: among other characters."""
    return not _line_ends.search("".join(values)) and not any(map(str.isspace, values))


def _is_column(value: Any, n_words: int, are_fit: Callable[[list[str]], bool]) -> bool:
    """Whether the value is a list of one string or None a word, all fit for the column."""
    if not isinstance(value, list) or len(value) != n_words:
        return False
    kinds = set(map(type, value))
    if not kinds <= {str, type(None)}:
        return False
    return are_fit([one for one in value if one is not None] if len(kinds) > 1 or None in value else value)


def _are_comments(value: Any, sentences: Sequence[Span]) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(sentences)
        and all(
            isinstance(lines, list)
            and all(isinstance(line, str) and line.startswith("#") and "\n" not in line for line in lines)
            for lines in value
        )
    )


def _are_multiword(value: Any, sentences: Sequence[Span]) -> bool:
    """Whether the value lists tokens of two or more words within a sentence, in order, not overlapping."""
    if not isinstance(value, list):
        return False
    position = number = 0
    for token in value:
        if not (isinstance(token, dict) and _are_ten(token.get("columns"))):
            return False
        start, end = token.get("start"), token.get("end")
        if type(start) is not int or type(end) is not int or not position <= start < end - 1:
            return False
        while number < len(sentences) and sentences[number].end <= start:
            number += 1
        if number == len(sentences) or sentences[number].end < end:
            return False
        position = end
    return True


def _are_empty_nodes(value: Any, n_words: int) -> bool:
    if not isinstance(value, list):
        return False
    position = 0
    for node in value:
        if not (isinstance(node, dict) and _are_ten(node.get("columns"))):
            return False
        before = node.get("before")
        if type(before) is not int or not position <= before <= n_words:
            return False
        position = before
    return True


def _are_ten(columns: Any) -> bool:
    return (
        isinstance(columns, list)
        and len(columns) == len(COLUMNS)
        and all(isinstance(cell, str) for cell in columns)
        and all(
            cell and (_is_free([cell]) if name in ("FORM", "LEMMA", "MISC") else _is_tight([cell]))
            for name, cell in zip(COLUMNS, columns, strict=True)
        )
    )


def _column(values: list[Any] | None, nothing: list[str]) -> list[str]:
    if values is None:
        return nothing
    return [value or "_" for value in values] if None in values or "" in values else values


def _misc(doc: Doc, meta: dict[str, Any], nothing: list[str]) -> list[str]:
    """MISC as it was read, with `SpaceAfter=No` where no space follows and nowhere else."""
    misc = meta.get("misc") or nothing
    misc = ["_" if cell is None else cell for cell in misc]
    inside = {i for token in meta.get("multiword", ()) for i in range(token["start"], token["end"])}
    for i, has_space in enumerate(doc.spaces):
        cell = misc[i]
        if has_space is ("SpaceAfter=No" not in cell) or i in inside:  # the multi-word token's line holds SpaceAfter
            continue
        items = [] if cell == "_" else cell.split("|")
        if has_space:
            items = [item for item in items if item != "SpaceAfter=No"]
        elif "SpaceAfter=No" not in items:
            items.append("SpaceAfter=No")
        misc[i] = "|".join(items) or "_"
    return misc


def _comments(doc: Doc, sentences: Sequence[Span]) -> list[list[str]]:
    """The comment lines above each sentence, for a doc without comments."""
    comments = [[f"# text = {' '.join(sentence.text.split())}"] for sentence in sentences]
    if len(comments) > 1 or doc.meta.get(OPENS_DOCUMENT):
        comments[0].insert(0, "# newdoc")
    return comments


def _lines_before(meta: dict[str, Any], sentences: Sequence[Span]) -> dict[tuple[int, int], list[str]]:
    """(sentence, position in the doc) → the lines of empty nodes and multi-word tokens that stand before the word there.

    An empty node between two sentences belongs to the second sentence if the node's number starts with 0.
    """
    lines: dict[tuple[int, int], list[str]] = {}
    number = 0
    for node in meta.get("empty_nodes", ()):
        before, columns = node["before"], node["columns"]
        is_first = columns[0].startswith("0.") and before < sentences[-1].end
        while sentences[number].end < before or (is_first and sentences[number].end == before):
            number += 1
        extra = lines.setdefault((number, before), [])
        extra.append("\t".join([f"{before - sentences[number].start}.{len(extra) + 1}", *columns[1:]]))
    number = 0
    for token in meta.get("multiword", ()):
        start, end = token["start"], token["end"]
        while sentences[number].end <= start:
            number += 1
        first = sentences[number].start
        extra = lines.setdefault((number, start), [])
        extra.append("\t".join([f"{start - first + 1}-{end - first}", *token["columns"][1:]]))
    return lines
