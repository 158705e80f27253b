"""Write token files: one word a line, its tag between them where there are tags, its entity in IOB2 last.

    Madrid  NNP  B-LOC
    sleeps  VBZ  O

Columns are parted by tabs; a blank line ends a sentence. `Doc.tags` is the second column, and the further columns that
readers/iob.py found (`Doc.meta["columns"]`) follow it; `_` stands where one has no value, in every doc if any has one.
`-` stands for an entity that is not known; it is `-` everywhere in a doc whose entities were never annotated.
-DOCSTART- stands where the file that was read had it.

Trees, universal tags, categories, the spaces between words and everything else are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.corpus.biluo import UNKNOWN
from runner.corpus.doc import Doc
from runner.corpus.readers.iob import COLUMNS, DOCSTART, OPENS_DOCUMENT
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.writer import Writer, count_lost, count_unaligned, plain_words
from runner.errors import RunnerError
from runner.registry import writers

_HELD = (COLUMNS, OPENS_DOCUMENT)


@writers("iob")
def iob() -> Writer:
    """A writer of token files. All docs are held in memory, since the first line must know how many columns there are."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[str]:
        held = [plain_words(doc, "IOB", left_out) for doc in docs]
        n_more = max((len(doc.meta.get(COLUMNS, ())) for doc in held), default=0)
        has_tags = n_more > 0 or any(doc.tags is not None for doc in held)
        if held and held[0].words[0].startswith("\ufeff"):
            yield "\ufeff"  # readers drop the first one
        is_first = True
        for doc in held:
            count_unaligned(doc, left_out)
            count_lost(doc, "IOB", left_out, "pos", "heads", "labels", "categories")
            _count_meta(doc, left_out)
            n_joined = doc.spaces[:-1].count(False)
            if n_joined:
                left_out["words with no space after them (IOB puts one after every word)"] += n_joined
            if doc.meta.get(OPENS_DOCUMENT):
                yield ("" if is_first else "\n") + "\t".join([DOCSTART, *["-X-"] * (has_tags + n_more), "O"]) + "\n"
                is_first = False
            columns = [doc.words]
            if has_tags:
                columns.append(_filled(doc.tags, len(doc)))
            more = doc.meta.get(COLUMNS, [])
            columns += [_filled(values, len(doc)) for values in more]
            columns += [["_"] * len(doc)] * (n_more - len(more))
            columns.append(iob2_tags(doc))
            rows = ["\t".join(row) for row in zip(*columns, strict=True)]
            if DOCSTART in doc.words:
                raise RunnerError(
                    f"the word {DOCSTART!r} cannot be written as IOB",
                    place=doc.source,
                    hint="It opens a document there; --to jsonl can hold it.",
                )
            for sentence in doc.sents:
                yield ("" if is_first else "\n") + "\n".join(rows[sentence.start : sentence.end]) + "\n"
                is_first = False

    return write


def iob2_tags(doc: Doc) -> list[str]:
    """One tag a word. An entity that a sentence's end cuts is written as two, for it cannot cross a blank line.

    >>> iob2_tags(Doc(["New", "York", "sleeps"], ents=[(0, 2, "LOC")], unknown_ents=[(2, 3)]))
    ['B-LOC', 'I-LOC', '-']
    """
    tags = ["O" if doc.has_ents else UNKNOWN] * len(doc)
    for start, end in doc.unknown_ents:
        tags[start:end] = [UNKNOWN] * (end - start)
    starts = doc.sent_starts
    for ent in doc.ents:
        for i in range(ent.start, ent.end):
            is_first = i == ent.start or (starts is not None and starts[i])
            tags[i] = ("B-" if is_first else "I-") + ent.label
    return tags


def _filled(values: list[str | None] | None, n: int) -> list[str]:
    return ["_" if value is None else value for value in values] if values is not None else ["_"] * n


def _count_meta(doc: Doc, left_out: LeftOut) -> None:
    for key, value in doc.meta.items():
        if key in _HELD or key.startswith("runner:"):
            continue
        if isinstance(value, list) and key != "comments":
            n = sum(one is not None and one != "_" for one in value)
        else:
            n = sum(map(bool, value)) if isinstance(value, list) else 1
        if n:
            left_out[f"{key} (IOB has no place for them)"] += n
