"""The encoder beside a slow second implementation, its gradients beside finite differences, long texts, faulty files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.encoder import pretrained
from runner.model.encoder import vectors as vectors_module
from runner.model.encoder.encoder import encoder
from runner.model.layout import Layout, Tokens
from runner.model.ops import make_ops
from runner.model.parameters import Parameters
from runner.model.tables import Table
from runner.model.tok2vec import hash_embed_cnn
from tests.model.encoder.small import CONFIGS, TEXTS, pieces, vectors, write_encoder

MINILM = Path(os.environ.get("RUNNER_DATA_MIRROR", ""), "encoders/all-MiniLM-L6-v2")
needs_minilm = pytest.mark.skipif(
    not os.environ.get("RUNNER_DATA_MIRROR") or not MINILM.is_dir(), reason="RUNNER_DATA_MIRROR holds no encoder"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def made(folder: Path | str, seed: int = 0, rate: float = 0.0, **settings: Any) -> tuple[Any, Parameters]:
    dropout = Dropout()
    dropout.reset(rate, seed)
    model = encoder(str(folder), **settings)("tok2vec", seed, dropout)
    parameters = Parameters(make_ops("numpy"))
    parameters.bind({"tok2vec": model}, seed)
    return model, parameters


def tokens(*texts: str) -> Tokens:
    split = [text.split() for text in texts]
    words = list(dict.fromkeys(word for text in split for word in text))
    hashes = np.array([[abs(hash(word)) % 1000] for word in words] or np.zeros((0, 1)), dtype="uint64")
    inverse = np.array([words.index(word) for text in split for word in text], dtype="int64")
    return Tokens(hashes, inverse, Layout([len(text) for text in split]), None, lambda: words)


def expected(folder: Path, text: str, pooling: str, layer: int = -1) -> np.ndarray:
    """(n_tokens, width)"""
    words = text.split()
    H = vectors(folder, words)[layer][1:-1]
    rows, start = [], 0
    for word in words:
        n = len(pieces(folder, [word])) - 2
        own = H[start : start + n]
        rows.append({"first": own[0], "last": own[-1], "mean": own.mean(axis=0)}[pooling])
        start += n
    return np.array(rows)


@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_output_equals_that_of_the_slow_implementation(kind: str, pooling: str, tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / kind, kind)
    model, _ = made(folder, pooling=pooling)
    wanted = np.concatenate([expected(folder, text, pooling) for text in TEXTS])
    for given in (model.predict(tokens(*TEXTS)), model(tokens(*TEXTS), True)[0]):
        np.testing.assert_allclose(given.X.T, wanted, atol=2e-5, rtol=1e-4)


def test_a_mix_of_layers_begins_as_their_mean(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path, "bert")
    model, _ = made(folder, mix=2)
    mean = (expected(folder, TEXTS[0], "first", 0) + expected(folder, TEXTS[0], "first", 1)) / 2
    np.testing.assert_allclose(model.predict(tokens(TEXTS[0])).X.T, mean, atol=2e-5, rtol=1e-4)


def test_neighbours_change_nothing_but_last_bits(tmp_path: Path) -> None:
    model, _ = made(write_encoder(tmp_path, "bert"))
    alone = [model.predict(tokens(text)).X for text in TEXTS]
    together = model.predict(tokens(*TEXTS)).X
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), atol=1e-5)


def test_many_texts_are_predicted_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = made(write_encoder(tmp_path, "bert"))
    texts = ("", *TEXTS, "", TEXTS[0], "")
    whole = model.predict(tokens(*texts)).X
    for n in (1, 5, 9):
        monkeypatch.setattr(vectors_module, "WORDS_AT_ONCE", n)
        np.testing.assert_allclose(model.predict(tokens(*texts)).X, whole, atol=1e-5)


def test_empty_texts_have_no_vectors(tmp_path: Path) -> None:
    model, _ = made(write_encoder(tmp_path, "bert"), beside=hash_embed_cnn(width=4, depth=1, features=["norm"]))
    X, backprop = model(tokens("", TEXTS[1], ""), True)
    assert X.X.shape == (16, 2)
    backprop(np.ones_like(X.X))
    assert model.predict(tokens("", "")).X.shape == (16, 0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("bert", {}), ("bert", {"pooling": "mean"}), ("bert", {"mix": 2, "pooling": "last"}), ("roberta", {}),
     ("electra", {"pooling": "mean"}), ("distilbert", {}), ("bert", {"rate": 0.3}), ("bert", {"train": [0]}),
     ("bert", {"train": [1], "mix": 2}), ("bert", {"train": ["embeddings"], "dropout": 0.5, "rate": 0.1}),
     ("bert", {"max_pieces": 16, "overlap": 6})],
)  # fmt: skip
def test_gradients_are_those_of_finite_differences(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """In float64: every kind of layer, several weights of each parameter."""
    rate = settings.pop("rate", 0.0)
    model, _ = made(write_encoder(tmp_path, kind), **settings)
    weights = in_float64(model)
    rng = np.random.default_rng(1)
    batch = tokens(*TEXTS, " ".join(TEXTS) + " " + TEXTS[0])
    shape = model.predict(batch).X.shape
    towards = rng.standard_normal(shape)

    def loss() -> tuple[float, Any]:
        model.attrs["dropout"].reset(rate, 7)
        packed, backprop = model(batch, True)
        return float((packed.X * towards).sum()), backprop

    _, backprop = loss()
    backprop(towards)
    for node, name, value in weights:
        table = node.attrs.get("tables", {}).get(name)
        if table is not None:
            table.collect()
        gradient = table.gradient if table is not None else node.get_grad(name)
        moved = np.argsort(-np.abs(gradient), axis=None)[:3].tolist() + rng.integers(0, value.size, 2).tolist()
        for place in moved:
            at = np.unravel_index(place, value.shape)
            before, losses = value[at], []
            for step in (1e-5, -1e-5):
                value[at] = before + step
                losses.append(loss()[0])
                for touched in (node.attrs.get("tables") or {}).values():
                    touched.touched = []
            value[at] = before
            assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradient[at], rel=2e-3, abs=2e-4), (node.name, name)


@pytest.mark.parametrize("resting", [[], ["embeddings"], ["embeddings", "layer0"], ["embeddings", "layer0", "layer1"]])
def test_layers_that_rest_change_no_vector_and_have_no_gradient(resting: list[str], tmp_path: Path) -> None:
    model, parameters = made(write_encoder(tmp_path, "bert"), mix=2)
    before = model.predict(tokens(*TEXTS)).X
    parameters.freeze(path for path in parameters.layout if path.split("/")[2] in resting)
    X, backprop = model(tokens(*TEXTS), True)
    np.testing.assert_allclose(X.X, before, atol=1e-6)
    backprop(np.ones_like(X.X))
    for table in parameters.tables.values():
        table.collect()
    moving = {path.split("/")[2] for path, view in parameters.views(parameters.gradient).items() if view.any()}
    assert moving - {"shares", "scale"} == {"embeddings", "layer0", "layer1"} - {*resting}  # beside those of the mix


def in_float64(model: Any) -> list[tuple[Any, str, np.ndarray]]:
    weights = []
    for node in model.walk():
        for name in node.attrs.get("init", {}):
            value = node.get_param(name).astype("float64")
            node.set_param(name, value)
            if node.attrs.get("is_fixed"):
                continue
            node.set_grad(name, np.zeros_like(value))
            if name in node.attrs.get("tables", ()):
                node.attrs["tables"][name] = Table(value, np.zeros_like(value))
            weights.append((node, name, value))
    return weights


@pytest.mark.parametrize(
    ("train", "n_moving"), [(True, 29), (False, 0), ([], 0), ([1], 12), (["embeddings", 0], 17), ([0, 1], 24)]
)
def test_what_does_not_learn_is_not_in_the_flat_arrays(train: Any, n_moving: int, tmp_path: Path) -> None:
    """The embeddings have 5 parameters, and each of the two layers has 12."""
    folder = write_encoder(tmp_path, "bert")
    model, parameters = made(folder, train=train)
    assert (len(parameters.layout), len(parameters.fixed)) == (n_moving, 29 - n_moving)
    whole = made(folder)[0]
    is_rounded = not n_moving  # to float16, as it is kept
    np.testing.assert_allclose(
        model.predict(tokens(*TEXTS)).X, whole.predict(tokens(*TEXTS)).X, rtol=1e-3 * is_rounded, atol=1e-3 * is_rounded
    )
    X, backprop = model(tokens(*TEXTS), True)
    backprop(np.ones_like(X.X))
    moving = {path.split("/")[2] for path, view in parameters.views(parameters.gradient).items() if view.any()}
    named = {f"layer{one}" if isinstance(one, int) else one for one in (train if isinstance(train, list) else [])}
    assert moving == (named if train is not True else {"embeddings", "layer0", "layer1"})


def test_a_long_text_is_read_in_overlapping_windows(tmp_path: Path) -> None:
    """Words far from the cuts get the vector of the window that they are in the middle of."""
    folder = write_encoder(tmp_path, "bert")
    words = [["cat", "dog", "mats", "xyz"][i % 4] for i in range(60)]
    model, _ = made(folder, max_pieces=20, overlap=6)
    X = model.predict(tokens(" ".join(words))).X.T
    assert X.shape == (60, 12)
    assert np.isfinite(X).all()
    whole = model.attrs["words"]
    n_pieces = [len(pieces(folder, [word])) - 2 for word in words]
    assert whole.pieces(words).counts.tolist() == n_pieces
    first = int(np.searchsorted(np.cumsum(n_pieces), 18, side="right"))  # words that fit into the first window
    H = expected(folder, " ".join(words[:first]), "first")
    np.testing.assert_allclose(X[:4], H[:4], atol=2e-5, rtol=1e-4)


def test_a_short_text_is_not_changed_by_a_long_one_beside_it(tmp_path: Path) -> None:
    model, _ = made(write_encoder(tmp_path, "bert"), max_pieces=20, overlap=6)
    alone = model.predict(tokens(TEXTS[0])).X
    beside = model.predict(tokens(" ".join(["cat"] * 70), TEXTS[0])).X[:, 70:]
    np.testing.assert_allclose(beside, alone, atol=1e-5)


@needs_minilm
def test_minilm_is_the_one_that_its_makers_describe() -> None:
    """Values of the first sentence of EWT dev, from the slow implementation in float64."""
    text = "From the AP comes this story :"
    model, _ = made(MINILM)
    np.testing.assert_allclose(model.predict(tokens(text)).X.T, expected(MINILM, text, "first"), atol=1e-4)


def _spoilt(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"model_type": "gpt2"}, "unknown architecture 'gpt2'"),
        ({"model_type": None}, "unknown architecture None"),
        ({"position_embedding_type": "relative_key"}, "only 'absolute' is known"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": "12"}, "hidden_size is '12'"),
        ({"num_attention_heads": 5}, "5 attention heads do not divide the width 12"),
        ({"hidden_act": "swish"}, "unknown activation 'swish'"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0"),
        ({"num_hidden_layers": 3}, "there is no tensor 'encoder.layer.2.attention.self.query.weight'"),
        ({"intermediate_size": 21}, "has the shape (20, 12), and config.json wants (21, 12)"),
        ({"vocab_size": 5}, "pieces do not fit the encoder"),
        ({"max_position_embeddings": 4}, "there are only 4 positions"),
    ],
)
def test_a_config_that_cannot_be_computed_is_refused(changes: dict[str, Any], fact: str, tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as caught:
        made(_spoilt(write_encoder(tmp_path, "bert"), **changes))
    assert fact in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("config.json", b"{", "no JSON"),
        ("config.json", b"[]", "holds no mapping"),
        ("tokenizer.json", b"{}", "the tokenizer cannot be read"),
        ("tokenizer.json", b'{"pre_tokenizer": null, "model": {"type": "?"}}', "the tokenizer cannot be read"),
        ("model.safetensors", b"\x80\x02}q\x00.", "the weights cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(name: str, content: bytes, fact: str, tmp_path: Path) -> None:
    (write_encoder(tmp_path, "bert") / name).write_bytes(content)
    with pytest.raises(RunnerError, match=fact):
        made(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (write_encoder(tmp_path, "bert") / name).unlink()
    with pytest.raises(RunnerError, match=f"there is no {name}"):
        made(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    if name == "model.safetensors":
        with pytest.raises(RunnerError, match="is a pickle, which is not read"):
            made(tmp_path)


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"pooling": "max"}, "unknown pooling 'max'"),
        ({"mix": 0}, "mix is 0"),
        ({"mix": 3}, "mix is 3, and the encoder has 2 layers"),
        ({"max_pieces": 8}, "max_pieces is 8"),
        ({"overlap": -1}, "overlap is -1"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"train": [2]}, "there is no layer 2; the encoder has layers 0 to 1"),
        ({"train": "all"}, "train is 'all'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], fact: str, tmp_path: Path) -> None:
    write_encoder(tmp_path, "bert")
    with pytest.raises(RunnerError, match=fact):
        made(tmp_path, **settings)


def test_a_checksum_is_computed_once_a_file_and_not_for_each_tensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_encoder(tmp_path / "one", "bert")
    asked: list[str] = []

    def located(source: Any, key: str) -> tuple[Path, bool]:
        asked.append(key.rpartition(".")[2])
        return Path(source), False

    monkeypatch.setattr(pretrained, "locate", located)
    files = {"config": "config.json", "tokenizer": "tokenizer.json", "weights": "model.safetensors"}
    model = encoder({key: str(folder / name) for key, name in files.items()})("tok2vec", 0, Dropout())
    Parameters(make_ops("numpy")).bind({"tok2vec": model}, 0)
    assert sorted(asked) == sorted(files)


def test_a_source_is_a_folder_or_three_files(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "one", "bert")
    files = {"config": "config.json", "tokenizer": "tokenizer.json", "weights": "model.safetensors"}
    model = encoder({key: str(folder / name) for key, name in files.items()})("tok2vec", 0, Dropout())
    Parameters(make_ops("numpy")).bind({"tok2vec": model}, 0)
    np.testing.assert_array_equal(model.predict(tokens(TEXTS[0])).X, made(folder)[0].predict(tokens(TEXTS[0])).X)
    with pytest.raises(RunnerError, match="names no encoder"):
        encoder({"config": "config.json"})
    with pytest.raises(RunnerError, match="there is no folder"):
        made(tmp_path / "two")


def test_an_encoder_does_not_stand_beside_another() -> None:
    with pytest.raises(RunnerError, match="cannot stand beside another"):
        encoder("a", beside=encoder("b"))
