"""`tok2vec.type: encoder`: token vectors of a pretrained transformer, tuned with the rest of the network.

    word pieces → embeddings → layer0 … layerN → a vector a token → beside the vectors of another tok2vec

The encoder is one of BERT's family in Hugging Face's layout (architecture.py). The tok2vec beside it sees what an uncased
encoder does not, the case and shape of words, through hashed features. Source of the idea: Devlin et al. (2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from thinc.api import Model

from runner import registry
from runner.errors import RunnerError, suggest
from runner.model.dropout import Dropout, OwnRate
from runner.model.encoder.architecture import Architecture, read_architecture
from runner.model.encoder.embeddings import embeddings
from runner.model.encoder.layer import layer
from runner.model.encoder.mixed import mixed
from runner.model.encoder.pieces import WordTokenizer
from runner.model.encoder.pool import POOLING
from runner.model.encoder.pretrained import CARRIED, CONFIG, KEYS, TOKENIZER, Pretrained, initializers
from runner.model.encoder.vectors import Kept, encode, encode_fixed, lowest_learning
from runner.model.layout import Floats2d, Packed, Tokens, transposed
from runner.model.tok2vec import NO_FEATURES, HasFiles

EMBEDDINGS = "embeddings"
_BESIDE = "beside/"  # before the names of its files
Beside = Annotated[Any, registry.Block("tok2vecs")]


@registry.tok2vecs("encoder")
@registry.needs("tokenizers")
def encoder(
    model: Any,
    pooling: str = "first",
    mix: int = 1,
    beside: Beside | None = None,
    max_pieces: int | None = None,
    overlap: int = 64,
    dropout: float | None = None,
    train: Any = True,
) -> Encoder:
    """Return a builder of the tok2vec: `build(name, seed, dropout)` → Model[Tokens, Packed].

    model: a folder that holds config.json, tokenizer.json and model.safetensors, or where each is, by its key
    (pretrained.KEYS): a path, or {url, sha256, mirror}.
    pooling: a word's vector is that of its first piece, of its last, or the mean. mix: the last `mix` layers are mixed by
    learned shares (Peters et al., 2018); 1: the last layer. beside: a tok2vec whose vectors are put beside the encoder's.
    max_pieces: the longest sequence that is read at once; None: as many as the encoder has positions for. overlap: pieces
    that two windows of a longer text share. dropout: share of activations dropped inside of the encoder, in updates that
    drop any; None: as elsewhere. train: whether the encoder learns: true, false, or a list of the layers that do, from 0, and
    "embeddings". What does not learn has no gradient and is in no checkpoint.
    """
    if pooling not in POOLING:
        raise RunnerError(f"unknown pooling {pooling!r:.60}; {suggest(pooling, POOLING)}")
    if mix < 1:
        raise RunnerError(f"mix is {mix}; it must be at least 1")
    if max_pieces is not None and max_pieces < 16:
        raise RunnerError(f"max_pieces is {max_pieces}; it must be at least 16")
    if overlap < 0:
        raise RunnerError(f"overlap is {overlap}; it must not be negative")
    if dropout is not None and not 0 <= dropout < 1:
        raise RunnerError(f"dropout is {dropout}; it must be at least 0 and less than 1")
    _check_train(train)
    if not isinstance(model, str) and not (isinstance(model, Mapping) and set(model) == set(KEYS.values())):
        hint = f"Give a folder, or a mapping of {', '.join(KEYS.values())} to a path or {{url: …, sha256: …}} each."
        raise RunnerError(f"{model!r:.60} names no encoder", hint=hint)
    if isinstance(beside, Encoder):
        raise RunnerError(
            "an encoder cannot stand beside another", hint="Use beside.type=hash_embed_cnn, or beside=null."
        )
    return Encoder(Pretrained(model), Reading(pooling, mix, max_pieces, overlap), beside, dropout, train)


class Reading(NamedTuple):
    """How texts become the encoder's input, and its layers vectors; see `encoder`."""

    pooling: str
    mix: int
    max_pieces: int | None
    overlap: int


class Encoder:
    """Builds the tok2vec. Its files are read when it first builds, or come from a trained model, see `take_files`."""

    def __init__(
        self,
        source: Pretrained,
        reading: Reading,
        beside: Callable[[str, int, Dropout], Model[Tokens, Packed]] | None,
        dropout: float | None,
        train: bool | list[Any],
    ) -> None:
        self._source, self._reading, self._beside, self._dropout = source, reading, beside, dropout
        self._train = train
        self._files: dict[str, bytes] = {}
        self._place = "the model"

    def files(self) -> dict[str, Any]:
        """The files that a trained model must hold, by name; those of the tok2vec beside it too."""
        own = self._own_files()
        theirs: Mapping[str, Any] = self._beside.files() if isinstance(self._beside, HasFiles) else {}
        return {**own, **{f"{_BESIDE}{name}": content for name, content in theirs.items()}}

    def _own_files(self) -> dict[str, bytes]:
        if not self._files:
            self._place = str(self._source.path(CONFIG).parent)
            self._files = {name: self._source.read(name) for name in CARRIED}
        return dict(self._files)

    def take_files(self, files: Mapping[str, Any]) -> None:
        """Use the files of a trained model, in place of those of the pretrained encoder."""
        theirs = {name.removeprefix(_BESIDE): files[name] for name in files if name.startswith(_BESIDE)}
        if files.keys() - {f"{_BESIDE}{name}" for name in theirs} != set(CARRIED):
            raise ValueError("the files of the encoder are not in the model")
        if isinstance(self._beside, HasFiles):
            self._beside.take_files(theirs)
        elif theirs:
            raise ValueError("the model holds files that its encoder has no use for")
        self._files = {name: bytes(files[name]) for name in CARRIED}

    def __call__(self, name: str, seed: int, dropout: Dropout) -> Model[Tokens, Packed]:
        files = self._own_files()
        a = read_architecture(files[CONFIG], f"{self._place}/{CONFIG}")
        how = self._reading
        longest = min(a.longest, how.max_pieces or a.longest)
        if how.mix > a.n_layers:
            fact = f"mix is {how.mix}, and the encoder has {a.n_layers} layers"
            raise RunnerError(fact, place="tok2vec.mix", hint="Give a smaller number.")
        words = WordTokenizer(
            files[TOKENIZER], n_pieces=a.n_pieces, most=longest // 4, place=f"{self._place}/{TOKENIZER}"
        )
        layers = self._layers(
            f"{name}/encoder", a, OwnRate(dropout, self._dropout) if self._dropout is not None else dropout
        )
        if how.mix > 1:
            layers.append(mixed(f"{name}/mixed", n_layers=how.mix))
        beside = self._beside(f"{name}/beside", seed, dropout) if self._beside is not None else None
        if beside is not None:
            layers.append(beside)
        width = a.width + (beside.get_dim("nO") if beside is not None else 0)
        is_fixed = lowest_learning(layers[0], layers[1 : 1 + a.n_layers]) == a.n_layers
        return Model(
            name,
            forward,
            layers=layers,
            dims={"nO": width},
            attrs={
                "features": beside.attrs["features"] if beside is not None else NO_FEATURES,
                "architecture": a,
                "words": words,
                "tokenizer_sha256": hashlib.sha256(files[TOKENIZER]).hexdigest(),
                "kept": Kept() if is_fixed else None,
                "learns": not is_fixed or how.mix > 1 or beside is not None,
                "longest": longest,
                "overlap": how.overlap,
                "pooling": how.pooling,
                "mix": how.mix,
                "beside": beside,
                "dropout": dropout,
            },
        )

    def _layers(self, name: str, a: Architecture, dropout: Dropout) -> list[Model[Any, Any]]:
        """The embeddings, and the layers after them."""
        train = (
            self._train if isinstance(self._train, list) else [EMBEDDINGS, *range(a.n_layers)] if self._train else []
        )
        for number in train:
            if number != EMBEDDINGS and not 0 <= number < a.n_layers:
                fact = f"there is no layer {number}; the encoder has layers 0 to {a.n_layers - 1}"
                raise RunnerError(fact, place="tok2vec.train", hint="Name layers of the encoder.")
        init = initializers(self._source, a, EMBEDDINGS)
        first: Model[Any, Any] = embeddings(f"{name}/embeddings", a, dropout=dropout, init=init)
        first.attrs["is_fixed"] = EMBEDDINGS not in train
        rest = (
            layer(f"{name}/layer{i}", a, self._source, i, dropout, is_fixed=i not in train) for i in range(a.n_layers)
        )
        return [first, *rest]


def _check_train(train: Any) -> None:
    """Raise RunnerError unless `train` is true, false or a list of layer numbers and "embeddings"."""
    if isinstance(train, bool):
        return
    are_layers = isinstance(train, list) and all(
        one == EMBEDDINGS or (isinstance(one, int) and not isinstance(one, bool)) for one in train
    )
    if not are_layers:
        hint = "Give true, false, or a list of layers, such as [embeddings, 0, 1]."
        raise RunnerError(f"train is {train!r:.60}", place="tok2vec.train", hint=hint)


def forward(
    model: Model[Tokens, Packed], tokens: Tokens, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Tokens]]:
    """The encoder's vectors first, then those of the tok2vec beside it: (width, n_tokens)."""
    run = encode if model.attrs["kept"] is None else encode_fixed
    T, backprop_encoder = run(model, tokens, is_train)
    mask = model.attrs["dropout"].mask(*T.shape) if is_train else None
    if mask is not None:
        T *= mask
    X = transposed(T)  # (encoder's width, n_tokens)
    beside = model.attrs["beside"]
    packed, backprop_beside = beside(tokens, is_train) if beside is not None else (None, None)
    width = len(X)

    def backprop(dX: Floats2d) -> Tokens:
        dT = transposed(dX[:width])
        if mask is not None:
            dT *= mask
        backprop_encoder(dT)
        if backprop_beside is not None:
            backprop_beside(np.ascontiguousarray(dX[width:]))
        return tokens

    return Packed(X if packed is None else np.concatenate([X, packed.X]), tokens.layout), backprop
