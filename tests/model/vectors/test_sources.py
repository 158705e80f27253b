"""Where vectors come from: a file is read once into the cache, pruned where asked; a spaCy pipeline's vocab."""

from __future__ import annotations

import numpy as np
import pytest

from runner.blocks import resolve
from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Tokens
from runner.model.tok2vec import hash_embed_cnn
from runner.model.vectors import sources
from runner.model.vectors.sources import vectors_of_file, vectors_of_spacy
from tests.model.test_layers import check_gradients

GLOVE = "the 1 0 0\nof 0 1 0\nApple 0 0.2 4\napple 0 0.1 5\npear 0 0 3\n"


@pytest.fixture
def glove(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "glove.txt"
    path.write_text(GLOVE, "utf8")
    return path


def test_a_file_is_read_once(glove, monkeypatch):
    first = vectors_of_file(str(glove))
    V = first.of(["pear", "Pear", "plum"])
    assert (V[0] == V[1]).all()
    assert V[0].any()
    assert not V[2].any()
    assert first.knows(["pear", "plum"]).tolist() == [True, False]
    assert first.dim == 3
    monkeypatch.setattr(sources, "read_vectors", None)  # would fail
    assert (vectors_of_file(str(glove)).of(["pear"]) == V[:1]).all()
    glove.write_text(GLOVE.replace("pear 0 0 3", "pear 0 3 0"), "utf8")
    with pytest.raises(TypeError):
        vectors_of_file(str(glove)).of(["pear"])  # another content


def test_a_damaged_table_is_made_again(glove, tmp_path):
    V = vectors_of_file(str(glove)).of(["pear"])
    (table,) = (tmp_path / "cache").rglob("*.vectors")
    table.write_bytes(table.read_bytes()[:-3])
    assert (vectors_of_file(str(glove)).of(["pear"]) == V).all()


def test_pruned_words_share_the_nearest_row(glove):
    pruned = vectors_of_file(str(glove), prune=3)
    V = pruned.of(["the", "of", "Apple", "apple", "pear"])
    assert (V[3] == V[2]).all()
    assert (V[4] == V[2]).all()
    assert (V[0] != V[2]).any()
    assert len({row.tobytes() for row in V}) == 3
    limited = vectors_of_file(str(glove), limit=2)
    assert limited.knows(["the", "of", "pear"]).tolist() == [True, True, False]


def test_the_files_of_a_model_take_the_place_of_the_source(glove, tmp_path):
    first = vectors_of_file(str(glove))
    V = first.of(["pear"])
    files = {name: bytes(content) for name, content in first.files().items()}
    moved = vectors_of_file(str(tmp_path / "gone.txt"))
    moved.take_files(files)
    assert (moved.of(["pear"]) == V).all()
    with pytest.raises(ValueError, match="has no file"):
        moved.take_files({})


@pytest.mark.parametrize(
    ("block", "fact"),
    [
        ({"type": "file", "path": "gone.vec"}, "there is no file gone.vec"),
        ("gone.vec", "there is no file gone.vec"),
        ({"type": "spacy", "model": "en_gone_md"}, "no installed package 'en_gone_md'"),
        ({"type": "spacy", "model": "."}, "has no word vectors"),
    ],
)
def test_what_is_missing_is_told(block, fact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build = resolve({"type": "hash_embed_cnn", "vectors": block}, "tok2vecs", "tok2vec")
    with pytest.raises(RunnerError, match=fact) as caught:
        build("t", 0, Dropout())
    assert caught.value.hint


def test_no_vectors():
    build = resolve({"type": "hash_embed_cnn", "vectors": {"type": None}}, "tok2vecs", "tok2vec")
    assert build("t", 0, Dropout()).attrs["static"] is None


@pytest.mark.parametrize("prune", [0, -1])
def test_counts_are_checked(prune):
    with pytest.raises(RunnerError, match="at least 1"):
        vectors_of_file("a", prune=prune)


def test_gradients(glove):
    dropout = Dropout()
    build = hash_embed_cnn(6, 1, 20, features=("norm", "prefix"), word_dropout=0.3, vectors=vectors_of_file(str(glove)))
    model = build("tok2vec", 0, dropout)
    layout = Layout([3, 1, 0, 4])
    words = ["the", "Apple", "plum", "pear"]
    features = np.random.default_rng(5).integers(1, 2**60, (4, 2)).astype("uint64")
    inverse = np.array([0, 1, 2, 0, 3, 3, 1, 0])
    tokens = Tokens(features, inverse, layout, np.array([1, 2, 0, 9]), lambda: words)

    def run():
        dropout.reset(0.2, 11)
        packed, backprop = model(tokens, True)
        return packed.X, backprop

    check_gradients(model, run, samples=150)


def test_a_hidden_word_keeps_its_vector(glove):
    build = hash_embed_cnn(6, 0, 20, features=("norm",), vectors=vectors_of_file(str(glove)))
    model = build("tok2vec", 0, Dropout())
    from runner.model.parameters import Parameters

    Parameters().bind({"m": model}, 0)
    words = ["pear", "of", "plum"]
    features = np.array([[7], [8], [9]], dtype="uint64")
    tokens = Tokens(features, np.arange(3), Layout([3]), np.array([0, 0, 0]), lambda: words)
    X = model.predict(tokens).X
    assert (X[:, 0] != X[:, 1]).any()
    assert (X[:, 1] != X[:, 2]).any()


def test_a_spacy_pipeline(glove, tmp_path):
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    given = {"Apple": [1, 2, 3], "pear": [4, 5, 6], "plum": [0, 1, 0]}
    for word, vector in given.items():
        nlp.vocab.set_vector(word, np.array(vector, "float32"))
    nlp.to_disk(tmp_path / "nlp")
    vectors = vectors_of_spacy(str(tmp_path / "nlp"))
    V = vectors.of(list(given))
    assert V / V[0, 0] == pytest.approx(np.array(list(given.values())), rel=2e-3)
    assert vectors.knows(["Apple", "apple", "Pear"]).tolist() == [True, False, True]
