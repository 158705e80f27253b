"""The parser's head: token vectors → recurrent layers → arcs, labels, and while training tags on the side.

tokens → rnn1 … rnnN → project → arcs
               |---------------→ labels (for the heads given, or for the best trees)
tokens ------------------→ tags (an auxiliary loss; the scores themselves are not used)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.biaffine import Arcs, arc_scores, decode_arcs, label_scores
from runner.model.dropout import Noise
from runner.model.layout import Floats2d, Packed
from runner.model.linear import scores
from runner.model.lstm import bilstm
from runner.model.parameters import glorot_uniform, zeros
from runner.model.qrnn import biqrnn

KINDS = ("lstm", "qrnn")  # of recurrent layers

Ints = NDArray[np.intp]


class Parse(NamedTuple):
    """What the head makes of a batch."""

    arcs: Arcs
    heads: Ints  # (n_tokens,) positions in their docs: those given, or those of the best trees
    labels: Floats2d  # (n_labels, n_tokens) for these heads
    tags: Floats2d | None  # (n_tags, n_tokens)


def parser_head(
    name: str, *, nI: int, n_labels: int, n_tags: int, rnn: str, rnn_width: int, rnn_depth: int, arc_width: int,
    label_width: int, maxout_pieces: int, single_root: bool, noise: Noise,
) -> Model[tuple[Packed, Ints | None], Parse]:  # fmt: skip
    """(Packed (nI, n_tokens), heads) → Parse. heads: positions in their docs, or None: decode.

    n_tags: 0 for no auxiliary tags. rnn: "lstm" or "qrnn". rnn_depth 0: none.
    """
    widths = [nI, *[2 * rnn_width] * rnn_depth]
    build = partial(bilstm, noise=noise) if rnn == "lstm" else biqrnn
    encode = [build(f"{name}/{rnn}{i + 1}", nO=widths[i + 1], nI=widths[i]) for i in range(rnn_depth)]
    layers: list[Model[Any, Any]] = [
        project(f"{name}/project", nO=2 * arc_width, nI=widths[-1], noise=noise),
        arc_scores(f"{name}/arcs", nI=arc_width),
        label_scores(f"{name}/labels", n_labels=n_labels, nO=label_width, nI=widths[-1], nP=maxout_pieces, noise=noise),
        *([scores(f"{name}/tags", nO=n_tags, nI=nI)] if n_tags else []),
        *encode,
    ]
    return Model(
        name,
        forward,
        layers=layers,
        attrs={"n_tags": n_tags, "single_root": single_root, "noise": noise},
    )


def forward(
    model: Model[Any, Parse], inputs: tuple[Packed, Ints | None], is_train: bool
) -> tuple[Parse, Callable[[list[Any], Floats2d, Floats2d | None], Floats2d]]:
    tokens, heads = inputs
    layout = tokens.layout
    noise: Noise = model.attrs["noise"]
    project, arcs_layer, labels_layer, *rest = model.layers
    tag_layer = rest.pop(0) if model.attrs["n_tags"] else None
    packed = tokens
    backprops = []
    for layer in rest:
        packed, backprop_mask = dropout_by_doc(packed, noise if is_train else None)
        packed, backprop_layer = layer(packed, is_train)
        if is_train:  # they hold on to the layers' arrays
            backprops += [backprop_mask, backprop_layer]
    packed, backprop_mask = dropout_by_doc(packed, noise if is_train else None)
    backprops.append(backprop_mask)
    both, backprop_project = project(packed, is_train)
    width = len(both.X) // 2
    arcs, backprop_arcs = arcs_layer((both.X[:width], both.X[width:], layout), is_train)
    if heads is None:
        heads = decode_arcs(model.ops, arcs, layout.n_tokens, single_root=model.attrs["single_root"])
    # A token whose head is not known is scored as a root; its label's loss is masked.
    columns = np.where((heads == layout.position) | (heads < 0), -1, heads + np.repeat(layout.starts, layout.lengths))
    labels, backprop_labels = labels_layer((packed, columns), is_train)
    tags, backprop_tags = tag_layer(tokens, is_train) if tag_layer is not None and is_train else (None, None)

    def backprop(d_arcs: list[Any], d_labels: Floats2d, d_tags: Floats2d | None) -> Floats2d:
        dX = backprop_labels(d_labels)
        dX += backprop_project(np.concatenate(backprop_arcs(d_arcs)))
        for backprop_layer in reversed(backprops):
            dX = backprop_layer(dX)
        if backprop_tags is not None and d_tags is not None:
            dX += backprop_tags(d_tags)
        return dX

    return Parse(arcs, heads, labels, tags), backprop


def dropout_by_doc(packed: Packed, noise: Noise | None) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    """Dropout with one mask a doc, for all its tokens (Gal and Ghahramani, 2016)."""
    X, layout = packed
    mask = noise.mask(len(X), len(layout.lengths)) if noise is not None else None
    if mask is None:
        return packed, lambda dY: dY
    full = np.repeat(mask, layout.lengths, axis=1)
    return Packed(X * full, layout), lambda dY: dY * full


def project(name: str, *, nO: int, nI: int, noise: Noise) -> Model[Packed, Packed]:
    """Y = leaky_relu(W X + b), slope 0.1, with dropout by doc. Packed (nI, n_tokens) → Packed (nO, n_tokens)."""
    return Model(
        name,
        forward_project,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={"noise": noise, "init": {"W": ((nO, nI), glorot_uniform(nI, nO // 2)), "b": ((nO,), zeros)}},
    )


def forward_project(
    model: Model[Packed, Packed], packed: Packed, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    X, layout = packed
    W = model.get_param("W")
    Y = model.ops.gemm(W, X)  # (nO, n_tokens)
    Y += model.get_param("b")[:, None]
    leaked = np.maximum(Y, Y * Y.dtype.type(0.1))
    out, backprop_mask = dropout_by_doc(Packed(leaked, layout), model.attrs["noise"] if is_train else None)

    def backprop(dY: Floats2d) -> Floats2d:
        dZ = backprop_mask(dY) * np.where(Y > 0, Y.dtype.type(1), Y.dtype.type(0.1))
        model.inc_grad("W", model.ops.gemm(dZ, X, trans2=True))
        model.inc_grad("b", dZ.sum(axis=1))
        return model.ops.gemm(W, dZ, trans1=True)

    return out, backprop
