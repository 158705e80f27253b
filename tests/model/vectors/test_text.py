"""Reading files of word vectors: every format, words with blanks, and what is no such file."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import RunnerError
from runner.model.vectors.text import read_vectors

WORD2VEC = "3 2\nthe 1 -0.5\nof 0.25 2e-1\nUnd 3 4\n"
GLOVE = "the 1 -0.5\nof 0.25 2e-1\nUnd 3 4\n"
FASTTEXT = "3 2\nthe 1 -0.5 \nof 0.25 2e-1 \nUnd 3 4 \n"  # a blank ends each line
WANTED = {"the": [1, -0.5], "of": [0.25, 0.2], "Und": [3, 4]}


def read(path, *args):
    return {word: [round(float(x), 6) for x in vector] for word, vector in read_vectors(path, *args)}


def binary(entries, dim, end=b"\n"):
    lines = [word.encode("utf8") + b" " + np.array(vector, "<f4").tobytes() + end for word, vector in entries.items()]
    return f"{len(entries)} {dim}\n".encode() + b"".join(lines)


@pytest.mark.parametrize("text", [WORD2VEC, GLOVE, FASTTEXT, GLOVE.replace("\n", "\r\n"), GLOVE.replace(" ", "\t")])
def test_text(tmp_path, text):
    (tmp_path / "a.vec").write_bytes(text.encode("utf8"))
    assert read(tmp_path / "a.vec") == WANTED
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode("utf8")))
    assert read(tmp_path / "a.txt.gz") == WANTED
    assert read(tmp_path / "a.vec", "auto", 2) == {"the": [1, -0.5], "of": [0.25, 0.2]}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary(tmp_path, end):
    (tmp_path / "a.bin").write_bytes(binary(WANTED, 2, end))
    assert read(tmp_path / "a.bin") == WANTED
    (tmp_path / "b").write_bytes(gzip.compress(binary(WANTED, 2, end)))
    assert read(tmp_path / "b", "binary") == WANTED


def test_words_may_hold_blanks(tmp_path):
    (tmp_path / "glove.txt").write_text("the 1 2 3\n. . . 4 5 6\n2 1 2 3\n", "utf8")
    assert read(tmp_path / "glove.txt") == {"the": [1, 2, 3], ". . .": [4, 5, 6], "2": [1, 2, 3]}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=8),
        st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_is_read(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("v")
    lines = [" ".join([word, *map(repr, vector)]) for word, vector in entries.items()]
    (folder / "a.txt").write_text(f"{len(entries)} 3\n" + "\n".join(lines), "utf8")
    (folder / "a.bin").write_bytes(binary(entries, 3))
    for name in ("a.txt", "a.bin"):
        found = dict(read_vectors(folder / name))
        assert list(found) == list(entries)
        assert all((found[word] == np.array(vector, "float32")).all() for word, vector in entries.items())


@pytest.mark.parametrize(
    ("name", "content", "place", "fact"),
    [
        ("a.txt", b"", "a.txt", "no vector"),
        ("a.txt", b"3 2\n", "a.txt", "no vector"),
        ("a.txt", b"the 1 2\nof 1\n", "a.txt:2", "no word with 2 numbers"),
        ("a.txt", b"the 1 2\nof 1 x\n", "a.txt:2", "no word with 2 numbers"),
        ("a.txt", b"the 1 2\nof 1 nan\n", "a.txt:2", "not finite"),
        ("a.txt", b"the 1 2\n\xff\xfe 1 2\n", "a.txt:2", "not UTF-8"),
        ("a.txt", b"hello\n", "a.txt:1", "0 numbers"),
        ("a.txt", b"2 9000\n", "a.txt:1", "9,000 numbers"),
        ("a.bin", b"2 2\nthe \0\0\0\0\0\0\0\0of \0\0", "a.bin", "ends before vector 2 of 2"),
        ("a.bin", b"hello", "a.bin", "does not begin"),
        ("a.bin", (793712314).to_bytes(4, "little") + b"\x0c\0\0\0", "a.bin", "model of fastText"),
        ("a.txt.gz", gzip.compress(GLOVE.encode(), mtime=0)[:-12], "a.txt.gz", "cannot be read"),
        ("a.txt.gz", b"\x1f\x8b\x08\0garbage", "a.txt.gz", "cannot be read"),
    ],
)
def test_what_is_no_file_of_vectors(tmp_path, name, content, place, fact):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunnerError, match=fact) as caught:
        list(read_vectors(tmp_path / name))
    assert caught.value.place is not None
    assert caught.value.place.startswith(str(tmp_path / place))
    assert caught.value.hint
