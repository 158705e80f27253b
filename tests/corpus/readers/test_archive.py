"""Texts in a zip archive, whole or by a pattern, and as parts of a corpus."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.digests import sha256_of
from runner.corpus.readers.archive import archive_of, zipped_texts
from runner.corpus.tokenizer import whitespace
from runner.errors import RunnerError

TEXTS = {
    "r/README": b"not a review",
    "r/neg/cv000_1.txt": b"dull . \ndull .",
    "r/neg/cv001_1.txt": b"slow",
    "r/pos/cv000_9.txt": "fine , très fine".encode("latin-1"),
    "r/pos/cv001_2.txt": b"warm",
}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "reviews.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.mkdir("r") if hasattr(stream, "mkdir") else None
        for name, content in TEXTS.items():
            stream.writestr(name, content)
    return path


def read(path, **options):
    return list(zipped_texts(**{"encoding": "latin-1", "is_tokenized": True, **options})(path, whitespace()))


def test_folders_are_categories_and_file_names_the_order(archive):
    docs = read(archive / "r/*/*.txt")
    assert [next(iter(doc.cats)) for doc in docs] == ["neg", "pos", "neg", "pos"]
    assert docs[0].words == ["dull", ".", "dull", "."]
    assert docs[1].words == ["fine", ",", "très", "fine"]
    assert docs[1].source == f"{archive}/r/pos/cv000_9.txt"
    assert docs[0].cats == {"neg": 1.0}


def test_the_whole_archive_where_there_is_no_pattern(archive):
    assert len(read(archive)) == 5


def test_parts_of_one_archive_make_a_corpus(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNNER_DATA_MIRROR", str(tmp_path))
    file = {"url": "https://example.org/reviews.zip", "sha256": sha256_of(archive), "mirror": "reviews.zip"}
    reader = zipped_texts("latin-1", is_tokenized=True)

    def load(train, dev):
        return load_corpus(CorpusSpec(train, dev), reader=reader, tokenizer=whitespace())

    corpus = load({**file, "members": "r/*/cv000*"}, {**file, "members": "r/*/cv001*"})
    assert [example.reference.cats for example in corpus.train] == [{"neg": 1.0}, {"pos": 1.0}]
    assert corpus.n_dev_words == 2
    assert corpus.sources[0].sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    same = load(str(archive / "r/*/cv000*"), str(archive / "r/*/cv001*"))
    other = load(str(archive / "r/*/cv001*"), str(archive / "r/*/cv000*"))
    assert same.digest == corpus.digest != other.digest


@pytest.mark.parametrize(
    ("pattern", "options", "place", "words"),
    [
        ("r/*/cv9*", {}, "/r/*/cv9*", "no examples"),
        ("r/*/*.txt", {"encoding": "utf-8"}, "/r/pos/cv000_9.txt:1", "0xe8 is not utf-8"),
        ("r/*/*.txt", {"encoding": "ascii"}, "/r/pos/cv000_9.txt:1", "0xe8 is not ascii"),
    ],
)
def test_faults_are_named(archive, pattern, options, place, words):
    with pytest.raises(RunnerError, match=words) as caught:
        read(archive / pattern, **options)
    assert caught.value.place == f"{archive}{place}"


def test_a_text_without_folder_and_an_empty_one(tmp_path):
    for name, content, words in (("alone.txt", b"text", "no folder"), ("a/empty.txt", b" \n", "no words")):
        path = tmp_path / "b.zip"
        with zipfile.ZipFile(path, "w") as stream:
            stream.writestr(name, content)
        with pytest.raises(RunnerError, match=words):
            read(path)


def test_a_damaged_archive_and_none_at_all(archive, tmp_path):
    raw = bytearray(archive.read_bytes())
    raw[45:60] = b"\xff" * 15
    archive.write_bytes(bytes(raw))
    with pytest.raises(RunnerError, match="cannot be unpacked"):
        read(archive)
    archive.write_bytes(b"no zip")
    with pytest.raises(RunnerError, match="cannot be unpacked"):
        read(archive)
    with pytest.raises(RunnerError, match="no zip archive"):
        read(tmp_path / "nothing.zip")
    assert archive_of(tmp_path / "nothing.zip/x") is None


def test_an_encoding_that_does_not_exist():
    with pytest.raises(RunnerError, match="unknown encoding 'latin-one'"):
        zipped_texts(encoding="latin-one")


@pytest.mark.skipif("RUNNER_DATA_MIRROR" not in os.environ, reason="RUNNER_DATA_MIRROR names no folder of real data")
def test_movie_reviews():
    path = Path(os.environ["RUNNER_DATA_MIRROR"]) / "movie_reviews" / "movie_reviews.zip"
    docs = read(path / "movie_reviews/*/cv8*.txt")
    assert len(docs) == 200
    assert sum(doc.cats == {"pos": 1.0} for doc in docs) == 100
    assert docs[0].source.endswith("pos/cv800_12368.txt")
