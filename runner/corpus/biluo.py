"""Convert entities to BILUO tags and back: B-egin, I-n, L-ast, U-nit, O-utside, and `-` for unknown.

    Lake  Aurel  froze  on  Monday      B-LOC  L-LOC  O  O  U-DATE

There is one tag per token. Spans are (start, end, label) with an exclusive end, in tokens or characters as each function
says. An illegal sequence raises a TagError that names its token. readers/iob.py reads files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.corpus.alignment import fit_offsets
from runner.corpus.doc import Doc
from runner.errors import RunnerError

Span = tuple[int, int, str]

UNKNOWN = "-"
WHOLE = {"biluo": "BILU", "iobes": "BIES", "bmewo": "BMEW", "bmes": "BMES"}  # letters of begin, inside, last, unit
SCHEMES = ("auto", "iob1", "iob2", *WHOLE)


class TagError(RunnerError):
    """An illegal tag. index: the position of its token, from 0."""

    def __init__(self, fact: str, *, index: int = 0, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(fact, place=place, hint=hint)
        self.index = index


def offsets_to_biluo(doc: Doc, entities: Iterable[Span], missing: str = "O") -> list[str]:
    """The BILUO tags of entities, which are (start, end, label) in characters of `doc.text`.

    If an entity does not start and end with tokens, every token that it touches is `-`. missing: the tag of tokens outside
    all entities: "O", or "-" if the annotation is incomplete.
    Raises RunnerError if an entity lies outside the text, is empty or overlaps another.

    >>> offsets_to_biluo(Doc(["Lake", "Aurel", "froze"]), [(0, 10, "LOC")])
    ['B-LOC', 'L-LOC', 'O']
    >>> offsets_to_biluo(Doc(["Lake", "Aurel", "froze"]), [(0, 8, "LOC")])
    ['-', '-', 'O']
    """
    ends = [start + len(word) for start, word in zip(doc.offsets, doc.words, strict=True)]
    fit = fit_offsets(doc.text, doc.offsets, ends, entities, place=doc.source)
    tags = spans_to_biluo(len(doc), fit.ents, fit.unknown)
    return tags if missing == "O" else [missing if tag == "O" else tag for tag in tags]


def biluo_to_offsets(doc: Doc, tags: Sequence[str]) -> list[Span]:
    """The entities of BILUO tags, as (start, end, label) in characters of `doc.text`. Raises TagError on illegal tags.

    >>> biluo_to_offsets(Doc(["on", "Lake", "Aurel"]), ["O", "B-LOC", "L-LOC"])
    [(3, 13, 'LOC')]
    """
    if len(tags) != len(doc):
        raise RunnerError(f"{len(tags)} tags for {len(doc)} words", place=doc.source, hint="Give one tag per word.")
    return [
        (doc.offsets[start], doc.offsets[end - 1] + len(doc.words[end - 1]), label)
        for start, end, label in biluo_to_spans(tags)
    ]


def biluo_to_spans(tags: Sequence[str], letters: str = WHOLE["biluo"]) -> list[Span]:
    """The entities of BILUO tags, as (start, end, label) in tokens; `-` is outside. Raises TagError on illegal tags.

    letters: the prefixes of a first, inner, last and single token, see WHOLE.

    >>> biluo_to_spans(["U-PER", "O", "B-LOC", "I-LOC", "L-LOC"])
    [(0, 1, 'PER'), (2, 5, 'LOC')]
    """
    begin, inside, last, unit = tuple(letters)
    spans: list[Span] = []
    start, label = -1, ""  # of the open entity
    for i, tag in enumerate(tags):
        if tag in ("O", UNKNOWN):
            prefix, name = tag, ""
        else:
            prefix, name = split_tag(tag, i, letters)
        if start >= 0 and (prefix not in (inside, last) or name != label):
            raise TagError(
                f"tag {tag!r} (token {i}) follows {tags[i - 1]!r}, which leaves an entity open",
                index=i,
                hint=f"Close it with '{last}-{label}', or mark an entity of one token as '{unit}-{label}'.",
            )
        if start < 0 and prefix in (inside, last):
            raise TagError(
                f"tag {tag!r} (token {i}) follows {tags[i - 1]!r}"
                if i
                else f"tag {tag!r} (token 0) opens the sequence",
                index=i,
                hint=f"Open an entity with '{begin}-{name}'; one of a single token is '{unit}-{name}'.",
            )
        if prefix == unit:
            spans.append((i, i + 1, name))
        elif prefix == begin:
            start, label = i, name
        elif prefix == last:
            spans.append((start, i + 1, label))
            start = -1
    if start >= 0:
        raise TagError(
            f"the entity opened by {tags[start]!r} (token {start}) has no last token",
            index=start,
            hint=f"Close it with '{last}-{label}', or mark an entity of one token as '{unit}-{label}'.",
        )
    return spans


def spans_to_biluo(n_tokens: int, spans: Iterable[Span], unknown: Iterable[tuple[int, int]] = ()) -> list[str]:
    """The BILUO tags of entities, which are (start, end, label) in tokens; `-` in unknown ranges outside entities.

    >>> spans_to_biluo(5, [(0, 1, "PER"), (2, 4, "LOC")], unknown=[(4, 5)])
    ['U-PER', 'O', 'B-LOC', 'L-LOC', '-']
    """
    tags = ["O"] * n_tokens
    for start, end in unknown:
        tags[start:end] = [UNKNOWN] * (end - start)
    for start, end, label in spans:
        if end - start == 1:
            tags[start] = "U-" + label
        else:
            tags[start:end] = ["B-" + label, *["I-" + label] * (end - start - 2), "L-" + label]
    return tags


def unknown_ranges(tags: Sequence[str]) -> list[tuple[int, int]]:
    """The (start, end) runs of `-`.

    >>> unknown_ranges(["-", "-", "O", "-"])
    [(0, 2), (3, 4)]
    """
    ranges: list[tuple[int, int]] = []
    for i, tag in enumerate(tags):
        if tag == UNKNOWN:
            if ranges and ranges[-1][1] == i:
                ranges[-1] = ranges[-1][0], i + 1
            else:
                ranges.append((i, i + 1))
    return ranges


def detect_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """The scheme of all these sequences, by the letters of their tags.

    Only "biluo" has L- and U-; only "bmewo" has W-; M- without W- means "bmes", E- or S- "iobes". In IOB1, B- only separates
    an entity from one of the same type right before it, so a B- anywhere else means "iob2". If the tags fit both and no I-
    opens an entity, the answer is "iob2", which reads the same.
    """
    has_opening_i = has_opening_b = False
    letters: set[str] = set()
    for tags in sequences:
        before = "O"
        for tag in tags:
            if tag != "O":
                prefix = tag[:2]
                if prefix in ("B-", "I-"):
                    continues = before[2:] == tag[2:] and before[:2] in ("B-", "I-")
                    has_opening_b |= prefix == "B-" and not continues
                    has_opening_i |= prefix == "I-" and not continues
                else:
                    letters.add(prefix)
            before = tag
    if letters & {"L-", "U-"}:
        return "biluo"
    if letters & {"M-", "W-"}:
        return "bmewo" if "W-" in letters or "S-" not in letters else "bmes"
    if letters & {"E-", "S-"}:
        return "iobes"
    return "iob1" if has_opening_i and not has_opening_b else "iob2"


def iob_to_biluo(tags: Sequence[str], scheme: str = "auto") -> list[str]:
    """Convert one sentence's tags to BILUO. scheme: that of `tags`; auto: detect it from them (see detect_scheme).

    In IOB1, I- may open an entity, and B- stands only between neighbours of one type. In IOB2, B- opens every entity.
    Raises TagError on illegal tags.

    >>> iob_to_biluo(["I-LOC", "B-LOC", "I-LOC", "O"], "iob1")
    ['U-LOC', 'B-LOC', 'L-LOC', 'O']
    >>> iob_to_biluo(["S-PER", "O", "B-LOC", "E-LOC"])
    ['U-PER', 'O', 'B-LOC', 'L-LOC']
    """
    return spans_to_biluo(len(tags), iob_to_spans(tags, scheme), unknown_ranges(tags))


def iob_to_spans(tags: Sequence[str], scheme: str = "auto") -> list[Span]:
    """The entities, (start, end, label) in tokens, of tags in one of SCHEMES. Raises TagError on illegal tags."""
    if scheme not in SCHEMES:
        raise RunnerError(f"unknown scheme {scheme!r}", hint=f"Choose one of {', '.join(SCHEMES)}.")
    if scheme == "auto":
        scheme = detect_scheme([tags])
    if scheme in WHOLE:
        return biluo_to_spans(tags, WHOLE[scheme])
    spans, opened = lenient_spans(tags)
    if opened and scheme == "iob2":
        i, name = opened[0], tags[opened[0]][2:]
        raise TagError(
            f"tag {tags[i]!r} follows {tags[i - 1]!r}" if i else f"tag {tags[i]!r} opens a sentence",
            index=i,
            hint=f"Open the entity with 'B-{name}', or read the file with corpus.reader.scheme=iob1.",
        )
    return spans


def lenient_spans(tags: Sequence[str]) -> tuple[list[Span], list[int]]:
    """(entities, opened): the (start, end, label) in tokens of B-, I- and O tags, and the tokens whose I- opens an entity.

    As in conlleval and seqeval, an I- that continues no entity opens one. Raises TagError for any other tag.

    >>> lenient_spans(["B-LOC", "I-LOC", "I-PER", "O", "I-LOC"])
    ([(0, 2, 'LOC'), (2, 3, 'PER'), (4, 5, 'LOC')], [2, 4])
    """
    spans: list[Span] = []
    opened: list[int] = []
    start, label = -1, ""
    for i, tag in enumerate(tags):
        if tag == "O" or tag == UNKNOWN:
            if start >= 0:
                spans.append((start, i, label))
                start = -1
            continue
        prefix, name = split_tag(tag, i, "BI")
        if prefix == "I":
            if start >= 0 and name == label:
                continue
            opened.append(i)
        if start >= 0:
            spans.append((start, i, label))
        start, label = i, name
    if start >= 0:
        spans.append((start, len(tags), label))
    return spans, opened


def split_tag(tag: str, index: int, prefixes: str) -> tuple[str, str]:
    """(prefix, label) of a tag: "B-LOC" → ("B", "LOC"). Raises TagError if its prefix is not in `prefixes`."""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in prefixes:
        return tag[0], tag[2:]
    known = ", ".join(f"{prefix}-LABEL" for prefix in prefixes)
    raise TagError(f"{tag!r} is not an entity tag", index=index, hint=f"A tag is O or one of {known}.")
