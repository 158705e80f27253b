"""An encoder's files in Hugging Face's layout: config.json, tokenizer.json, model.safetensors.

    Pretrained("/path/to/folder")
    Pretrained({config: {url: …, sha256: …, mirror: …}, tokenizer: …, weights: …})      fetched once, see corpus/locate.py

Files are read when they are asked for. A trained model holds config and tokenizer (storage.py), and its weights; it asks
for no file. Names of weights differ between families; `tensor` knows them by this package's paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.corpus.locate import locate
from runner.errors import RunnerError
from runner.model.encoder.architecture import Architecture
from runner.model.encoder.pieces import INSTALL
from runner.model.parameters import Initializer, Shape

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
CARRIED = (CONFIG, TOKENIZER)  # the files that a trained model holds
KEYS = {CONFIG: "config", TOKENIZER: "tokenizer", WEIGHTS: "weights"}  # of a mapping in place of a folder
_KEY = "tok2vec.model"
_MAX_BYTES = {CONFIG: 1 << 20, TOKENIZER: 1 << 26}
Tensor = NDArray[np.float32]
Names = str | tuple[str, ...]  # of a tensor, or of several that are put one below the other

_BERT: dict[str, Names] = {
    "embeddings/E": "embeddings.word_embeddings.weight",
    "embeddings/positions": "embeddings.position_embeddings.weight",
    "embeddings/types": "embeddings.token_type_embeddings.weight",
    "embeddings/G": "embeddings.LayerNorm.weight",
    "embeddings/b": "embeddings.LayerNorm.bias",
    "embeddings/W": "embeddings_project.weight",
    "embeddings/b_W": "embeddings_project.bias",
    "attention/W": tuple(f"encoder.layer.{{}}.attention.self.{one}.weight" for one in ("query", "key", "value")),
    "attention/b": tuple(f"encoder.layer.{{}}.attention.self.{one}.bias" for one in ("query", "key", "value")),
    "attention/W_O": "encoder.layer.{}.attention.output.dense.weight",
    "attention/b_O": "encoder.layer.{}.attention.output.dense.bias",
    "attention_norm/G": "encoder.layer.{}.attention.output.LayerNorm.weight",
    "attention_norm/b": "encoder.layer.{}.attention.output.LayerNorm.bias",
    "feed_forward/U": "encoder.layer.{}.intermediate.dense.weight",
    "feed_forward/b_U": "encoder.layer.{}.intermediate.dense.bias",
    "feed_forward/D": "encoder.layer.{}.output.dense.weight",
    "feed_forward/b_D": "encoder.layer.{}.output.dense.bias",
    "feed_forward_norm/G": "encoder.layer.{}.output.LayerNorm.weight",
    "feed_forward_norm/b": "encoder.layer.{}.output.LayerNorm.bias",
}  # fmt: skip
_DISTILBERT: dict[str, Names] = _BERT | {
    "attention/W": tuple(f"transformer.layer.{{}}.attention.{one}_lin.weight" for one in "qkv"),
    "attention/b": tuple(f"transformer.layer.{{}}.attention.{one}_lin.bias" for one in "qkv"),
    "attention/W_O": "transformer.layer.{}.attention.out_lin.weight",
    "attention/b_O": "transformer.layer.{}.attention.out_lin.bias",
    "attention_norm/G": "transformer.layer.{}.sa_layer_norm.weight",
    "attention_norm/b": "transformer.layer.{}.sa_layer_norm.bias",
    "feed_forward/U": "transformer.layer.{}.ffn.lin1.weight",
    "feed_forward/b_U": "transformer.layer.{}.ffn.lin1.bias",
    "feed_forward/D": "transformer.layer.{}.ffn.lin2.weight",
    "feed_forward/b_D": "transformer.layer.{}.ffn.lin2.bias",
    "feed_forward_norm/G": "transformer.layer.{}.output_layer_norm.weight",
    "feed_forward_norm/b": "transformer.layer.{}.output_layer_norm.bias",
}  # fmt: skip
TENSORS: Mapping[str, Mapping[str, Names]] = {
    "bert": _BERT, "roberta": _BERT, "electra": _BERT, "distilbert": _DISTILBERT,
}  # fmt: skip


class Pretrained:
    """The files of one encoder. source: a folder, or a mapping of KEYS → a path, or where the file is fetched from."""

    def __init__(self, source: str | Mapping[str, Any]) -> None:
        self.source = source
        self._names: dict[str, str] | None = None  # name without the model's prefix → name in the file
        self._located: dict[str, Path] = {}  # files whose checksum was computed: once, and not for each tensor

    def path(self, name: str) -> Path:
        """Where a file lies, fetched if need be. Raises RunnerError if there is none."""
        if isinstance(self.source, Mapping):
            if name not in self._located:
                key = KEYS[name]
                self._located[name] = locate(self.source.get(key), f"{_KEY}.{key}")[0]
            return self._located[name]
        folder = Path(self.source).expanduser()
        path = folder / name
        if not folder.is_dir():
            hint = "Give a folder that holds config.json, tokenizer.json and model.safetensors."
            raise RunnerError(f"there is no folder {folder}", place=_KEY, hint=hint)
        if not path.is_file():
            hint = "Download it from where the encoder comes from"
            if name == WEIGHTS and (folder / "pytorch_model.bin").is_file():
                hint = "pytorch_model.bin is a pickle, which is not read; download model.safetensors"
            elif name == TOKENIZER:
                hint = "vocab.txt alone is not read; download tokenizer.json"
            raise RunnerError(f"there is no {name}", place=str(folder), hint=f"{hint}.")
        return path

    def read(self, name: str) -> bytes:
        """A file's content. Raises RunnerError if it cannot be read."""
        path = self.path(name)
        try:
            if path.stat().st_size > _MAX_BYTES[name]:
                fact = f"the file is larger than {_MAX_BYTES[name]:,} bytes"
                raise RunnerError(fact, place=str(path), hint="Download the encoder again.")
            return path.read_bytes()
        except OSError as error:
            raise RunnerError(f"cannot read: {error.strerror}", place=str(path), hint="Check the file.") from None

    def initializer(self, family: str, key: str, layer: int | None) -> Initializer:
        """The pretrained values of a parameter, such as "attention/W", of a layer."""
        given = TENSORS[family][key]
        names = [given] if isinstance(given, str) else list(given)
        names = [name.format(layer) for name in names]

        def init(rng: np.random.Generator, shape: Shape) -> Tensor:
            parts = [self._tensor(name) for name in names]
            value = parts[0] if len(parts) == 1 else np.concatenate(parts)
            if value.shape != shape:
                fact = f"{' + '.join(names)} has the shape {value.shape}, and config.json wants {shape}"
                raise RunnerError(fact, place=str(self.path(WEIGHTS)), hint="Download the encoder again.")
            return value

        return init

    def _tensor(self, name: str) -> Tensor:
        """A tensor of model.safetensors as float32. Raises RunnerError if it is missing or of another type."""
        path = self.path(WEIGHTS)
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise RunnerError(f"safetensors is not installed ({error})", place="tok2vec.type", hint=INSTALL) from None
        again = "Download the encoder again."
        try:
            with safe_open(path, framework="numpy") as file:
                if self._names is None:
                    self._names = {_bare(full): full for full in file.keys()}  # noqa: SIM118
                if name not in self._names:
                    fact = f"there is no tensor {name!r} among {len(self._names):,}"
                    raise RunnerError(fact, place=str(path), hint=again)
                value = file.get_tensor(self._names[name])
        except (SafetensorError, OSError, TypeError, ValueError) as error:
            raise RunnerError(f"the weights cannot be read ({str(error)[:100]})", place=str(path), hint=again) from None
        if value.dtype.kind != "f":
            raise RunnerError(f"the tensor {name!r} holds {value.dtype}, no numbers", place=str(path), hint=again)
        return np.asarray(value, dtype="float32")


def initializers(source: Pretrained, a: Architecture, part: str, layer: int | None = None) -> dict[str, Initializer]:
    """The initial values of the parameters of one layer, by name. part: such as "attention"."""
    keys = [key for key in TENSORS[a.family] if key.startswith(f"{part}/")]
    return {key.partition("/")[2]: source.initializer(a.family, key, layer) for key in keys}


def _bare(name: str) -> str:
    """A tensor's name without the name of the model around it: `bert.encoder.layer…` → `encoder.layer…`."""
    for prefix in ("bert.", "roberta.", "electra.", "distilbert."):
        name = name.removeprefix(prefix)
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        name = name.replace(old, new)
    return name
