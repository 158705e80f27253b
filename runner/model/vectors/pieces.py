"""Static word vectors from the embedding table of a pretrained encoder: a word's vector is the mean of its pieces'.

    {type: pieces, model: FOLDER}            config.json, tokenizer.json and model.safetensors, as of tok2vec=encoder

Every word has pieces, so that no word is without a vector but those of characters that the encoder does not know. Nothing of
the encoder's layers is computed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import sqrt
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner import registry
from runner.model.encoder.architecture import read_architecture
from runner.model.encoder.pieces import WordTokenizer
from runner.model.encoder.pretrained import CONFIG, TOKENIZER, Pretrained
from runner.model.layout import Floats2d

TABLE = "pieces.npy"  # in a trained model, beside TOKENIZER
_MOST_PIECES = 64  # of a word that are averaged
_MOST_PROJECTED = 100_000  # rows of a table that is projected as a whole
_AT_ONCE = 4096  # of these rows


class PieceVectors:
    """source: of the encoder, which is read when a vector is first asked for."""

    def __init__(self, source: Pretrained) -> None:
        self._source = source
        self._files: dict[str, Any] = {}
        self._read: tuple[Floats2d, np.float32, WordTokenizer] | None = None
        self._lock = RLock()

    @property
    def dim(self) -> int:
        return int(self._tables()[0].shape[1])

    def of(self, words: Sequence[str]) -> Floats2d:
        """(n, dim) float32, scaled so that the mean square of the whole table is 1."""
        matrix, scale, tokenizer = self._tables()
        return _means(matrix, words, tokenizer, scale)

    def projected(self, words: Sequence[str], table: Floats2d) -> Floats2d:
        """(n, nO) float32, as `of` of a table (`project`) whose rows are projected already."""
        return _means(table, words, self._tables()[2], np.float32(1))

    def project(self, W: Floats2d) -> Floats2d | None:
        """The table times W.T, (n_pieces, nO) float32, with the scale in it; None where that would take long."""
        matrix, scale, _ = self._tables()
        if len(matrix) > _MOST_PROJECTED:
            return None
        parts = [matrix[i : i + _AT_ONCE].astype("float32") @ W.T for i in range(0, len(matrix), _AT_ONCE)]
        table = np.concatenate(parts)
        table *= scale
        return table

    def knows(self, words: Sequence[str]) -> NDArray[np.bool_]:
        """Whether any piece of a word is known to the encoder: (n,)."""
        tokenizer = self._tables()[2]
        ids, counts = tokenizer.pieces(words)
        if not len(ids):
            return np.zeros(0, dtype=bool)
        return _is_known(ids, np.cumsum(counts) - counts, tokenizer)

    def files(self) -> dict[str, Any]:
        self._tables()
        return dict(self._files)

    def take_files(self, files: Mapping[str, Any]) -> None:
        if set(files) != {TABLE, TOKENIZER}:
            raise ValueError(f"the model has no files {TABLE} and {TOKENIZER} with its vectors")
        self._files, self._read = dict(files), None

    def _tables(self) -> tuple[Floats2d, np.float32, WordTokenizer]:
        with self._lock:
            if self._read is None:
                place = "the model"
                if not self._files:
                    place = str(self._source.path(TOKENIZER).parent)
                    self._files = _files_of(self._source)
                matrix = _table(self._files[TABLE])
                mean_square = float(np.square(matrix, dtype="float32").mean(dtype="float64"))
                words = WordTokenizer(self._files[TOKENIZER], n_pieces=len(matrix), most=_MOST_PIECES, place=place)
                self._read = matrix, np.float32(1 / sqrt(mean_square or 1.0)), words
            return self._read


def _means(table: Floats2d, words: Sequence[str], tokenizer: WordTokenizer, scale: np.float32) -> Floats2d:
    """The mean of the rows of each word's pieces, times `scale`: (n, columns) float32; zeros where no piece is known."""
    if not words:
        return np.zeros((0, table.shape[1]), dtype="float32")
    ids, counts = tokenizer.pieces(words)
    starts = np.cumsum(counts) - counts
    V = table.take(ids[starts], axis=0).astype("float32", copy=False)
    if len(ids) > len(words):  # few words have several pieces
        several = np.flatnonzero(counts > 1)
        rows = table.take(ids[np.repeat(counts > 1, counts)], axis=0).astype("float32", copy=False)
        of_each = counts[several]
        V[several] = np.add.reduceat(rows, np.cumsum(of_each) - of_each, axis=0)
    V *= (scale / counts).astype("float32")[:, None]
    if (ids == tokenizer.unknown).any():
        V[~_is_known(ids, starts, tokenizer)] = 0
    return V


def _is_known(ids: NDArray[np.int32], starts: NDArray[np.int64], tokenizer: WordTokenizer) -> NDArray[np.bool_]:
    """Whether any piece of each word is known. starts: (n_words,) of its pieces among `ids`."""
    known: NDArray[np.bool_] = np.logical_or.reduceat(ids != tokenizer.unknown, starts)
    return known


def _table(content: bytes) -> Floats2d:
    """The array of a .npy file, a view. Raises ValueError unless it holds as many numbers as it says, before any is copied."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{TABLE} is of another version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if len(shape) != 2 or is_fortran or dtype != np.float16 or 0 in shape:
        raise ValueError(f"{TABLE} holds no table of vectors")
    return np.frombuffer(content, "<f2", offset=file.tell()).reshape(shape)


def _files_of(source: Pretrained) -> dict[str, bytes]:
    a = read_architecture(source.read(CONFIG), str(source.path(CONFIG)))
    E = source.initializer(a.family, "embeddings/E", None)(np.random.default_rng(0), (a.n_pieces, a.embed_width))
    table = io.BytesIO()
    np.save(table, E.astype("float16"), allow_pickle=False)
    return {TABLE: table.getvalue(), TOKENIZER: source.read(TOKENIZER)}


@registry.vectors("pieces")
@registry.needs("tokenizers")
def vectors_of_pieces(model: Any) -> PieceVectors:
    """Vectors of an encoder's word pieces (extra `encoder`). model: as of the tok2vec `encoder`."""
    return PieceVectors(Pretrained(model))
