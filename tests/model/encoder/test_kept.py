"""An encoder that does not learn: vectors once a text, whatever its batch, process or run."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.model.encoder import kept, vectors
from runner.model.encoder.kept import KeptVectors, cache_folder, text_key
from runner.model.tok2vec import hash_embed_cnn
from tests.model.encoder.small import TEXTS, write_encoder
from tests.model.encoder.test_encoder import expected, made, own_cache, tokens

__all__ = ["own_cache"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "encoder", "bert")


def none_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(vectors, "_alone", fail)


@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
def test_vectors_are_those_of_the_slow_implementation_rounded(folder: Path, pooling: str) -> None:
    model, _ = made(folder, train=False, pooling=pooling)
    wanted = np.concatenate([expected(folder, text, pooling) for text in TEXTS])
    np.testing.assert_allclose(model.predict(tokens(*TEXTS)).X.T, wanted, rtol=2e-3, atol=2e-3)


def test_neighbours_change_no_bit(folder: Path) -> None:
    model, _ = made(folder, train=False)
    alone = [model.predict(tokens(text)).X for text in TEXTS]
    np.testing.assert_array_equal(model.predict(tokens(*TEXTS)).X, np.concatenate(alone, axis=1))
    np.testing.assert_array_equal(model.predict(tokens(TEXTS[1], "", TEXTS[1])).X, np.hstack([alone[1], alone[1]]))
    assert model.predict(tokens("", "")).X.shape == (12, 0)


def test_a_training_computes_each_text_once_also_for_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = made(folder, train=False)
    first, backprop = model(tokens(*TEXTS), True)
    backprop(np.ones_like(first.X))
    again, _ = made(folder, train=False)
    none_computed(monkeypatch)
    for one in (model, again):
        np.testing.assert_array_equal(one(tokens(*TEXTS[::-1]), True)[0].X[:, -len(TEXTS[0].split()) :],
                                      first.X[:, : len(TEXTS[0].split())])  # fmt: skip
        assert one.predict(tokens(TEXTS[2])).X.shape == (12, 3)


def test_predictions_alone_leave_nothing_on_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = made(folder, train=False)
    model.predict(tokens(*TEXTS))
    none_computed(monkeypatch)
    with pytest.raises(AssertionError, match="computed again"):
        made(folder, train=False)[0].predict(tokens(TEXTS[0]))


@pytest.mark.parametrize("settings", [{"pooling": "last"}, {"max_pieces": 16}, {"overlap": 3}, {"mix": 2}])
def test_other_settings_have_a_file_of_their_own(folder: Path, settings: dict[str, Any]) -> None:
    made(folder, train=False)[0](tokens(*TEXTS), True)
    made(folder, train=False, **settings)[0](tokens(*TEXTS), True)
    assert len(list(cache_folder().iterdir())) == 2


def test_other_weights_have_a_file_of_their_own(folder: Path, tmp_path: Path) -> None:
    other = write_encoder(tmp_path / "other", "bert", seed=1)
    X, Y = (made(one, train=False)[0](tokens(*TEXTS), True)[0].X for one in (folder, other))
    assert np.abs(X - Y).max() > 0.1
    assert len(list(cache_folder().iterdir())) == 2


def test_mixed_layers_still_learn_their_shares(folder: Path) -> None:
    model, parameters = made(folder, train=False, mix=2, beside=hash_embed_cnn(width=4, depth=1, features=["norm"]))
    X, backprop = model(tokens(*TEXTS), True)
    backprop(np.random.default_rng(0).normal(size=X.X.shape).astype("float32"))
    gradient = parameters.views(parameters.gradient)
    assert np.abs(gradient["tok2vec/mixed/shares"]).min() > 0
    mean = (expected(folder, TEXTS[0], "first", 0) + expected(folder, TEXTS[0], "first", 1)) / 2
    np.testing.assert_allclose(model.predict(tokens(TEXTS[0])).X[:12].T, mean, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("how", ["damaged", "no folder"])
def test_without_a_usable_cache_the_vectors_are_the_same(folder: Path, how: str) -> None:
    first = made(folder, train=False)[0](tokens(*TEXTS), True)[0].X
    (file,) = cache_folder().iterdir()
    file.unlink()
    if how == "damaged":
        file.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    else:
        cache_folder().rmdir()
        cache_folder().touch()
    for _ in range(2):
        np.testing.assert_array_equal(made(folder, train=False)[0](tokens(*TEXTS), True)[0].X, first)


def test_a_value_of_another_length_is_computed_again(folder: Path) -> None:
    model, _ = made(folder, train=False)
    first = model(tokens(TEXTS[0]), True)[0].X
    other, _ = made(folder, train=False)
    other(tokens(TEXTS[1]), True)
    kept = other.attrs["kept"].vectors
    assert isinstance(kept, KeptVectors)
    key = text_key(TEXTS[2].split())
    kept.write({key: np.zeros((1, 1, 12), "float16")})
    assert other.predict(tokens(TEXTS[2])).X.shape == (12, 3)
    assert other.predict(tokens(TEXTS[2])).X.any()
    np.testing.assert_array_equal(other.predict(tokens(TEXTS[0])).X, first)


def test_processes_write_one_file_at_once(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.starmap(_written, [(str(folder), i) for i in range(6)])
    assert sorted(results) == [20] * 6


def _written(folder: str, number: int) -> int:
    kept = KeptVectors("a" * 32, (1, 2))
    for i in range(20):
        kept.write({text_key([str(i)]): np.full((3, 1, 2), i, "float16")})
    found = kept.read([text_key([str(i)]) for i in range(20)])
    return sum(one is not None and bool((one == i).all()) for i, one in enumerate(found))


def test_keys_tell_words_apart() -> None:
    assert len({text_key(words) for words in (["a", "b"], ["ab"], ["a b"], ["1:a"], [], ["a", ""], ["\ud800"])}) == 7


def test_files_that_nobody_has_asked_for_in_a_month_are_deleted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(folder, train=False)[0](tokens(*TEXTS), True)
    (first,) = cache_folder().iterdir()
    os.utime(first, (0, 0))
    made(folder, train=False)[0](tokens(*TEXTS), True)  # asked for again: young
    other = write_encoder(tmp_path / "other", "bert", seed=1)
    made(other, train=False)[0](tokens(*TEXTS), True)
    assert len(list(cache_folder().iterdir())) == 2
    os.utime(first, (0, 0))
    made(other, train=False)[0](tokens(*TEXTS), True)
    assert [path for path in cache_folder().iterdir() if path == first] == []
    assert len(list(cache_folder().iterdir())) == 1


def test_the_oldest_files_go_where_all_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    cache_folder().mkdir(parents=True)
    now = time.time()
    for name, age in (("a", 3), ("b", 1), ("c", 2), ("used", 9)):
        path = cache_folder() / f"{name}.sqlite"
        path.write_bytes(bytes(100))
        os.utime(path, (now - age, now - age))
    monkeypatch.setattr(kept, "_MOST_BYTES", 300)
    kept.sweep(cache_folder() / "used.sqlite")
    assert sorted(path.stem for path in cache_folder().iterdir()) == ["b", "c", "used"]
