"""Word pieces: those of the library's pre-tokenized mode, whatever the words."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import RunnerError
from runner.model.encoder.pieces import WordTokenizer
from runner.model.encoder.sequences import Bucket, Window, WordPieces, cut, sequences
from runner.model.layout import Layout
from tests.model.encoder.small import TEXTS, pieces, write_encoder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return {kind: write_encoder(folder / kind, kind) for kind in ("bert", "roberta")}


def words_of(folder: Path, most: int = 100) -> WordTokenizer:
    return WordTokenizer((folder / "tokenizer.json").read_bytes(), n_pieces=500, most=most, place="tokenizer.json")


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_pieces_are_those_of_the_pre_tokenized_mode(kind: str, folders: dict[str, Path]) -> None:
    tokenizer = words_of(folders[kind])
    for text in TEXTS:
        words = text.split()
        given_pieces = tokenizer.pieces(words)
        ids = [*tokenizer.before, *given_pieces.ids.tolist(), *tokenizer.after]
        assert ids == pieces(folders[kind], words)
        assert given_pieces.counts.sum() == len(given_pieces.ids)


def test_special_pieces_are_read_from_the_file(folders: dict[str, Path]) -> None:
    bert, roberta = words_of(folders["bert"]), words_of(folders["roberta"])
    assert (bert.before, bert.after) == ((2,), (3,))
    assert (roberta.before, roberta.after) == ((0,), (2,))


def test_a_word_without_pieces_is_one_unknown_piece(folders: dict[str, Path]) -> None:
    """Control characters are dropped by the tokenizer; a lone surrogate is no text for it."""
    found = words_of(folders["bert"]).pieces(["\u200d", "\x00", "cat", "\ud800"])
    assert found.counts.tolist() == [1, 1, 1, 1]
    assert found.ids.tolist()[:2] == [1, 1]


def test_the_rest_of_an_endless_word_is_not_read(folders: dict[str, Path]) -> None:
    assert words_of(folders["bert"], most=3).pieces(["!!!!!!", "cat"]).counts.tolist() == [3, 1]


def test_pieces_beyond_the_table_are_refused(folders: dict[str, Path]) -> None:
    content = (folders["bert"] / "tokenizer.json").read_bytes()
    with pytest.raises(RunnerError, match="do not fit the encoder, which knows 10"):
        WordTokenizer(content, n_pieces=10, most=5, place="tokenizer.json")


@settings(deadline=None)  # the first word waits for the tokenizer
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8))
def test_any_text_has_pieces(words: list[str]) -> None:
    folder = Path(os.environ.get("RUNNER_DATA_MIRROR", ""), "encoders/all-MiniLM-L6-v2")
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("RUNNER_DATA_MIRROR holds no encoder")
    tokenizer = _minilm(folder)
    found = tokenizer.pieces(words)
    assert (found.counts >= 1).all()
    assert len(found.ids) == found.counts.sum()
    assert found.ids.max() < 30_522


@cache
def _minilm(folder: Path) -> WordTokenizer:
    return WordTokenizer((folder / "tokenizer.json").read_bytes(), n_pieces=30_522, most=128, place="tokenizer.json")


def test_sequences_stand_by_length_without_padding() -> None:
    """Texts "a b" and "b" and "b a b"; a has pieces 7 8, b has 9; specials 1 and 2."""
    words = WordPieces(np.array([7, 8, 9], dtype="int32"), np.array([2, 1]))
    batch = sequences(
        words, np.array([0, 1, 1, 1, 0, 1]), Layout([2, 1, 3]), before=(1,), after=(2,), longest=20, overlap=4
    )
    assert batch.ids.tolist() == [1, 9, 2, 1, 7, 8, 9, 2, 1, 9, 7, 8, 9, 2]
    assert batch.buckets == [Bucket(0, 1, 3), Bucket(3, 1, 5), Bucket(8, 1, 6)]
    assert batch.first.tolist() == [4, 6, 1, 9, 10, 12]
    assert batch.counts.tolist() == [2, 1, 1, 1, 2, 1]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.integers(20, 40), st.integers(0, 10))
def test_windows_cover_each_word_once(counts: list[int], room: int, overlap: int) -> None:
    windows = cut(np.array(counts), 0, len(counts), room, overlap)
    kept = [token for one in windows for token in range(one.keep_from, one.keep_to)]
    assert kept == list(range(len(counts)))
    for one in windows:
        assert one.start <= one.keep_from < one.keep_to <= one.stop
        assert sum(counts[one.start : one.stop]) <= room


def test_no_text_has_no_window() -> None:
    assert cut(np.zeros(0, dtype=int), 0, 0, 10, 2) == []
    assert cut(np.array([3]), 0, 1, 10, 2) == [Window(0, 1, 0, 1)]
