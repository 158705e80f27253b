"""Read CoNLL-U, the format of Universal Dependencies: ten tab-separated columns, a blank line after each sentence.

    # text = I don't sleep.
    1    I      I      PRON  PRP  Case=Nom|Number=Sing  4  nsubj   _  _
    2-3  don't  _      _     _    _                     _  _       _  _
    2    do     do     AUX   VBP  _                     4  aux     _  _
    3    n't    not    PART  RB   _                     4  advmod  _  _
    4    sleep  sleep  VERB  VB   VerbForm=Inf          0  root    _  SpaceAfter=No
    5    .      .      PUNCT .    _                     4  punct   _  _

The tokens of a Doc are the syntactic words (do, n't), which carry the annotation. XPOS becomes `Doc.tags`, UPOS `pos`,
DEPREL `deps`, HEAD `heads` (a root is its own head); `_` becomes None. The words of a multi-word token have no spaces
between them if they spell the token, and spaces if not (French du → de le). CoNLL-U has no entities and no
categories, so the Doc has none.

`Doc.meta` holds everything else, as plain lists; positions count from the start of the doc:

    lemmas, feats         one string a word, None for `_`
    enhanced, misc        columns 9 and 10, unchanged; the key is missing if every value is `_`
    comments              one list of lines a sentence
    multiword             {"start": 1, "end": 3, "columns": [the ten]} for each multi-word token, if any
    empty_nodes           {"before": 4, "columns": [the ten]}: an empty node stands before this word, if any

A line that breaks the format is an error; the reader never guesses. Cycles of heads are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import eq
from pathlib import Path
from typing import Any

from runner.corpus.doc import Doc
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.merge import merge_multiword
from runner.corpus.readers.reader import LeftOut, Reader
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.registry import readers

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_FORM, _LEMMA, _FEATS, _HEAD, _MISC = 1, 2, 5, 6, 9
_KEPT = ("FORM", "UPOS", "XPOS", "FEATS", "DEPREL")  # columns whose equal strings share an object
_MAY_HOLD_SPACES = ("FORM", "LEMMA", "MISC")

_NUMBERS = list(map(str, range(200)))  # IDs; grows with the longest sentence
_range = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})", re.ASCII)
_empty_node = re.compile(r"(0|[1-9][0-9]{0,8})\.([1-9][0-9]{0,8})", re.ASCII)
NEWDOC = re.compile(r"#\s*newdoc(\s|$)")
FEATURES = re.compile(r"[^\s=|]+=[^\s|]+(\|[^\s=|]+=[^\s|]+)*")


class ConlluSentence:
    """The lines of one sentence, checked against the format."""

    __slots__ = ("columns", "comments", "empty_nodes", "file", "line", "lines", "multiword", "opens_document", "rows")

    def __init__(self, file: Path, line: int, comments: list[str]) -> None:
        self.file = file
        self.line = line  # line of first token
        self.comments = comments
        self.opens_document = any(NEWDOC.match(comment) for comment in comments)
        self.rows: list[list[str]] = []  # columns by word
        self.lines: list[int] = []  # line of each word
        self.multiword: list[tuple[int, int, int, list[str]]] = []  # line, start, end, columns
        self.empty_nodes: list[tuple[int, list[str]]] = []  # word count before node, columns
        self.columns: list[tuple[str, ...]] = []  # the words' ten columns

    def fill(self, lines: Sequence[str]) -> None:
        """Check and keep all lines. Raises RunnerError at the first line that breaks the format.

        A sentence of plain words, the common case, is checked as a whole. Any other sentence is checked line by line.
        """
        n = len(lines)
        try:
            columns = list(zip(*[line.split("\t") for line in lines], strict=True))
        except ValueError:  # lines of different lengths
            columns = []
        while len(_NUMBERS) <= n:
            _NUMBERS.append(str(len(_NUMBERS)))
        is_plain = (
            len(columns) == len(COLUMNS)
            and list(columns[0]) == _NUMBERS[1 : n + 1]
            and not any("" in column for column in columns)
            and " " not in "".join(lines)
        )
        if is_plain:
            self.columns = columns
            self.lines = list(range(self.line, self.line + n))
            return
        for number, line in enumerate(lines, self.line):
            cells = line.split("\t")
            self.add(number, cells)
            if " " in line:
                self.check_spaces(number, cells)
        self.close()

    def add(self, number: int, columns: list[str]) -> None:
        """Add a line, split at tabs. Raises RunnerError if the line cannot follow earlier lines."""
        if len(columns) != len(COLUMNS):
            n = len(columns)
            raise self._fault(
                number,
                f"{n} column{'s' if n != 1 else ''} (expected 10)",
                "CoNLL-U has ten columns parted by tabs, '_' where there is nothing to say.",
            )
        key, n_words = columns[0], len(self.rows)
        if key == str(n_words + 1):
            self.rows.append(columns)
            self.lines.append(number)
        elif match := _range.fullmatch(key):
            start, end = int(match[1]) - 1, int(match[2])
            if start != n_words or end <= start + 1 or (self.multiword and self.multiword[-1][2] > start):
                raise self._fault(
                    number,
                    f"the multi-word token {key} cannot stand before word {n_words + 1}",
                    "It stands before its first word, holds two words or more, and none of another one.",
                )
            self.multiword.append((number, start, end, columns))
        elif match := _empty_node.fullmatch(key):
            last = self.empty_nodes[-1] if self.empty_nodes else None
            due = int(last[1][0].partition(".")[2]) + 1 if last and last[0] == n_words else 1
            if (int(match[1]), int(match[2])) != (n_words, due):
                raise self._fault(
                    number,
                    f"the empty node {key} stands where {n_words}.{due} is due",
                    "An empty node after word 8 is 8.1, the next one 8.2.",
                )
            self.empty_nodes.append((n_words, columns))
        else:
            raise self._fault(
                number,
                f"id {key!r} where {n_words + 1} is due",
                "Words count from 1 in every sentence; a sentence ends with a blank line.",
            )
        if "" in columns:
            name = COLUMNS[columns.index("")]
            raise self._fault(number, f"column {name} is empty", "Write '_' where there is nothing to say.")

    def check_spaces(self, number: int, columns: list[str]) -> None:
        """Raise RunnerError at a space in a wrong column, and at a column of spaces only."""
        for name, value in zip(COLUMNS, columns, strict=False):
            if " " in value and (name not in _MAY_HOLD_SPACES or not value.strip(" ")):
                raise self._fault(number, f"column {name} is {value!r}", "Only FORM, LEMMA and MISC may hold spaces.")

    def close(self) -> None:
        """Check the whole sentence; set `columns`."""
        if not self.rows:
            raise self._fault(self.line, "the sentence has no word", "Give it one, or remove it.")
        for number, _, end, columns in self.multiword:
            if end > len(self.rows):
                raise self._fault(
                    number,
                    f"the multi-word token {columns[0]} ends after the sentence's {len(self.rows)} words",
                    "Its words follow it, one a line.",
                )
        self.columns = list(zip(*self.rows, strict=True))

    def heads(self, n_before: int, numbers: dict[str, int]) -> list[int | None]:
        """The heads as positions in a doc with `n_before` earlier words. numbers: "0", "1", … → int; grows."""
        n = len(self)
        while len(numbers) <= n:
            numbers[str(len(numbers))] = len(numbers)
        cells = self.columns[_HEAD]
        known = [numbers.get(cell, -1) for cell in cells]
        if -1 not in known and max(known) <= n and not any(map(eq, known, range(1, n + 1))):  # all heads are valid
            return [n_before + (head - 1 if head else i) for i, head in enumerate(known)]
        heads: list[int | None] = []
        for i, cell in enumerate(cells):
            head = None if cell == "_" else numbers.get(cell, -1)
            if head is not None and not 0 <= head <= n:
                raise self._fault(
                    self.lines[i],
                    f"head {cell!r} is no word of the sentence, which has {n}",
                    "Give the ID of a word, 0 for a root, or _.",
                )
            if head == i + 1:
                raise self._fault(self.lines[i], f"word {cell} is its own head", "A root's head is 0.")
            heads.append(None if head is None else n_before + (head - 1 if head else i))
        return heads

    def spaces(self) -> list[bool]:
        """Whether a space follows each word."""
        misc = self.columns[_MISC]
        n = len(misc)
        spaces = (
            [True] * n
            if misc.count("_") == n
            else [cell == "_" or "SpaceAfter=No" not in cell.split("|") for cell in misc]
        )
        for _, start, end, columns in self.multiword:
            is_apart = "".join(self.columns[_FORM][start:end]) != columns[_FORM]
            spaces[start:end] = [is_apart] * (end - start - 1) + ["SpaceAfter=No" not in columns[_MISC].split("|")]
        return spaces

    def check_features(self, known: set[str]) -> None:
        """Check each FEATS value that is not in `known`; add valid values to `known`."""
        values = self.columns[_FEATS]
        if known.issuperset(values):
            return
        for i, value in enumerate(values):
            if value not in known:
                if value != "_" and not FEATURES.fullmatch(value):
                    raise self._fault(
                        self.lines[i],
                        f"FEATS {value!r} is no list of features",
                        "Write Name=Value|Name=Value, or _ for none.",
                    )
                known.add(value)

    def __len__(self) -> int:
        return len(self.lines)

    def _fault(self, number: int, fact: str, hint: str) -> RunnerError:
        return RunnerError(fact, place=f"{self.file}:{number}", hint=hint)


def is_id(cell: str) -> bool:
    """Whether the cell is a valid ID: 1, 2-3 or 5.1."""
    return (cell.isdecimal() and cell.isascii()) or bool(_range.fullmatch(cell) or _empty_node.fullmatch(cell))


@readers("conllu")
def conllu(n_sents: int = 1, *, merge_subtokens: bool = False) -> Reader:
    """A reader of CoNLL-U.

    n_sents: sentences a doc, at most; `# newdoc` ends a doc too. merge_subtokens: each multi-word token becomes one word.
    """
    if n_sents < 1:
        raise RunnerError(
            f"n_sents is {n_sents}", place="corpus.reader.n_sents", hint="Give 1 or more sentences a doc."
        )

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """Yield the docs of one file. CoNLL-U has words, so the tokenizer is not used."""
        maker = DocMaker(left_out if left_out is not None else LeftOut()) if merge_subtokens else DocMaker()
        group: list[ConlluSentence] = []
        for sentence in read_sentences(path):
            if group and (len(group) == n_sents or sentence.opens_document):
                yield maker(group)
                group = []
            group.append(sentence)
        if not group:
            raise no_examples(path)
        yield maker(group)

    return read


def read_sentences(path: Path) -> Iterator[ConlluSentence]:
    """Yield the file's sentences. Raises RunnerError at file:line."""
    return parse_sentences(read_lines(path), path)


def parse_sentences(numbered: Iterable[tuple[int, str]], path: Path) -> Iterator[ConlluSentence]:
    """Yield the sentences of (number, line) of the file. Raises RunnerError at file:line.

    Comments belong to the next sentence, even after blank lines.
    """
    lines: list[str] = []
    first = 0  # line number of lines[0]
    comments: list[str] = []
    last_comment = 0

    def made() -> ConlluSentence:
        sentence = ConlluSentence(path, first, comments)
        sentence.fill(lines)
        return sentence

    for number, line in numbered:
        line = line.removesuffix("\r")
        if not line or not line.strip(" \t"):
            if lines:
                yield made()
                lines, comments = [], []
        elif line[0] == "#":
            if lines:
                made()  # raises earlier faults
                raise RunnerError(
                    "a comment inside a sentence",
                    place=f"{path}:{number}",
                    hint="Comments stand before the first word; a sentence ends with a blank line.",
                )
            comments.append(line)
            last_comment = number
        else:
            first = first if lines else number
            lines.append(line)
    if lines:
        yield made()
    elif comments:
        raise RunnerError(
            "a comment with no sentence after it",
            place=f"{path}:{last_comment}",
            hint="Move it before a sentence, or remove it.",
        )


class DocMaker:
    """Sentences → Doc. Equal strings in _KEPT columns share one object; equal FEATS are checked once.

    left_out: merge multi-word tokens and count the losses here; None merges no tokens.
    """

    def __init__(self, left_out: LeftOut | None = None) -> None:
        self._left_out = left_out
        tables: list[dict[str, str]] = [{} for _ in COLUMNS]  # one table a column: small tables are faster
        self._kept = [table.setdefault if name in _KEPT else None for name, table in zip(COLUMNS, tables, strict=True)]
        self._numbers: dict[str, int] = {}
        self._features: set[str] = set()

    def __call__(self, sentences: Sequence[ConlluSentence]) -> Doc:
        columns: list[list[str]] = [[] for _ in COLUMNS]
        heads: list[int | None] = []
        spaces: list[bool] = []
        sent_starts: list[bool] = []
        multiword: list[dict[str, Any]] = []
        empty_nodes: list[dict[str, Any]] = []
        for sentence in sentences:
            n, n_before = len(sentence), len(spaces)
            sentence.check_features(self._features)
            heads += sentence.heads(n_before, self._numbers)
            spaces += sentence.spaces()
            sent_starts += [True] + [False] * (n - 1)
            multiword += (
                {"start": n_before + start, "end": n_before + end, "columns": row}
                for _, start, end, row in sentence.multiword
            )
            empty_nodes += ({"before": n_before + at, "columns": row} for at, row in sentence.empty_nodes)
            for column, cells, keep in zip(columns, sentence.columns, self._kept, strict=True):
                column += map(keep, cells, cells) if keep is not None and cells.count("_") < n else cells
        _, forms, lemmas, upos, xpos, feats, _, deprels, enhanced, misc = columns
        meta: dict[str, Any] = {
            "comments": [sentence.comments for sentence in sentences],
            "lemmas": [None if lemma == "_" != form else lemma for form, lemma in zip(forms, lemmas, strict=True)]
            if "_" in lemmas
            else lemmas,
            "feats": _or_none(feats),
        }
        for key, values in (("enhanced", enhanced), ("misc", misc)):
            if values.count("_") < len(values):
                meta[key] = values
        if multiword:
            meta["multiword"] = multiword
        if empty_nodes:
            meta["empty_nodes"] = empty_nodes
        doc = Doc(
            forms,
            spaces,
            tags=_annotated(xpos),
            pos=_annotated(upos),
            deps=_annotated(deprels),
            heads=heads if any(head is not None for head in heads) else None,
            sent_starts=sent_starts,
            meta=meta,
            source=f"{sentences[0].file}:{sentences[0].line}",
        )
        return doc if self._left_out is None else merge_multiword(doc, self._left_out)


def _or_none(values: list[str]) -> list[str | None]:
    return [None if value == "_" else value for value in values]


def _annotated(values: list[str]) -> list[str | None] | None:
    """The values, with None for `_`; None alone if every value is `_`."""
    n_missing = values.count("_")
    if n_missing == len(values):
        return None
    return _or_none(values) if n_missing else list(values)
