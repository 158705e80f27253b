"""`python -m runner vectors train`: a file that `vectors=file` reads, the same bytes every time."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from runner.__main__ import main
from runner.model.vectors.text import read_vectors

gensim = pytest.importorskip("gensim")
FRUIT, METAL = ("apple", "pear", "plum"), ("iron", "zinc", "lead")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = random.Random(0)
    lines = []
    for _ in range(600):
        group, verb = (FRUIT, "eats") if draw.random() < 0.5 else (METAL, "melts")
        lines.append(f"She {verb} {draw.choice(group)} and {draw.choice(group)} with {draw.choice(group)} .\n")
    (tmp_path / "texts.txt").write_text("".join(lines), "utf8")
    return tmp_path


def train(*words):
    assert main(["vectors", "train", "texts.txt", "-o", *words]) == 0


@pytest.mark.parametrize("algorithm", ["word2vec", "fasttext"])
def test_words_of_one_kind_come_near_each_other(algorithm):
    train("a.vec", "--algorithm", algorithm, "--dim", "12", "--epochs", "20")
    found = {word: vector / np.linalg.norm(vector) for word, vector in read_vectors(Path("a.vec"))}
    assert {*FRUIT, *METAL, "eats"} <= found.keys()
    inside = np.mean([found[a] @ found[b] for group in (FRUIT, METAL) for a in group for b in group if a != b])
    across = np.mean([found[a] @ found[b] for a in FRUIT for b in METAL])
    assert inside > across + 0.1


def test_the_same_bytes_in_every_format(folder):
    train("a.vec", "--dim", "4")
    train("b.vec", "--dim", "4")
    train("a.vec.gz", "--dim", "4")
    train("a.bin", "--dim", "4")
    train("c.vec", "--dim", "4", "--seed", "1")
    text = (folder / "a.vec").read_bytes()
    assert text == (folder / "b.vec").read_bytes() == gzip.decompress((folder / "a.vec.gz").read_bytes())
    assert text != (folder / "c.vec").read_bytes()
    as_text, as_binary = dict(read_vectors(folder / "a.vec")), dict(read_vectors(folder / "a.bin"))
    assert list(as_text) == list(as_binary)
    assert all(as_text[word] == pytest.approx(as_binary[word], rel=1e-4) for word in as_text)


def test_words_of_the_input_are_kept(folder):
    record = {"words": ["New York", "is", "a\tcity"]}
    (folder / "texts.jsonl").write_text((json.dumps(record) + "\n") * 9, "utf8")
    assert main(["vectors", "train", "texts.jsonl", "-o", "a.vec", "--min-count", "3", "--dim", "3"]) == 0
    assert {word for word, _ in read_vectors(folder / "a.vec")} == {"New York", "is", "a city"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "texts.txt", "-o", "a.what"], "does not say the format"),
        (["train", "texts.txt", "-o", "."], "does not say the format"),
        (["train", "gone.txt", "-o", "a.vec"], "no such file"),
        (["train", "texts.txt", "-o", "a.vec", "--dim", "0"], "--dim is 0"),
        (["train", "empty.txt", "-o", "a.vec"], "no word"),
        (["learn", "texts.txt", "-o", "a.vec"], "invalid choice: 'learn'"),
    ],
)
def test_what_cannot_be_is_told(folder, words, said, capsys):
    (folder / "empty.txt").write_text("\n")
    assert main(["vectors", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "a.vec").exists()
