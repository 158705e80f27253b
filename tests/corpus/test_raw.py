"""Raw texts that a teacher annotates: words are read, annotation is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.corpus.datasets import Corpus, CorpusSpec, load_corpus
from runner.corpus.packed.examples import JoinedExamples, PackedExamples
from runner.corpus.raw import read_raw
from runner.corpus.readers.auto import auto
from runner.corpus.readers.reader import LeftOut
from runner.corpus.tokenizer import syntok
from runner.errors import RunnerError


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf8")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Ann went.\n\n  \nBob stayed.\n"),
        (
            "a.jsonl",
            '{"text": "Ann went.", "entities": [[0, 3, "PER"]], "cats": {"A": 1}, "id": 3}\n{"text": ""}\n'
            '{"words": ["Bob", "stayed", "."], "spaces": [true, false, false], "tags": ["N", "V", "."]}\n',
        ),
        ("a.csv", "text,label\nAnn went.,A\nBob stayed.,B\n"),
        ("a.iob", "Ann B-PER\nwent O\n. O\n\nBob B-PER\nstayed O\n. O\n"),
    ],
)
def test_only_words_are_read(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    raw = read_raw([path], syntok(), None, None, LeftOut())
    assert [example.reference.words for example in raw.examples] == [["Ann", "went", "."], ["Bob", "stayed", "."]]
    for example in raw.examples:
        doc = example.reference
        assert not doc.has_ents
        assert doc.tags is doc.pos is doc.heads is doc.deps is doc.cats is None
        assert doc.meta == {}
    assert [one[2:] for one in raw.files] == [(2, 6)]


def test_a_limit_holds_for_each_file(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, "one\ntwo\nthree\n") for name in ("a.txt", "b.txt")]
    raw = read_raw(paths, syntok(), 2, None, LeftOut())
    assert [example.reference.text for example in raw.examples] == ["one", "two"] * 2


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"Ann\nB\xffb\n", r"a\.txt:2: byte 0xff at position 1 is not UTF-8\n  Mend the text, or take it out"),
        ("a.jsonl", b'{"text": 3}\n', r"a\.jsonl:1: the text is no string\n  Write"),
        ("a.txt", b"\n", r"teacher\.texts: there are no texts"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunnerError) as caught:
        read_raw([tmp_path / name], syntok(), None, None, LeftOut())
    assert "--skip-errors" not in str(caught.value)
    caught.match(told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = [{"words": ["Ann", "met", f"Bob{i}"], "entities": ["U-PER", "O", "U-PER"]} for i in range(6)]
    write(tmp_path / "gold.jsonl", "".join(json.dumps(one) + "\n" for one in records))
    write(tmp_path / "raw.txt", "".join(f"Eve saw Rome{i} .\n" for i in range(4)))
    return tmp_path


def corpus(folder: Path, in_memory_words: int, *, texts: str | None = "raw.txt", **cut: int) -> Corpus:
    dev = None if cut else folder / "gold.jsonl"
    spec = CorpusSpec(folder / "gold.jsonl", dev, **cut, in_memory_words=in_memory_words, cache=folder / "cache")
    raw = str(folder / texts) if texts else None
    return load_corpus(spec, reader=auto(), tokenizer=syntok(), recipe="", texts=raw)


@pytest.mark.parametrize(
    ("in_memory_words", "kinds"),
    [(100, (list, list)), (17, (PackedExamples, list)), (0, (PackedExamples, PackedExamples))],
)
def test_texts_follow_the_training_data(folder: Path, in_memory_words: int, kinds: tuple[type, type]) -> None:
    read = corpus(folder, in_memory_words)
    assert isinstance(read.train, JoinedExamples)
    assert all(isinstance(part, kind) for part, kind in zip(read.train.parts, kinds, strict=True))
    words, counts = read.train.word_counts()
    assert dict(zip(words, counts, strict=True))["Ann"] == 6
    assert sum(counts) == 34
    assert {ent.label for x in read.train.covering() for ent in x.reference.ents} == {"PER"}
    assert [x.reference.text for x in read.train[-2:]] == ["Eve saw Rome2 .", "Eve saw Rome3 ."]
    with pytest.raises(IndexError):
        read.train[10]
    assert read.n_train_words == 6 * 3 + 4 * 4
    assert [len(x.reference.ents) for x in read.train] == [2] * 6 + [0] * 4
    assert read.train[5].reference.text == "Ann met Bob5"
    assert read.train[6].reference.text == "Eve saw Rome0 ."
    assert read.train[-1].reference.text == "Eve saw Rome3 ."
    assert [(one.split, one.path.name, one.n_docs, one.n_words) for one in read.sources][-1] == (
        "teacher", "raw.txt", 4, 16,
    )  # fmt: skip
    assert read.digest != corpus(folder, in_memory_words, texts=None).digest


@pytest.mark.parametrize("in_memory_words", [100, 0])
def test_folds_cut_the_annotated_texts_alone(folder: Path, in_memory_words: int) -> None:
    read = corpus(folder, in_memory_words, folds=3, fold=1)
    assert [x.reference.text for x in read.dev] == ["Ann met Bob2", "Ann met Bob3"]
    assert len(read.train) == 4 + 4
