"""The mapped table: words are found as they are written, then in lower case; a damaged table is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from runner.model.vectors.prune import nearest_rows
from runner.model.vectors.table import VectorTable, write_table

WORDS = ["the", "Apple", "apple", "Zürich"]
MATRIX = np.array([[1, 0], [0, 2], [3, 3], [-1, 4]], dtype="float32")


def written(words=WORDS, rows=None, matrix=MATRIX):
    file = io.BytesIO()
    write_table(file, words, np.arange(len(words)) if rows is None else np.array(rows), matrix, {"source": "test"})
    return file.getvalue()


def test_vectors_have_a_mean_square_of_one():
    V = VectorTable(written()).of(WORDS)
    assert V.dtype == np.float32
    assert (V**2).mean() == pytest.approx(1, rel=1e-3)
    assert pytest.approx(MATRIX / np.sqrt((MATRIX**2).mean()), rel=1e-3) == V


def test_case():
    table = VectorTable(written())
    assert table.rows(["Apple", "APPLE", "The", "zürich", "pear", "", "Zürich"]).tolist() == [1, 2, 0, -1, -1, -1, 3]
    assert (table.of(["pear"]) == 0).all()
    assert table.of([]).shape == (0, 2)


def test_the_first_of_equal_words_counts():
    assert VectorTable(written(["a", "b", "a"], matrix=MATRIX[:3])).rows(["a", "b"]).tolist() == [0, 1]


def test_words_share_rows():
    table = VectorTable(written(rows=[0, 1, 1, 0], matrix=MATRIX[:2]))
    assert table.rows(WORDS).tolist() == [0, 1, 1, 0]
    assert table.n_words == 4


def test_nearest_rows():
    matrix = np.array([[1, 0], [0, 1], [5, 1], [-1, 3], [0, 0]], dtype="float32")
    done = []
    assert nearest_rows(matrix, 2, done.append).tolist() == [0, 1, 0, 1, 0]
    assert sum(done) == 3


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_a_cut_table_is_refused(share):
    content = written()
    with pytest.raises(ValueError, match=r"no table|cut off|header"):
        VectorTable(content[: int(share * len(content))])


def test_a_forged_table_is_refused():
    content = written()
    with pytest.raises(ValueError, match="no row"):
        VectorTable(written(rows=[0, 1, 2, 4]))
    with pytest.raises(ValueError, match="n_words is -4"):
        VectorTable(content.replace(b'"n_words": 4', b'"n_words":-4'))
    with pytest.raises(ValueError, match="cut off"):
        VectorTable(content.replace(b'"dim": 2', b'"dim":99'))


@pytest.mark.parametrize(("matrix", "fact"), [(MATRIX * 0, "zero"), (MATRIX * 1e5, "too large")])
def test_what_is_no_table(matrix, fact):
    with pytest.raises(ValueError, match=fact):
        written(matrix=matrix)
