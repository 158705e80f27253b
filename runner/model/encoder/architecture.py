"""What config.json says of an encoder: its sizes, and the traits in which the families of BERT differ.

    BERT, MiniLM    token types, positions from 0                           Devlin et al. (2019), Wang et al. (2020)
    RoBERTa, XLM-R  positions from the id of padding + 1                    Liu et al. (2019), Conneau et al. (2020)
    DistilBERT      no token types; its config has other names              Sanh et al. (2019)
    ELECTRA         embeddings may be narrower than the layers; projected   Clark et al. (2020)

The file is in Hugging Face's layout. It may be a stranger's: every number is checked before an array is made from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import RunnerError, suggest

FAMILIES = {
    "bert": "bert",
    "electra": "electra",
    "roberta": "roberta",
    "xlm-roberta": "roberta",
    "camembert": "roberta",
    "distilbert": "distilbert",
}  # model_type → family
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
               "relu": "relu"}  # fmt: skip
_NAMES = {
    "distilbert": {
        "width": "dim", "n_layers": "n_layers", "n_heads": "n_heads", "hidden": "hidden_dim", "activation": "activation",
    },
}  # fmt: skip
_USUAL_NAMES = {
    "width": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads",
    "hidden": "intermediate_size", "activation": "hidden_act",
}  # fmt: skip
_LARGEST = {"width": 16_384, "n_layers": 256, "n_heads": 1024, "hidden": 131_072, "n_pieces": 4_000_000, "n_positions": 65_536,
            "n_types": 1024, "embed_width": 16_384}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder.

    width: of its vectors. embed_width: of the embeddings; if it differs from `width`, they are projected. hidden: width of
    the feed-forward layers. n_pieces: rows of the table of word pieces. n_positions: rows of the table of positions, of
    which the first `first_position` are not used. n_types: rows of the table of token types; 0: there is none. eps: of the
    layer norms. activation: of the feed-forward layers, one of ops.transformer.ACTIVATIONS.
    """

    family: str
    width: int
    embed_width: int
    hidden: int
    n_layers: int
    n_heads: int
    n_pieces: int
    n_positions: int
    first_position: int
    n_types: int
    eps: float
    activation: str

    @property
    def head_width(self) -> int:
        return self.width // self.n_heads

    @property
    def longest(self) -> int:
        """The most pieces, special ones included, that have positions."""
        return self.n_positions - self.first_position


def read_architecture(content: bytes, place: str) -> Architecture:
    """The architecture that a config.json describes. place: of the file, for errors.

    Raises RunnerError if the file is damaged, or describes an encoder that this package cannot compute.
    """
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunnerError(f"the file is no JSON ({str(error)[:80]})", place=place, hint=_AGAIN) from None
    if not isinstance(config, Mapping):
        raise RunnerError("the file holds no mapping", place=place, hint=_AGAIN)
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise RunnerError(
            f"unknown architecture {kind!r:.60}; {suggest(str(kind), FAMILIES)}",
            place=f"{place}: model_type",
            hint="Use an encoder of the BERT family.",
        )
    family = FAMILIES[kind]
    _refuse_variants(config, place)
    names = _NAMES.get(family, _USUAL_NAMES)
    width = _size(config, names["width"], "width", place)
    padding = config.get("pad_token_id", 1 if family == "roberta" else 0)
    if not isinstance(padding, int) or not 0 <= padding < 1024:
        raise RunnerError(f"pad_token_id is {padding!r:.40}", place=place, hint=_AGAIN)
    architecture = Architecture(
        family=family,
        width=width,
        embed_width=_size(config, "embedding_size", "embed_width", place) if family == "electra" else width,
        hidden=_size(config, names["hidden"], "hidden", place),
        n_layers=_size(config, names["n_layers"], "n_layers", place),
        n_heads=_size(config, names["n_heads"], "n_heads", place),
        n_pieces=_size(config, "vocab_size", "n_pieces", place),
        n_positions=_size(config, "max_position_embeddings", "n_positions", place),
        first_position=padding + 1 if family == "roberta" else 0,
        n_types=0 if family == "distilbert" else _size(config, "type_vocab_size", "n_types", place),
        eps=_eps(config, family, place),
        activation=_activation(config, names["activation"], place),
    )
    if width % architecture.n_heads:
        fact = f"{architecture.n_heads} attention heads do not divide the width {width}"
        raise RunnerError(fact, place=place, hint=_AGAIN)
    if architecture.longest < 8:
        raise RunnerError(f"there are only {architecture.longest} positions", place=place, hint=_AGAIN)
    return architecture


_AGAIN = "Download the encoder again."


def _refuse_variants(config: Mapping[str, Any], place: str) -> None:
    """Raise RunnerError for settings that change what the layers compute."""
    for key, usual in (("position_embedding_type", "absolute"), ("is_decoder", False), ("add_cross_attention", False)):
        value = config.get(key, usual)
        if value != usual:
            fact = f"{key} is {value!r:.40}; only {usual!r} is known here"
            raise RunnerError(fact, place=place, hint="Use another encoder.")


def _size(config: Mapping[str, Any], key: str, name: str, place: str) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST[name]:
        fact = f"{key} is {value!r:.40}; it must be a whole number from 1 to {_LARGEST[name]:,}"
        raise RunnerError(fact, place=place, hint=_AGAIN)
    return value


def _eps(config: Mapping[str, Any], family: str, place: str) -> float:
    value = config.get("layer_norm_eps", 1e-12)
    if family == "distilbert":
        value = 1e-12  # a constant there
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise RunnerError(f"layer_norm_eps is {value!r:.40}", place=place, hint=_AGAIN)
    return float(value)


def _activation(config: Mapping[str, Any], key: str, place: str) -> str:
    value = config.get(key, "gelu")
    if value not in ACTIVATIONS:
        fact = f"unknown activation {value!r:.40}; {suggest(str(value), ACTIVATIONS)}"
        raise RunnerError(fact, place=f"{place}: {key}", hint="Use another encoder.")
    return ACTIVATIONS[value]
