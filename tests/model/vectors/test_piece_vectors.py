"""Vectors of an encoder's word pieces: the mean of the rows of a word's pieces."""

from __future__ import annotations

import io

import numpy as np
import pytest
from safetensors import numpy as safetensors
from tokenizers import Tokenizer

from runner.errors import RunnerError
from runner.model.vectors.pieces import vectors_of_pieces
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
