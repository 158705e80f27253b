"""Align two tokenizations of one text, or character offsets with tokens, in linear time; white space is ignored.

    gold       New  York-based   firm
    predicted  New  York  -  based  firm

"New" and "firm" align one-to-one; the gold span (0, 2) is the predicted span (0, 4); no gold token starts or ends inside
"York-based". Characters are compared and never normalized: it is an error if the texts differ in anything but white space
(`str.isspace`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from runner.errors import RunnerError


class Alignment:
    """The alignment of gold tokens with predicted tokens of the same text; `inverse` swaps the two.

    gold_to_predicted, predicted_to_gold: for each token the position of the other side's token that covers the same
    characters, or None. Raises RunnerError if the texts differ in more than white space.
    """

    __slots__ = ("_ends", "_starts", "gold_edges", "is_identical", "n_gold", "n_predicted", "predicted_edges")

    _starts: dict[int, int]  # first character of a predicted token → its position
    _ends: dict[int, int]  # character after its last → its position + 1
    gold_edges: list[tuple[int, int]]  # (start, end) of each token in the text without white space
    predicted_edges: list[tuple[int, int]]

    def __init__(
        self, gold_words: Sequence[str], predicted_words: Sequence[str], *, is_identical: bool | None = None
    ) -> None:
        """is_identical: whether the words are equal; None: compare them. For equal words nothing else is computed."""
        self.n_gold = len(gold_words)
        self.n_predicted = len(predicted_words)
        self.is_identical = gold_words == predicted_words if is_identical is None else is_identical
        if self.is_identical:
            return
        gold_text, self.gold_edges = _edges(gold_words)
        predicted_text, self.predicted_edges = _edges(predicted_words)
        if gold_text != predicted_text:
            raise _difference("the gold words", gold_text, "the predicted words", predicted_text)
        self._index()

    def _index(self) -> None:
        # Words of white space cover no characters; they must not hide the word that starts at the same position.
        self._starts = {start: i for i, (start, end) in enumerate(self.predicted_edges) if start < end}
        self._ends = {end: i + 1 for i, (start, end) in enumerate(self.predicted_edges) if start < end}

    def inverse(self) -> Alignment:
        """The same alignment with gold and predicted tokens swapped."""
        other = Alignment.__new__(Alignment)
        other.is_identical = self.is_identical
        other.n_gold, other.n_predicted = self.n_predicted, self.n_gold
        if not self.is_identical:
            other.gold_edges, other.predicted_edges = self.predicted_edges, self.gold_edges
            other._index()
        return other

    @property
    def gold_to_predicted(self) -> list[int | None]:
        if self.is_identical:
            return list(range(self.n_gold))
        return _one_to_one(self.gold_edges, self.predicted_edges)

    @property
    def predicted_to_gold(self) -> list[int | None]:
        if self.is_identical:
            return list(range(self.n_predicted))
        return _one_to_one(self.predicted_edges, self.gold_edges)

    def merged(self) -> tuple[list[tuple[int, int] | None], list[int | None]]:
        """Two lists: which gold tokens make up each predicted token, and which predicted token contains each gold token.

        The first has, for each predicted token, the (start, end) of the gold tokens that together cover exactly its
        characters (words of white space among them do not count), or None. The second has, for each gold token, the
        predicted token that contains all of it, or None.
        """
        if self.is_identical:
            return [(i, i + 1) for i in range(self.n_predicted)], list(range(self.n_gold))
        holder: list[int | None] = [None] * self.n_gold
        made_of: list[tuple[int, int] | None] = []
        gold = 0
        for i, (start, end) in enumerate(self.predicted_edges):
            while gold < self.n_gold and self.gold_edges[gold][1] <= start:
                gold += 1
            first = last = gold
            while last < self.n_gold and self.gold_edges[last][1] <= end:
                if self.gold_edges[last][0] >= start:
                    holder[last] = i
                last += 1
            while last > first and self.gold_edges[last - 1][0] == self.gold_edges[last - 1][1]:
                last -= 1  # white space at the end
            fits = last > first and self.gold_edges[first][0] == start and self.gold_edges[last - 1][1] == end
            made_of.append((first, last) if fits else None)
        return made_of, holder

    def touching(self) -> list[tuple[int, int]]:
        """For each predicted token the (start, end) of the gold tokens that share a character with it; start == end: none."""
        if self.is_identical:
            return [(i, i + 1) for i in range(self.n_predicted)]
        ranges: list[tuple[int, int]] = []
        first = 0
        for start, end in self.predicted_edges:
            while first < self.n_gold and self.gold_edges[first][1] <= start:
                first += 1
            last = first
            while last < self.n_gold and self.gold_edges[last][0] < end:
                last += 1
            ranges.append((first, last if start < end else first))
        return ranges

    def span_to_predicted(self, start: int, end: int) -> tuple[int, int] | None:
        """The (start, end) of the predicted tokens that cover exactly the gold tokens `start` to `end`; None: there are none."""
        if self.is_identical:
            return start, end
        first = self._starts.get(self.gold_edges[start][0])
        last = self._ends.get(self.gold_edges[end - 1][1])
        return (first, last) if first is not None and last is not None and first < last else None

    def touched_by(self, start: int, end: int) -> tuple[int, int]:
        """The (start, end) of the predicted tokens that share a character with the gold tokens `start` to `end`."""
        if self.is_identical:
            return start, end
        from_char, to_char = self.gold_edges[start][0], self.gold_edges[end - 1][1]
        first = bisect_right(self.predicted_edges, from_char, key=_end)
        last = bisect_left(self.predicted_edges, to_char, key=_start)
        return first, max(first, last)

    def token_counts(self) -> tuple[int, int, int]:
        """(correct, predicted, gold) token counts. A correct token covers the same characters; white space does not count."""
        if self.is_identical:
            return self.n_gold, self.n_gold, self.n_gold
        gold = {edge for edge in self.gold_edges if edge[0] < edge[1]}
        predicted = {edge for edge in self.predicted_edges if edge[0] < edge[1]}
        return len(gold & predicted), len(predicted), len(gold)


@dataclass
class Fit:
    """Entities whose character offsets were mapped to tokens: (first token, end token, label)."""

    ents: list[tuple[int, int, str]] = field(default_factory=list)  # those that start and end with tokens
    unaligned: list[tuple[int, int, str]] = field(default_factory=list)  # the others, with the tokens they touch

    @property
    def unknown(self) -> list[tuple[int, int]]:
        return [(start, end) for start, end, _ in self.unaligned]


def fit_offsets(
    text: str,
    starts: Sequence[int],
    ends: Sequence[int],
    entities: Iterable[tuple[int, int, str]],
    place: str | None = None,
) -> Fit:
    """Map entities, (start, end, label) in characters of `text`, to tokens, which cover text[starts[i]:ends[i]].

    White space at an entity's edges is ignored. Linear in entities and tokens. Raises RunnerError if an entity lies outside
    the text, is empty, holds only white space, or overlaps another.
    """
    fit = Fit()
    entities = sorted(entities)
    if not entities:
        return fit
    token_at = {start: i for i, start in enumerate(starts)}
    token_before = {end: i + 1 for i, end in enumerate(ends)}
    last = (0, 0, "")
    for start, end, label in entities:
        if not 0 <= start < end <= len(text):
            raise RunnerError(
                f"entity ({start}, {end}, {label!r}) "
                + ("is empty" if start >= end else f"lies outside the text of {len(text)} characters"),
                place=place,
                hint="Offsets count characters from 0; the end is exclusive and greater than the start.",
            )
        if start < last[1]:
            raise RunnerError(
                f"entity ({start}, {end}, {label!r}) overlaps ({last[0]}, {last[1]}, {last[2]!r})",
                place=place,
                hint="A character belongs to one entity at most; keep one of the two.",
            )
        last = (start, end, label)
        first, stop = token_at.get(start), token_before.get(end)
        if first is None or stop is None:
            covered = text[start:end]
            start += len(covered) - len(covered.lstrip())
            end -= len(covered) - len(covered.rstrip())
            if start >= end:
                raise RunnerError(
                    f"entity {last} holds only white space", place=place, hint="Correct its offsets, or remove it."
                )
            first, stop = token_at.get(start), token_before.get(end)
        if first is not None and stop is not None:
            fit.ents.append((first, stop, label))
        else:
            fit.unaligned.append((bisect_right(ends, start), bisect_left(starts, end), label))
    return fit


def word_edges(text: str, words: Sequence[str], place: str | None = None) -> tuple[list[int], list[int]]:
    """(starts, ends): where each word starts and ends in `text`, in characters.

    Raises RunnerError if words and text differ in more than white space.

    >>> word_edges("New  York.", ["New", "York", "."])
    ([0, 5, 9], [3, 9, 10])
    """
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for word in words:
        start = text.find(word, position)
        if start < 0 or (start > position and not text[position:start].isspace()):
            return _word_edges_by_character(text, words, place)
        position = start + len(word)
        starts.append(start)
        ends.append(position)
    if position < len(text) and not text[position:].isspace():
        return _word_edges_by_character(text, words, place)
    return starts, ends


def respelt(text: str, starts: Sequence[int], ends: Sequence[int], words: Sequence[str]) -> str:
    """The text with the words at text[starts[i]:ends[i]] replaced by `words`, its white space kept.

    >>> respelt("  New  York", [2, 7], [5, 11], ["Nu", "York"])
    '  Nu  York'
    """
    gaps = [text[end:start] for end, start in zip([0, *ends], [*starts, len(text)], strict=True)]
    return gaps[0] + "".join([word + gap for word, gap in zip(words, gaps[1:], strict=True)])


def _word_edges_by_character(text: str, words: Sequence[str], place: str | None) -> tuple[list[int], list[int]]:
    """As word_edges, but slow: for words that hold other white space than the text, and for texts that differ."""
    word_text, edges = _edges(words)
    positions = [i for i, character in enumerate(text) if not character.isspace()]
    if word_text != "".join(text.split()):
        error = _difference("the words", word_text, "the text", "".join(text.split()))
        raise error.at(place) if place else error
    starts: list[int] = []
    ends: list[int] = []
    for start, end in edges:
        last = ends[-1] if ends else 0
        starts.append(positions[start] if start < end else last)
        ends.append(positions[end - 1] + 1 if start < end else last)
    return starts, ends


def _edges(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words joined without white space, and the (start, end) of each word in that text."""
    joined = "".join(words)
    text = "".join(joined.split())
    if len(text) != len(joined):
        words = ["".join(word.split()) for word in words]
    ends = list(accumulate(map(len, words)))
    return text, list(zip([0, *ends], ends, strict=False))


def _one_to_one(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> list[int | None]:
    """For each of our tokens the position of their token with the same edges, or None."""
    position = {edge: i for i, edge in enumerate(theirs) if edge[0] < edge[1]}
    return [position.get(edge) for edge in ours]


def _difference(one: str, one_text: str, other: str, other_text: str) -> RunnerError:
    lengths = range(min(len(one_text), len(other_text)))
    at = next((i for i in lengths if one_text[i] != other_text[i]), len(lengths))
    here, there = one_text[at : at + 20], other_text[at : at + 20]
    return RunnerError(
        f"{one} and {other} differ after {one_text[max(0, at - 20) : at]!r}: {here!r} against {there!r}",
        hint="Both must hold the same characters in the same order; only white space may differ.",
    )


def _start(edge: tuple[int, int]) -> int:
    return edge[0]


def _end(edge: tuple[int, int]) -> int:
    return edge[1]
