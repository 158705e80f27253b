"""The parser's head: token vectors → recurrent layers → arcs, labels, and while training tags on the side.

tokens → rnn1 … rnnN → project → arcs
               |---------------→ labels (for the heads given, or for the best trees)
tokens ------------------→ tags (an auxiliary loss; the scores themselves are not used)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.biaffine import Arcs, arc_scores, decode_arcs, label_scores
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Layout, Packed
from runner.model.linear import linear
from runner.model.lstm import bilstm
from runner.model.parameters import glorot_uniform, zeros
from runner.model.qrnn import biqrnn

KINDS = ("lstm", "qrnn")  # of recurrent layers
_WORDS_SCORED = 3000  # at once when predicting

Ints = NDArray[np.intp]


class Parse(NamedTuple):
    """The output of the head for a batch."""

    arcs: Arcs
    heads: Ints  # (n_tokens,) positions in their docs: the given heads, or those of the best trees
    labels: Floats2d  # (n_labels, n_tokens) for these heads
    tags: Floats2d | None  # (n_tags, n_tokens)


@dataclass(frozen=True)
class ParserShape:
    """The settings of the head; keys as in the parser's config."""

    rnn: str  # "lstm" or "qrnn"
    rnn_width: int  # units a direction
    rnn_depth: int  # recurrent layers; 0: none
    arc_width: int
    label_width: int
    maxout_pieces: int  # of the labels' hidden layer
    single_root: bool  # decode exactly one root a doc


def parser_head(
    name: str, shape: ParserShape, *, nI: int, n_labels: int, n_tags: int, dropout: Dropout
) -> Model[tuple[Packed, Ints | None], Parse]:
    """(Packed (nI, n_tokens), heads) → Parse. heads: positions in their docs, -1: unknown; None: all are unknown.

    Where heads are unknown, a prediction takes those of the best trees, and so does training that is given no heads at all.

    n_tags: 0 for no auxiliary tags.
    """
    widths = [nI, *[2 * shape.rnn_width] * shape.rnn_depth]
    build = partial(bilstm, dropout=dropout) if shape.rnn == "lstm" else biqrnn
    encode = [build(f"{name}/{shape.rnn}{i + 1}", nO=widths[i + 1], nI=widths[i]) for i in range(shape.rnn_depth)]
    layers: list[Model[Any, Any]] = [
        project(f"{name}/project", nO=2 * shape.arc_width, nI=widths[-1], dropout=dropout),
        arc_scores(f"{name}/arcs", nI=shape.arc_width),
        label_scores(
            f"{name}/labels",
            n_labels=n_labels,
            nO=shape.label_width,
            nI=widths[-1],
            nP=shape.maxout_pieces,
            dropout=dropout,
        ),
        *([linear(f"{name}/tags", nO=n_tags, nI=nI)] if n_tags else []),
        *encode,
    ]
    return Model(
        name,
        forward,
        layers=layers,
        attrs={"n_tags": n_tags, "single_root": shape.single_root, "dropout": dropout},
    )


def forward(
    model: Model[Any, Parse], inputs: tuple[Packed, Ints | None], is_train: bool
) -> tuple[Parse, Callable[[list[Any], Floats2d, Floats2d | None], Floats2d]]:
    tokens, heads = inputs
    dropout: Dropout = model.attrs["dropout"]
    tag_layer, encode = _beside_scorers(model)
    packed = tokens
    backprops = []
    for layer in encode:
        packed, backprop_mask = dropout_by_doc(packed, dropout if is_train else None)
        packed, backprop_layer = layer(packed, is_train)
        if is_train:  # backprops keep their layers' arrays in memory
            backprops += [backprop_mask, backprop_layer]
    packed, backprop_mask = dropout_by_doc(packed, dropout if is_train else None)
    backprops.append(backprop_mask)
    parse, backprop_scores = _scored(model, packed, heads, is_train=is_train)
    tags, backprop_tags = tag_layer(tokens, is_train) if tag_layer is not None and is_train else (None, None)

    def backprop(d_arcs: list[Any], d_labels: Floats2d, d_tags: Floats2d | None) -> Floats2d:
        dX = backprop_scores(d_arcs, d_labels)
        for backprop_layer in reversed(backprops):
            dX = backprop_layer(dX)
        if backprop_tags is not None and d_tags is not None:
            dX += backprop_tags(d_tags)
        return dX

    return parse._replace(tags=tags), backprop


def parses(model: Model[Any, Parse], tokens: Packed) -> Iterator[tuple[slice, Parse]]:
    """Predict: yield the parse of a few docs at a time, with their columns.

    The recurrent layers read all docs together, because a step takes little longer for many docs than for one. Scores of
    arcs and labels take the most memory, so they are computed for some docs at a time.
    """
    packed = tokens
    for layer in _beside_scorers(model)[1]:
        packed = layer.predict(packed)
    lengths = tokens.layout.lengths
    for docs, columns in _groups(lengths):
        some = Packed(packed.X[:, columns], Layout(lengths[docs]))
        yield columns, _scored(model, some, None, is_train=False)[0]


def _groups(lengths: NDArray[np.integer[Any]]) -> Iterator[tuple[slice, slice]]:
    """Cut docs into groups of up to _WORDS_SCORED words, or of one doc: (docs, columns) of each."""
    first = start = end = 0
    for doc, n in enumerate(lengths.tolist()):
        if end > start and end + n - start > _WORDS_SCORED:
            yield slice(first, doc), slice(start, end)
            first, start = doc, end
        end += n
    if end > start:
        yield slice(first, len(lengths)), slice(start, end)


def _beside_scorers(model: Model[Any, Parse]) -> tuple[Model[Packed, Floats2d] | None, list[Model[Packed, Packed]]]:
    """The layer of the auxiliary tags, if any, and the recurrent layers."""
    _, _, _, *rest = model.layers
    return (rest[0], rest[1:]) if model.attrs["n_tags"] else (None, rest)


def _scored(
    model: Model[Any, Parse], packed: Packed, heads: Ints | None, *, is_train: bool
) -> tuple[Parse, Callable[[list[Any], Floats2d], Floats2d]]:
    """Arcs and labels of encoded tokens. heads: None: decode."""
    layout = packed.layout
    project, arcs_layer, labels_layer, *_ = model.layers
    both, backprop_project = project(packed, is_train)
    width = len(both.X) // 2
    arcs, backprop_arcs = arcs_layer((both.X[:width], both.X[width:], layout), is_train)
    if heads is None or not (is_train or (heads >= 0).all()):
        best = decode_arcs(model.ops, arcs, layout.n_tokens, single_root=model.attrs["single_root"])
        heads = best if heads is None else np.where(heads < 0, best, heads)
    # In training, a token without a known head is scored as a root; the loss of its label is masked.
    columns = np.where((heads == layout.position) | (heads < 0), -1, heads + np.repeat(layout.starts, layout.lengths))
    labels, backprop_labels = labels_layer((packed, columns), is_train)

    def backprop(d_arcs: list[Any], d_labels: Floats2d) -> Floats2d:
        dX = backprop_labels(d_labels)
        dX += backprop_project(np.concatenate(backprop_arcs(d_arcs)))
        return dX

    return Parse(arcs, heads, labels, None), backprop


def dropout_by_doc(packed: Packed, dropout: Dropout | None) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    """Drop the same features of all tokens of a doc (Gal and Ghahramani, 2016)."""
    X, layout = packed
    mask = dropout.mask(len(X), len(layout.lengths)) if dropout is not None else None
    if mask is None:
        return packed, lambda dY: dY
    full = np.repeat(mask, layout.lengths, axis=1)
    return Packed(X * full, layout), lambda dY: dY * full


def project(name: str, *, nO: int, nI: int, dropout: Dropout) -> Model[Packed, Packed]:
    """Y = leaky_relu(W X + b), slope 0.1, with dropout by doc. Packed (nI, n_tokens) → Packed (nO, n_tokens)."""
    return Model(
        name,
        forward_project,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={"dropout": dropout, "init": {"W": ((nO, nI), glorot_uniform(nI, nO // 2)), "b": ((nO,), zeros)}},
    )


def forward_project(
    model: Model[Packed, Packed], packed: Packed, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    X, layout = packed
    W = model.get_param("W")
    # (nO, n_tokens). The arcs read a token's values side by side; a prediction has them so from the start.
    Y = model.ops.gemm(W, X) if is_train else model.ops.gemm(X, W, trans1=True, trans2=True).T
    Y += model.get_param("b")[:, None]
    leaked = np.maximum(Y, Y * Y.dtype.type(0.1))
    out, backprop_mask = dropout_by_doc(Packed(leaked, layout), model.attrs["dropout"] if is_train else None)

    def backprop(dY: Floats2d) -> Floats2d:
        dZ = backprop_mask(dY) * np.where(Y > 0, Y.dtype.type(1), Y.dtype.type(0.1))
        model.inc_grad("W", model.ops.gemm(dZ, X, trans2=True))
        model.inc_grad("b", dZ.sum(axis=1))
        return model.ops.gemm(W, dZ, trans1=True)

    return out, backprop
