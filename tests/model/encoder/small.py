"""Small random encoders in Hugging Face's layout, one of each architecture, and their output computed slowly.

`vectors` reads config and tensors by the library's own names and shares no code with runner/model/encoder: float64, one
piece at a time, math.erf.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

WORDS = "the cat sat on mats un ##believ ##able ##s dog , . ! a e i o u # ##x ##y ##z x y z 1 2 3".split()
TEXTS = ["the cats sat on unbelievable mats .", "dogs !", "a , a", "xyz zyx the yx unbelievables 123"]

_USUAL = {"hidden_size": 12, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16,
          "max_position_embeddings": 40, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
          "pad_token_id": 0}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {**_USUAL, "model_type": "bert", "num_attention_heads": 3, "intermediate_size": 20},
    "roberta": {**_USUAL, "model_type": "roberta", "hidden_size": 8, "max_position_embeddings": 42, "type_vocab_size": 1,
                "layer_norm_eps": 1e-5, "pad_token_id": 1},
    "electra": {**_USUAL, "model_type": "electra", "embedding_size": 6, "hidden_act": "gelu_new"},
    "distilbert": {"model_type": "distilbert", "dim": 12, "n_heads": 2, "n_layers": 2, "hidden_dim": 18,
                   "max_position_embeddings": 40, "activation": "relu", "pad_token_id": 0},
}  # fmt: skip


def write_encoder(folder: Path, kind: str, seed: int = 0, **changes: Any) -> Path:
    """The three files of a random encoder; its weights are large enough that every part of it matters."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _byte_level() if kind == "roberta" else _word_piece()
    tokenizer.enable_truncation(max_length=8)  # as all-MiniLM-L6-v2's file has it: no business of ours
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {**CONFIGS[kind], "vocab_size": tokenizer.get_vocab_size() + 3, **changes}
    (folder / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(seed)
    tensors = {
        name: (rng.standard_normal(shape) * (0.5 if len(shape) > 1 else 0.2)).astype("float32")
        + (1.0 if is_gain else 0.0)
        for name, shape, is_gain in _shapes(kind, config)
    }
    prefix = {"bert": "", "roberta": "roberta.", "electra": "electra.", "distilbert": "distilbert."}[kind]
    saved = {prefix + name: np.asarray(value, dtype="float32") for name, value in tensors.items()}
    save_file({**saved, "cls.head.weight": np.zeros((2, 2), "float32")}, folder / "model.safetensors")
    return folder


def _shapes(kind: str, c: dict[str, Any]) -> list[tuple[str, tuple[int, ...], bool]]:
    w, h, n = (c.get(a, c.get(b)) for a, b in (("hidden_size", "dim"), ("intermediate_size", "hidden_dim"),
                                               ("num_hidden_layers", "n_layers")))  # fmt: skip
    e = c.get("embedding_size", w)
    rows: list[tuple[str, tuple[int, ...], bool]] = [
        ("embeddings.word_embeddings.weight", (c["vocab_size"], e), False),
        ("embeddings.position_embeddings.weight", (c["max_position_embeddings"], e), False),
        ("embeddings.LayerNorm.weight", (e,), True), ("embeddings.LayerNorm.bias", (e,), False),
    ]  # fmt: skip
    if kind != "distilbert":
        rows.append(("embeddings.token_type_embeddings.weight", (c["type_vocab_size"], e), False))
    if e != w:
        rows += [("embeddings_project.weight", (w, e), False), ("embeddings_project.bias", (w,), False)]
    for i in range(n):
        for (name, is_norm), (n_out, n_in) in zip(
            _parts(kind, i), ((w, w),) * 4 + ((w, w), (h, w), (w, h), (w, w)), strict=True
        ):
            rows.append((f"{name}.weight", (n_out,) if is_norm else (n_out, n_in), is_norm))
            rows.append((f"{name}.bias", (n_out,), False))
    return rows


def _parts(kind: str, i: int) -> list[tuple[str, bool]]:
    """query, key, value, attention's output, its norm, feed-forward up and down, its norm; and whether it is a norm."""
    if kind == "distilbert":
        at = f"transformer.layer.{i}"
        names = [*(f"{at}.attention.{one}_lin" for one in ("q", "k", "v", "out")), f"{at}.sa_layer_norm",
                 f"{at}.ffn.lin1", f"{at}.ffn.lin2", f"{at}.output_layer_norm"]  # fmt: skip
    else:
        at = f"encoder.layer.{i}"
        names = [*(f"{at}.attention.self.{one}" for one in ("query", "key", "value")), f"{at}.attention.output.dense",
                 f"{at}.attention.output.LayerNorm", f"{at}.intermediate.dense", f"{at}.output.dense",
                 f"{at}.output.LayerNorm"]  # fmt: skip
    return [(name, place in (4, 7)) for place, name in enumerate(names)]


def vectors(folder: Path, words: list[str]) -> list[np.ndarray]:
    """The output of each layer for one text: (n_pieces, width), special pieces included."""
    from safetensors.numpy import load_file

    c = json.loads((folder / "config.json").read_text())
    kind = c["model_type"]
    T = {
        name.removeprefix(f"{kind}."): value.astype("float64")
        for name, value in load_file(folder / "model.safetensors").items()
    }
    eps = c.get("layer_norm_eps", 1e-12)
    first = c["pad_token_id"] + 1 if kind == "roberta" else 0
    X = []
    for place, piece in enumerate(pieces(folder, words)):
        x = T["embeddings.word_embeddings.weight"][piece] + T["embeddings.position_embeddings.weight"][first + place]
        if kind != "distilbert":
            x = x + T["embeddings.token_type_embeddings.weight"][0]
        x = _norm(x, T["embeddings.LayerNorm.weight"], T["embeddings.LayerNorm.bias"], eps)
        if "embeddings_project.weight" in T:
            x = T["embeddings_project.weight"] @ x + T["embeddings_project.bias"]
        X.append(x)
    n_heads = c.get("num_attention_heads", c.get("n_heads"))
    act = _activation(c.get("hidden_act", c.get("activation")))
    outputs = []
    for i in range(c.get("num_hidden_layers", c.get("n_layers"))):
        (q, k, v, out, norm1, up, down, norm2) = (
            (T[f"{name}.weight"], T[f"{name}.bias"]) for name, _ in _parts(kind, i)
        )
        Q, K, V = ([W @ x + b for x in X] for W, b in (q, k, v))
        size = len(X[0]) // n_heads
        H = []
        for a in range(len(X)):
            context = []
            for head in range(n_heads):
                s = slice(head * size, (head + 1) * size)
                scores = [float(Q[a][s] @ K[b][s]) / math.sqrt(size) for b in range(len(X))]
                e = [math.exp(score - max(scores)) for score in scores]
                context.append(sum(e[b] / sum(e) * V[b][s] for b in range(len(X))))
            H.append(_norm(X[a] + out[0] @ np.concatenate(context) + out[1], *norm1, eps))
        X = [_norm(x + down[0] @ np.array([act(z) for z in up[0] @ x + up[1]]) + down[1], *norm2, eps) for x in H]
        outputs.append(np.array(X))
    return outputs


def pieces(folder: Path, words: list[str]) -> list[int]:
    """By the library's own pre-tokenized mode, without truncation."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer.encode(words, is_pretokenized=True).ids


def _norm(x: Any, gain: Any, bias: Any, eps: float) -> Any:
    return (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + eps) * gain + bias


def _activation(name: str) -> Any:
    if name == "relu":
        return lambda z: max(z, 0.0)
    if name == "gelu_new":
        return lambda z: 0.5 * z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    return lambda z: z * 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _word_piece() -> Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer
