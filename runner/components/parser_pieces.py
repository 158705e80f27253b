"""Which columns of a batch the parser scores together, and where docs that are too long for it are cut.

Token vectors are computed on whole docs. Arc scores cost the square of a piece's length, so that a few pieces are scored at
a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.pieces import piece_lengths, sentence_lengths
from runner.errors import RunnerError
from runner.model.layout import Floats2d, Layout, Packed

MAX_LENGTH = 10_000  # tokens parsed at once; a training step of this length takes some 2 GB
_WORDS_AT_ONCE = 3000  # words of cut docs parsed together; bounds the memory for arc scores

Ints = NDArray[np.intp]


class Group(NamedTuple):
    """Columns of a batch that are parsed together, each piece as a separate doc."""

    columns: slice
    vectors: Packed
    begins: Ints | None  # (n_tokens,) the doc position at which each token's piece begins; None: no doc is cut

    def in_pieces(self, heads: Ints) -> Ints:
        """These columns' heads as positions in their pieces. heads: of the batch, positions in docs; -1 stays."""
        here = heads[self.columns]
        return here if self.begins is None else np.where(here >= 0, here - self.begins, -1)


def groups(vectors: Packed, max_length: int, pieces: Callable[[int], list[int]]) -> Iterator[Group]:
    """Yield the whole batch as one group. If a doc is too long, cut long docs and yield a few pieces at a time.

    pieces: returns the lengths of a doc's pieces, given the index in the batch of a doc of more than `max_length` tokens.
    """
    X, layout = vectors
    if not len(layout.lengths) or layout.lengths.max() <= max_length:
        yield Group(slice(None), vectors, None)
        return
    lengths: list[int] = []
    begins: list[int] = []  # doc position of each piece
    for doc, n in enumerate(layout.lengths.tolist()):
        some = pieces(doc) if n > max_length else [n]
        lengths += some
        begins += accumulate(some[:-1], initial=0)
    start = first = 0
    for i in range(len(lengths)):
        is_last = i + 1 == len(lengths)
        if is_last or sum(lengths[first : i + 2]) > _WORDS_AT_ONCE:
            here = Layout(lengths[first : i + 1])
            at = slice(start, start + here.n_tokens)
            yield Group(
                at, Packed(np.ascontiguousarray(X[:, at]), here), np.repeat(begins[first : i + 1], here.lengths)
            )
            start, first = at.stop, i + 1


def cut(X: Floats2d, docs: Sequence[Doc], max_length: int) -> tuple[Packed, Ints]:
    """Token vectors of docs, with docs of more than `max_length` tokens cut into sentences, each of them laid out as a doc.

    X: (width, n_tokens). Also returns where each token's piece begins, as a position in the doc: (n_tokens,).
    """
    lengths: list[int] = []
    begins: list[int] = []  # of each piece
    for doc in docs:
        n = len(doc)
        pieces = [n] if n <= max_length else sentence_lengths(doc, max_length)
        lengths += pieces
        begins += accumulate(pieces[:-1], initial=0)
    return Packed(X, Layout(lengths)), np.repeat(np.array(begins, dtype="intp"), lengths)


def tree_lengths(name: str, example: Example, heads: Ints, max_length: int) -> list[int]:
    """Lengths of pieces that no gold arc leaves. name: of the parser, for the message.

    Raises RunnerError if a piece would exceed max_length.
    """
    n = len(heads)
    tokens = np.flatnonzero(heads >= 0)
    low, high = np.minimum(tokens, heads[tokens]), np.maximum(tokens, heads[tokens])
    crossing = np.cumsum(np.bincount(low + 1, minlength=n + 2) - np.bincount(high + 1, minlength=n + 2))
    starts = np.flatnonzero(crossing[:n] == 0)[1:].tolist()
    for begin, end in pairwise([0, *starts, n]):
        if end - begin > max_length:
            hint = "It should be several sentences: end them in the data, or leave the text out."
            if end - begin <= MAX_LENGTH:
                hint = f"End its sentences in the data, or set pipeline.components.{name}.max_length={end - begin}."
            raise RunnerError(
                f"a tree spans {end - begin:,} tokens, from {' '.join(example.predicted.words[begin : begin + 5])!r:.80} on; "
                f"{name!r} takes {max_length:,} at once",
                place=example.reference.source,
                hint=hint,
            )
    return piece_lengths(n, max_length, starts)
