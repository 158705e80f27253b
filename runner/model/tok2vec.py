"""Token vectors: hashed embeddings of a word's attributes, mixed, then a stack of convolutions.

    embed (distinct attributes) → mix (distinct lexemes) + static (known vectors) → gather to tokens
        + project (vectors of another tok2vec, such as a pretrained encoder) → dropout → encode1 … encodeN (residual)

The shape is spaCy's HashEmbedCNN. Everything up to `gather` runs once per distinct lexeme of the batch, or less often. That
is exact: dropout before `gather` drops whole columns, the same for every token. Dropout by token comes after `gather`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.errors import RunnerError, suggest
from runner.model.dropout import Dropout
from runner.model.hash_embed import hash_embed
from runner.model.layout import Floats2d, Packed, TableWords, Tokens, transposed
from runner.model.maxout_window import maxout_window
from runner.model.mix import mix
from runner.model.ops import Ops
from runner.model.projected import projected
from runner.model.vectors.static import StaticVectors, static

FEATURES = ("norm", "prefix", "suffix", "shape", "prefix2", "prefix3", "suffix2", "suffix4", "orth", "tag", "pos")
NO_FEATURES = ("orth",)  # of a tok2vec that reads words alone: a batch's tokens have at least one feature
UNKNOWN_WORD = np.uint64(1)  # the hash of every unknown word
_CONTEXT = "context/"  # before the names of the files of the tok2vec below

Context = Annotated[Any, registry.Block("tok2vecs")]
BuildTok2Vec = Callable[[str, int, Dropout], "Model[Tokens, Packed]"]


@runtime_checkable
class HasFiles(Protocol):
    """A builder that reads files which a trained model must hold, such as an encoder's config and tokenizer."""

    def files(self) -> dict[str, bytes]:
        """The files by name."""

    def take_files(self, files: Mapping[str, bytes]) -> None:
        """Build from these files from now on. Raises ValueError if others are needed."""


@registry.tok2vecs("hash_embed_cnn")
def hash_embed_cnn(
    width: int = 96,
    depth: int = 4,
    embed_size: int = 2000,
    window_size: int = 1,
    maxout_pieces: int = 2,
    features: Sequence[str] = ("norm", "prefix", "prefix3", "suffix2", "suffix", "shape"),
    word_dropout: float = 0.25,
    vectors: registry.VectorsBlock | None = None,
    context: Context | None = None,
) -> BuildTok2Vec:
    """Return a builder of the tok2vec: `build(name, seed, dropout)` → Model[Tokens, Packed].

    width: of a token's vector. depth: convolutions; each sees `window_size` tokens on either side. embed_size: rows of
    the norm's table (the other tables have half). maxout_pieces: linear pieces a unit chooses from; 1: a ReLU. features:
    the attributes of a word that are embedded. word_dropout: how often rare words are hidden while training, see
    `hide_words`; 0: never, and unknown words are hashed like other words. vectors: of words, known before training
    (vectors/static.py); hidden words keep theirs, but for those that pretraining masks. context: a tok2vec whose vectors are
    projected to `width` and added to the embeddings, so that the convolutions read them: a pretrained encoder. It has no
    features of its own.
    """
    _check_sizes(width, depth, embed_size, window_size, maxout_pieces)
    _check_features(features, word_dropout)
    if context is not None and depth == 0:
        raise RunnerError("context needs convolutions that read it, and depth is 0")

    def build(name: str, seed: int, dropout: Dropout) -> Model[Tokens, Packed]:
        rows = [embed_size if feature in ("norm", "orth") else max(embed_size // 2, 1) for feature in features]
        embed = hash_embed(f"{name}/embed", nO=width, rows=rows, features=features, seed=seed, dropout=dropout)
        mixer = mix(f"{name}/mix", nO=width, nI=width, n_features=len(features), nP=maxout_pieces)
        encode = [
            maxout_window(
                f"{name}/encode{i + 1}",
                nO=width,
                nI=width,
                nP=maxout_pieces,
                window_size=window_size,
                is_residual=True,
                dropout=dropout,
            )
            for i in range(depth)
        ]
        known = [static(f"{name}/static", vectors, nO=width)] if vectors is not None else []
        below = [projected(f"{name}/project", _context(context, name, seed, dropout), nO=width)] if context else []
        return Model(
            name,
            forward,
            layers=[embed, mixer, *encode, *known, *below],
            dims={"nO": width},
            attrs={
                "dropout": dropout,
                "word_dropout": word_dropout,
                "features": tuple(features),
                "encode": encode,
                "static": known[0] if known else None,
                "context": below[0] if below else None,
            },
        )

    return build if vectors is None and context is None else WithParts(build, vectors, context)


def _context(build: Any, name: str, seed: int, dropout: Dropout) -> Model[Tokens, Packed]:
    """The tok2vec of `context`. Raises RunnerError if it reads features, which only the outer tok2vec is given."""
    model: Model[Tokens, Packed] = build(f"{name}/context", seed, dropout)
    if model.attrs["features"] != NO_FEATURES:
        hint = "Set tok2vec.context.beside=null: the convolutions around it have features."
        raise RunnerError("the tok2vec of context reads features of its own", place="tok2vec.context", hint=hint)
    return model


def _check_sizes(width: int, depth: int, embed_size: int, window_size: int, maxout_pieces: int) -> None:
    for name, value, low, high in (
        ("width", width, 1, 8192), ("depth", depth, 0, 64), ("embed_size", embed_size, 2, 10_000_000),
        ("window_size", window_size, 1, 32), ("maxout_pieces", maxout_pieces, 1, 32),
    ):  # fmt: skip
        if not low <= value <= high:
            raise RunnerError(f"{name} is {value}; it must be from {low} to {high}")


def _check_features(features: Sequence[str], word_dropout: float) -> None:
    if word_dropout < 0:
        raise RunnerError(f"word_dropout is {word_dropout}; it must not be negative")
    if not features:
        raise RunnerError("features is empty", hint=f"Known: {', '.join(FEATURES)}.")
    for feature in features:
        if feature not in FEATURES:
            raise RunnerError(f"unknown feature {feature!r}; {suggest(feature, FEATURES)}")
    if len(set(features)) < len(features):
        raise RunnerError("a feature is listed twice")


@dataclass(frozen=True)
class WithParts:
    """A builder whose models read static vectors, or the vectors of another tok2vec, whose files a trained model must hold."""

    build: BuildTok2Vec
    vectors: StaticVectors | None
    context: Any  # a builder of a tok2vec, or None

    def __call__(self, name: str, seed: int, dropout: Dropout) -> Model[Tokens, Packed]:
        return self.build(name, seed, dropout)

    def files(self) -> dict[str, Any]:
        own = self.vectors.files() if self.vectors is not None else {}
        theirs = self.context.files() if isinstance(self.context, HasFiles) else {}
        return {**own, **{f"{_CONTEXT}{name}": content for name, content in theirs.items()}}

    def take_files(self, files: Mapping[str, Any]) -> None:
        theirs = {name.removeprefix(_CONTEXT): files[name] for name in files if name.startswith(_CONTEXT)}
        own = {name: files[name] for name in files if not name.startswith(_CONTEXT)}
        for part, given in ((self.vectors, own), (self.context, theirs)):
            if part is not None and isinstance(part, HasFiles):
                part.take_files(given)
            elif given:
                raise ValueError("the model holds files that its token vectors have no use for")

    def know(self, words: Sequence[str]) -> NDArray[np.bool_] | None:
        """Whether each word has a static vector, (n,); None without static vectors."""
        return self.vectors.knows(words) if self.vectors is not None else None


def forward(
    model: Model[Tokens, Packed], tokens: Tokens, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Tokens]]:
    dropout: Dropout = model.attrs["dropout"]
    static_layer: Model[Sequence[str], Floats2d] | None = model.attrs["static"]
    context: Model[Tokens, Floats2d] | None = model.attrs["context"]
    embed, mixer = model.layers[:2]
    P, backprop_context = context(tokens, is_train) if context is not None else (None, None)  # reads hidden words too
    if model.attrs["word_dropout"] and tokens.counts is not None:
        features, rate = model.attrs["features"], model.attrs["word_dropout"]
        tokens = hide_words(model.ops, tokens, features, rate, dropout if is_train else None)
    values, backprop_embed = embed(tokens.features, is_train)
    L, backprop_mix = mixer(values, is_train)  # (width, n_lexemes)
    backprop_static = None
    if static_layer is not None:
        assert tokens.words is not None
        S, backprop_static = static_layer(tokens.words(), is_train)
        L += S
    X = L.take(tokens.inverse, axis=1)  # (width, n_tokens)
    if P is not None:
        X += P
    mask = dropout.mask(*X.shape) if is_train else None
    if mask is not None:
        X *= mask
    packed = Packed(X, tokens.layout)
    backprops = []
    for layer in model.attrs["encode"]:
        packed, backprop_layer = layer(packed, is_train)
        if is_train:  # a backprop keeps its layer's arrays in memory, ten times the size of its output
            backprops.append(backprop_layer)

    def backprop(dX: Floats2d) -> Tokens:
        for backprop_layer in reversed(backprops):
            dX = backprop_layer(dX)
        if mask is not None:
            dX = dX * mask
        if backprop_context is not None:
            backprop_context(dX)
        dL = np.zeros((L.shape[1], L.shape[0]), dtype=L.dtype)  # (n_lexemes, width)
        if len(dL):
            model.ops.scatter_add(dL, tokens.inverse.astype("int32"), transposed(dX))
        dL = transposed(dL)
        if backprop_static is not None:
            backprop_static(dL)
        backprop_embed(backprop_mix(dL))
        return tokens

    return packed, backprop


def hide_words(
    ops: Ops, tokens: Tokens, features: Sequence[str], word_dropout: float, dropout: Dropout | None
) -> Tokens:
    """Replace words never seen in training by the unknown word, and, given dropout, also rare words at random.

    A word seen n times is hidden with probability word_dropout / (word_dropout + n) (Kiperwasser and Goldberg, 2016), so
    that the model learns to handle unknown words. Only the word itself (norm, orth) is hidden; its
    affixes and shape stay.
    """
    counts = tokens.counts
    assert counts is not None
    whole = [i for i, feature in enumerate(features) if feature in ("norm", "orth")]
    if dropout is None:
        hashes: Any = tokens.features.copy()
        for i in whole:
            hashes[counts == 0, i] = UNKNOWN_WORD
        return tokens._replace(features=hashes)
    probability = word_dropout / (word_dropout + counts)
    is_hidden = dropout.uniform(len(tokens.inverse)) < probability[tokens.inverse]
    n = len(tokens.features)
    variants, inverse = ops.distinct(tokens.inverse + n * is_hidden)
    hashes = tokens.features[variants % n] if n else tokens.features
    for i in whole:
        hashes[variants >= n, i] = UNKNOWN_WORD
    words = tokens.words
    return tokens._replace(
        features=hashes, inverse=inverse, words=(lambda: _taken(words(), variants % n)) if words is not None else None
    )


def _taken(words: Sequence[str], places: NDArray[np.integer[Any]]) -> Sequence[str]:
    if isinstance(words, TableWords):
        return words.take(places)
    return [words[place] for place in places.tolist()]
