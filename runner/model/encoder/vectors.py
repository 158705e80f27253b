"""From tokens to the vectors of an encoder: word pieces, layers, pooling; and back.

An encoder that does not learn gives each text the same vectors in every epoch: they are computed once (kept.py), one text at
a time, so that no text's vectors depend on others in its batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from thinc.api import Model

from runner.model.encoder.architecture import Architecture
from runner.model.encoder.kept import Halves, KeptVectors, text_key
from runner.model.encoder.pieces import WordTokenizer
from runner.model.encoder.pool import pool
from runner.model.encoder.sequences import Pieces, Sequences, sequences
from runner.model.kernel import kernel
from runner.model.layout import Floats2d, Layout, Packed, Tokens
from runner.model.parameters import learns

WORDS_AT_ONCE = 800  # in prediction: 3,000 leave the caches and take a quarter longer


def _sequences(model: Model[Tokens, Packed], tokens: Tokens) -> Sequences:
    assert tokens.words is not None
    words: WordTokenizer = model.attrs["words"]
    return sequences(
        words.pieces(tokens.words()), tokens.inverse, tokens.layout, before=words.before, after=words.after,
        longest=model.attrs["longest"], overlap=model.attrs["overlap"],
    )  # fmt: skip


def encode(model: Model[Tokens, Packed], tokens: Tokens, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    """The vectors of an encoder that learns: (n_tokens, width)."""
    if not is_train and tokens.layout.n_tokens > WORDS_AT_ONCE and len(tokens.layout.lengths) > 1:
        return np.concatenate([encode(model, part, False)[0] for part in _parts(tokens)]), _nothing
    batch = _sequences(model, tokens)
    a: Architecture = model.attrs["architecture"]
    how, n_mixed = model.attrs["pooling"], model.attrs["mix"]
    embed, *layers = model.layers[: 1 + a.n_layers]
    lowest = lowest_learning(
        embed, layers
    )  # from here on there is a gradient; what is below computes the same in every update
    X, backprop_embed = embed(batch, is_train and lowest < 0)
    backprops, pooled = [], []
    # Of the last layer, the rows that no token's vector needs are left out.
    rows = batch.rows(how) if n_mixed == 1 else None
    for i, one in enumerate(layers):
        is_last = i == a.n_layers - 1
        X, backprop_layer = one((Pieces(X, batch), rows if is_last else None), is_train and lowest <= i)
        if is_train and lowest <= i:  # a backprop keeps its layer's arrays in memory
            backprops.append(backprop_layer)
        if i >= a.n_layers - n_mixed and rows is None:
            pooled.append(pool(X, batch, how))
    T, backprop_mixed = X, None
    if n_mixed > 1:
        T, backprop_mixed = model.layers[1 + a.n_layers]([vectors for vectors, _ in pooled], is_train)
    elif rows is None:
        T = pooled[0][0]

    def backprop(dT: Floats2d) -> None:
        dTs = backprop_mixed(dT) if backprop_mixed is not None else [dT]
        dX = None
        for i in range(a.n_layers - 1, max(lowest, 0) - 1, -1):
            if (place := i - (a.n_layers - n_mixed)) >= 0:
                d_layer = pooled[place][1](dTs[place]) if pooled else dTs[place]
                dX = d_layer if dX is None else dX + d_layer
            dX = backprops[i - max(lowest, 0)](dX)
        if lowest < 0:
            backprop_embed(dX)

    return T, backprop


def _parts(tokens: Tokens) -> Iterator[Tokens]:
    """The tokens of some texts at a time: of WORDS_AT_ONCE at most, or of one text."""
    lengths = tokens.layout.lengths.tolist()
    first = start = 0
    while first < len(lengths):
        last, stop = first + 1, start + lengths[first]
        while last < len(lengths) and stop - start + lengths[last] <= WORDS_AT_ONCE:
            stop += lengths[last]
            last += 1
        yield tokens._replace(inverse=tokens.inverse[start:stop], layout=Layout(lengths[first:last]))
        first, start = last, stop


def lowest_learning(embed: Model[Any, Any], layers: list[Model[Any, Any]]) -> int:
    """The first layer that learns; -1 if the embeddings learn, and the number of layers if nothing does."""
    if learns(embed):
        return -1
    return next((i for i, one in enumerate(layers) if any(map(learns, one.layers))), len(layers))


def encode_fixed(
    model: Model[Tokens, Packed], tokens: Tokens, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    """The vectors of an encoder that does not learn, rounded to float16: (n_tokens, width).

    A process that trains keeps what it computes in the cache; one that only predicts reads the cache, and does not fill it.
    """
    a: Architecture = model.attrs["architecture"]
    n_mixed, state = model.attrs["mix"], model.attrs["kept"]
    if state.vectors is None:
        state.vectors = KeptVectors(_digest(model), (n_mixed, a.width))
    state.is_training |= is_train
    assert tokens.words is not None
    spelled = list(tokens.words())
    flat = [spelled[i] for i in tokens.inverse.tolist()]
    starts, ends = tokens.layout.starts.tolist(), (tokens.layout.starts + tokens.layout.lengths).tolist()
    texts = [flat[start:end] for start, end in zip(starts, ends, strict=True)]
    keys = [text_key(words) for words in texts]
    found = dict(zip(keys, state.vectors.read(keys), strict=True))
    fresh: dict[bytes, Halves] = {}
    for key, words in zip(keys, texts, strict=True):
        value = found[key]
        if value is None or len(value) != len(words):
            found[key] = fresh[key] = _alone(model, words)
    if fresh and state.is_training:
        state.vectors.write(fresh)
    parts = [value for key in keys if (value := found[key]) is not None]
    V = np.concatenate(parts).astype("float32") if parts else np.zeros((0, n_mixed, a.width), "float32")
    if n_mixed == 1:
        return V[:, 0], _nothing
    mixer = model.layers[1 + a.n_layers]
    T, backprop_mixed = mixer([np.ascontiguousarray(V[:, i]) for i in range(n_mixed)], is_train)

    def backprop(dT: Floats2d) -> None:
        backprop_mixed(dT)

    return T, backprop


class Kept:
    """Of one model: the vectors that it keeps, once they are asked for, and whether this process trains it."""

    def __init__(self) -> None:
        self.vectors: KeptVectors | None = None
        self.is_training = False


def _alone(model: Model[Tokens, Packed], words: Sequence[str]) -> Halves:
    """The vectors of one text: (n_tokens, n_mixed, width)."""
    a: Architecture = model.attrs["architecture"]
    one = Tokens(np.zeros((0, 0), "uint64"), np.arange(len(words)), Layout([len(words)]), words=lambda: list(words))
    batch = _sequences(model, one)
    embed, *layers = model.layers[: 1 + a.n_layers]
    X = embed.predict(batch)
    pooled = []
    for i, layer in enumerate(layers):
        X = layer.predict((Pieces(X, batch), None))
        if i >= a.n_layers - model.attrs["mix"]:
            pooled.append(pool(X, batch, model.attrs["pooling"])[0])
    return np.stack(pooled, axis=1).astype("float16")


def _digest(model: Model[Tokens, Packed]) -> str:
    """All that the vectors depend on: weights, tokenizer, how texts are read, and the kernels that compute."""
    digest = hashlib.sha256()
    how = [repr(model.attrs[key]) for key in ("architecture", "pooling", "mix", "longest", "overlap")]
    digest.update("\n".join([*how, model.attrs["tokenizer_sha256"], kernel("numpy")]).encode("utf8"))
    for part in model.layers[: 1 + model.attrs["architecture"].n_layers]:
        for node in part.walk():
            for name in sorted(node.attrs.get("init", {})):
                digest.update(np.ascontiguousarray(node.get_param(name), dtype="<f4").tobytes())
    return digest.hexdigest()[:32]


def _nothing(dT: Floats2d) -> None:
    pass
