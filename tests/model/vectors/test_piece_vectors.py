"""Vectors of an encoder's word pieces: the mean of the rows of a word's pieces."""

from __future__ import annotations

import io

import numpy as np
import pytest
from safetensors import numpy as safetensors
from tokenizers import Tokenizer

from runner.corpus.lexemes import Spelled
from runner.errors import RunnerError
from runner.model.vectors import pieces
from runner.model.vectors.pieces import vectors_of_pieces
from runner.model.vectors.static import static
from tests.model.encoder.small import write_encoder

WORDS = ["the", "unbelievables", "cats", "\u3042", "dog"]


@pytest.mark.parametrize("kind", ["bert", "electra", "distilbert"])
def test_a_word_is_the_mean_of_its_pieces(tmp_path, kind):
    folder = write_encoder(tmp_path / "encoder", kind)
    vectors = vectors_of_pieces(str(folder))
    V = vectors.of(WORDS)
    tensors = safetensors.load_file(folder / "model.safetensors")
    (E,) = (value for name, value in tensors.items() if name.endswith("word_embeddings.weight"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for word, v in zip(WORDS, V, strict=True):
        pieces = tokenizer.encode([word], is_pretokenized=True, add_special_tokens=False)
        if pieces.tokens == ["[UNK]"]:
            assert not v.any()
        else:
            wanted = sum(E[i].astype("float16").astype("float64") for i in pieces.ids) / len(pieces.ids)
            assert v == pytest.approx(wanted / np.sqrt((E.astype("float64") ** 2).mean()), rel=2e-3, abs=2e-3)
    assert vectors.knows(WORDS).tolist() == [True, True, True, False, True]
    assert vectors.dim == E.shape[1]
    assert vectors.of([]).shape == (0, E.shape[1])
    assert vectors.knows([]).tolist() == []


class Table:
    """Words by row, as a lexeme table has them."""

    def __init__(self, words):
        self.words = list(words)
        self.n_asked = 0

    def __len__(self):
        return len(self.words)

    def words_from(self, row):
        self.n_asked += len(self.words) - row
        return self.words[row:]

    def at(self, *rows):
        return Spelled(self, np.array(rows, dtype="int64"))


def test_words_of_a_table_have_the_vectors_of_words_of_a_list_and_are_cut_once(tmp_path):
    vectors = vectors_of_pieces(str(write_encoder(tmp_path / "encoder", "bert")))
    table = Table(WORDS)
    wanted = vectors.of(WORDS)
    assert (vectors.of(table.at(4, 1, 0, 1)) == wanted[[4, 1, 0, 1]]).all()
    table.words += [f"un{'believ' * i}able" for i in range(900)]  # the arrays grow
    assert (vectors.of(table.at(*range(905))) == vectors.of(table.words)).all()
    assert (vectors.of(table.at(2, 3)) == wanted[[2, 3]]).all()
    assert table.n_asked == 905
    other = Table(reversed(WORDS))
    assert (vectors.of(other.at(0, 4)) == wanted[[4, 0]]).all()
    assert vectors.knows(table.at(3, 0)).tolist() == [False, True]
    assert vectors.of(table.at()).shape == (0, vectors.dim)


def test_a_projected_table_gives_the_projections_of_the_vectors(tmp_path, monkeypatch):
    vectors = vectors_of_pieces(str(write_encoder(tmp_path / "encoder", "bert")))
    layer = static("static", vectors, nO=5)
    for seed in range(3):  # the weights change between predictions
        W = np.random.default_rng(seed).normal(size=(5, vectors.dim)).astype("float32")
        layer.set_param("W", W)
        wanted = W @ vectors.of(WORDS).T
        learned, backprop = layer(WORDS, True)
        assert learned == pytest.approx(wanted, abs=1e-5)
        layer.inc_grad("W", np.zeros_like(W))
        backprop(np.ones_like(learned))
        for words in (WORDS, WORDS[::-1], WORDS[1:2], []):
            predicted = layer.predict(words)
            at = [WORDS.index(word) for word in words]
            assert predicted == pytest.approx(wanted[:, at], abs=1e-5)
            assert (predicted == layer.predict(WORDS)[:, at]).all()  # neighbours change no bit
    W *= 2  # in place, as an optimizer does
    assert layer.predict(WORDS) == pytest.approx(2 * wanted, abs=1e-5)
    monkeypatch.setattr(pieces, "_MOST_PROJECTED", 3)
    W *= 2
    assert layer.predict(WORDS) == pytest.approx(4 * wanted, abs=1e-4)  # a table too large to be projected whole


def test_the_files_of_a_model_take_the_place_of_the_encoder(tmp_path):
    first = vectors_of_pieces(str(write_encoder(tmp_path / "encoder", "bert")))
    moved = vectors_of_pieces(str(tmp_path / "gone"))
    moved.take_files(first.files())
    assert (moved.of(WORDS) == first.of(WORDS)).all()
    with pytest.raises(ValueError, match="has no files"):
        moved.take_files({})
    with pytest.raises(RunnerError, match="there is no folder"):
        vectors_of_pieces(str(tmp_path / "gone")).files()


@pytest.mark.parametrize("shape", [(10**12, 12), (3, 4), (2**62, 2**62), (24,), (0, 5)])
def test_a_forged_table_is_refused_before_it_takes_memory(tmp_path, shape):
    first = vectors_of_pieces(str(write_encoder(tmp_path / "encoder", "bert")))
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
    moved = vectors_of_pieces("gone")
    moved.take_files({**first.files(), "pieces.npy": file.getvalue() + bytes(96)})
    with pytest.raises(ValueError):  # noqa: PT011 (numpy's own texts)
        moved.of(WORDS)
