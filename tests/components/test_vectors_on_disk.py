"""A trained model holds its word vectors: it needs the file no more, wherever it goes."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner.__main__ import main
from runner.errors import RunnerError

TEXTS = [("Ada met Bo", [(0, 3, "PER"), (8, 10, "PER")]), ("Oslo is far", [(0, 4, "LOC")])] * 4


@pytest.fixture
def nlp(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw = np.random.default_rng(0)
    words = ["ada", "met", "Bo", "Oslo", "Rome", "is", "far"]
    lines = [" ".join([word, *(f"{x:.3f}" for x in draw.normal(size=8))]) for word in words]
    (tmp_path / "words.vec").write_text("\n".join(lines), "utf8")
    nlp = runner.blank("en")
    block = {
        "type": "hash_embed_cnn",
        "width": 16,
        "depth": 1,
        "embed_size": 100,
        "vectors": str(tmp_path / "words.vec"),
    }
    nlp.add_pipe("ner", {"tok2vec": block})
    sgd = nlp.initialize(TEXTS)
    for _ in range(3):
        nlp.update(TEXTS, sgd=sgd)
    return nlp


def scores(nlp):
    docs = list(nlp.pipe(["Rome met Bo", "Paris is far"], confidence=True))
    return [[(ent.text, ent.label_, ent.confidence) for ent in doc.ents] for doc in docs], nlp.network.values("ner")


def assert_equal(a, b):
    (ents, values), (others, theirs) = scores(a), scores(b)
    assert ents == others
    assert values.keys() == theirs.keys()
    assert all((values[path] == theirs[path]).all() for path in values)


def test_the_vectors_go_with_the_model(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "words.vec").unlink()
    (tmp_path / "cache").rename(tmp_path / "gone")
    loaded = runner.load(tmp_path / "model")
    assert_equal(nlp, loaded)
    assert loaded.components["ner"].have_vectors(["Rome", "rome", "Ada", "Paris"]).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert_equal(nlp, runner.blank("en").from_bytes(loaded.to_bytes()))
    other = runner.blank("en")
    other.add_pipe("ner", source=loaded)
    assert_equal(nlp, other)
    sgd = loaded.resume_training()
    loaded.update(TEXTS, sgd=sgd)


def test_the_vectors_matter_and_are_not_trained(nlp):
    before = nlp.components["ner"].build_tok2vec.vectors.of(["Bo"]).copy()
    values = nlp.network.values("ner")
    (path,) = (path for path in values if "/static/" in path)
    assert values[path].shape == (16, 8)
    nlp.update(TEXTS)
    assert (nlp.components["ner"].build_tok2vec.vectors.of(["Bo"]) == before).all()
    assert (nlp.network.values("ner")[path] != values[path]).any()


def test_a_model_without_its_vectors_is_refused(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "model" / "files.msgpack").write_bytes(b"\x80")
    with pytest.raises(RunnerError, match=r"files\.msgpack"):
        runner.load(tmp_path / "model")


def test_a_run_goes_on_from_a_model_with_vectors(nlp, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nlp.to_disk(tmp_path / "model")
    runner.write_corpus("train.jsonl", [nlp.make_doc("Ada met Bo")])
    (tmp_path / "words.vec").unlink()
    (tmp_path / "train.jsonl").write_text('{"text": "Ada met Bo", "entities": [[0, 3, "PER"]]}\n' * 4, "utf8")
    words = ["init.model=model", "corpus=files", "corpus.train=train.jsonl", "corpus.dev=train.jsonl", "tracking=none"]
    assert main([*words, "training.max_epochs=1", "output_dir=out"]) == 0, capsys.readouterr().err
    assert runner.load("out").components["ner"].have_vectors(["Rome"]).all()


def test_a_missing_file_is_told_before_the_corpus_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["corpus=files", "corpus.train=gone", "corpus.dev=gone", "vectors=file", "vectors.path=gone.vec"]) == 2
    assert "vectors.path: there is no file gone.vec" in capsys.readouterr().err
