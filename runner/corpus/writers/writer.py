"""The contract of writers: docs in, pieces of text (or bytes) out, and a tally of the data that the format cannot hold.

A factory registered with `@registry.writers("name")` takes no arguments and returns such a callable. A writer counts,
by reason, the data left out, and raises RunnerError at the doc's source if a word cannot be written at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunnerError


class Writer(Protocol):
    """The text of a file that holds the docs."""

    def __call__(self, docs: Iterable[Doc], left_out: LeftOut, /) -> Iterator[str]: ...


class BinaryWriter(Protocol):
    """The bytes of a file that holds the docs."""

    def __call__(self, docs: Iterable[Doc], left_out: LeftOut, /) -> Iterator[bytes]: ...


def plain_words(doc: Doc, format_name: str, left_out: LeftOut) -> Doc:
    """The doc without words of mere white space, which formats of one word a line cannot hold.

    Raises RunnerError at a word that holds a tab or a line's end among other characters, or has a blank at its edges.
    """
    count_white_space(doc, format_name, left_out)
    joined = "".join(doc.words)
    if not any(character in joined for character in " \t\n\r"):
        return doc
    blank = []
    for i, word in enumerate(doc.words):
        if not word.strip(" \t\r\n"):
            blank.append(i)
        elif word[0] == " " or word[-1] == " " or "\t" in word or "\n" in word or "\r" in word:
            raise RunnerError(
                f"the word {word[:40]!r} cannot be written as {format_name}",
                place=doc.source,
                hint="A word there holds no tab or line's end, and no blank at its edges; --to jsonl can hold it.",
            )
    if not blank:
        return doc
    left_out[f"words of mere white space ({format_name} has no place for them)"] += len(blank)
    return without(doc, blank, left_out)


def count_white_space(doc: Doc, format_name: str, left_out: LeftOut) -> None:
    """Tally the white space between words that is not exactly one blank."""
    if doc.raw is None or doc.raw == doc.spelt or not len(doc):
        return
    n = sum(token.whitespace_ not in ("", " ") for token in doc) + (doc.offsets[0] > 0)
    left_out[f"white space that is not one blank ({format_name} has no place for it)"] += n


def without(doc: Doc, positions: Sequence[int], left_out: LeftOut) -> Doc:
    """A copy of the doc without the words at these positions; each becomes a space after the word before.

    Heads at removed words become unknown; meta lists of one value a word are cut too. Raises RunnerError
    if no word is left.
    """
    gone = set(positions)
    n = len(doc)
    kept = [i for i in range(n) if i not in gone]
    if not kept:
        raise RunnerError("the doc has no word but white space", place=doc.source, hint="Remove it.")
    new_of = {i: new for new, i in enumerate(kept)}
    first_from = [0] * (n + 1)  # old position → how many kept words come before it
    for i in range(n):
        first_from[i + 1] = first_from[i] + (i not in gone)
    spaces = [doc.spaces[i] or (i + 1 in gone) for i in kept]
    heads = [new_of.get(doc.heads[i]) if doc.heads[i] is not None else None for i in kept] if doc.heads else None
    ents = [(first_from[ent.start], first_from[ent.end], ent.label) for ent in doc.ents]
    lost = sum(start == end for start, end, _ in ents)
    if lost:
        left_out["entities of mere white space"] += lost
    unknown = [(first_from[start], first_from[end]) for start, end in doc.unknown_ents]
    starts = None
    if doc.sent_starts is not None:
        starts = [doc.sent_starts[i] for i in kept]
        for i in gone:  # a sentence that began with white space begins with the next word
            if doc.sent_starts[i] and first_from[i] < len(kept):
                starts[first_from[i]] = True
    meta = {
        key: [value[i] for i in kept] if isinstance(value, list) and len(value) == n and key != "comments" else value
        for key, value in doc.meta.items()
        if key not in ("multiword", "empty_nodes", UNALIGNED)
    }
    return Doc(
        [doc.words[i] for i in kept],
        spaces,
        ents=[ent for ent in ents if ent[0] < ent[1]] if doc.has_ents else None,
        unknown_ents=[(start, end) for start, end in unknown if start < end],
        tags=[doc.tags[i] for i in kept] if doc.tags is not None else None,
        pos=[doc.pos[i] for i in kept] if doc.pos is not None else None,
        deps=[doc.deps[i] for i in kept] if doc.deps is not None else None,
        heads=heads,
        sent_starts=starts,
        cats=doc.cats,
        meta=meta,
        source=doc.source,
    )


def count_lost(doc: Doc, format_name: str, left_out: LeftOut, *layers: str) -> None:
    """Tally the known values of the doc's layers that have no column in the format."""
    for layer in layers:
        if layer == "entities":
            n = len(doc.ents)
        elif layer == "categories":
            n = len(doc.cats or ())
        else:
            values = getattr(doc, {"heads": "heads", "labels": "deps", "tags": "tags"}.get(layer, layer))
            n = sum(value is not None for value in values) if values is not None else 0
        if n:
            left_out[f"{layer} ({format_name} has no place for them)"] += n


def count_unaligned(doc: Doc, left_out: LeftOut) -> None:
    """Tally the entities that fit no words; the words that such entities touch are written as unknown."""
    n = len(doc.meta.get(UNALIGNED, ()))
    if n:
        left_out["entities that do not start and end with words"] += n
