"""Pretraining: which words are hidden, what is told of them, and that a tok2vec learns by it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import runner
from runner.components.hidden_words import MASK, Shares, hidden_in, hidden_of, hide_at_random, masked
from runner.components.inputs import Batch
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import Lexemes
from runner.errors import RunnerError
from runner.model.dropout import Dropout
from runner.model.word_targets import LetterTargets, VectorTargets

TOK2VEC = {"type": "hash_embed_cnn", "width": 32, "depth": 2, "embed_size": 300}
TEXTS = ["the cat sat on the mat", "a dog ran to the old barn", "my cat ran on and on", "the old dog sat by the barn"]


class Table:
    """Vectors of a few words, made up."""

    dim = 3
    rows: ClassVar = {"cat": (3.0, 0.0, 0.0), "dog": (0.0, 4.0, 0.0), "barn": (0.0, 3.0, 4.0)}

    def of(self, words):
        return np.array([self.rows.get(word, (0.0, 0.0, 0.0)) for word in words], "float32").reshape(-1, 3)


def tokens_of(*texts):
    batch = Batch.of([Doc(text.split()) for text in texts], Lexemes())
    return batch.tokens(("norm", "shape"))


def pretrained(n_steps=60, seed=0, **options):
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("word_vectors", {"tok2vec": TOK2VEC, "hidden": 0.3, **options})
    examples = [Example.from_doc(Doc(text.split())) for text in TEXTS]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = lambda step: 0.01
    losses: list[float] = []
    for _ in range(n_steps):
        step: dict[str, float] = {}
        nlp.update(examples, sgd=sgd, losses=step)
        losses.append(step["word_vectors"])
    return nlp, examples, losses


def test_a_masked_word_shows_none_of_its_features():
    tokens = tokens_of("the cat sat")
    read = masked(tokens, np.array([1]))
    seen = read.features[read.inverse]  # (3 tokens, 2 features)
    assert (seen[1] == MASK).all()
    assert (seen[[0, 2]] == tokens.features[tokens.inverse][[0, 2]]).all()
    assert read.words()[read.inverse[1]] == ""  # has no static vector either
    assert read.counts[read.inverse[1]] > 1000  # and is not taken for an unknown word
    assert len(tokens.words()) == 3  # what others read is as it was


def test_shares_of_hidden_words_are_those_asked_for():
    text = " ".join(f"w{i}" for i in range(20_000))
    tokens = tokens_of(text)
    source = Dropout()
    source.reset(0.0, 7)
    read, hidden = hide_at_random(tokens, Shares(0.15, 0.1, 0.2), source)
    n = len(hidden)
    assert 0.14 < n / 20_000 < 0.16
    seen, before = read.inverse[hidden], tokens.inverse[hidden]
    is_mask = seen == len(tokens.features)
    assert 0.66 < is_mask.mean() < 0.74
    assert 0.17 < (seen == before).mean() < 0.23
    others = np.setdiff1d(np.arange(20_000), hidden)
    assert (read.inverse[others] == tokens.inverse[others]).all()


def test_hidden_words_while_training_depend_on_the_seed_alone():
    def positions(*seed):
        source = Dropout()
        source.reset(0.1, *seed)
        return hide_at_random(tokens_of(*TEXTS), Shares(0.5), source)[1].tolist()

    assert positions(1, 2) == positions(1, 2)
    assert positions(1, 2) != positions(1, 3)


def test_hidden_words_of_a_score_depend_on_the_text_alone():
    docs = [Doc(text.split()) for text in TEXTS]
    alone = [hidden_of(doc, 0.4).tolist() for doc in docs]
    starts = np.cumsum([0, *map(len, docs[:-1])])
    assert hidden_in(docs, 0.4).tolist() == [start + i for start, some in zip(starts, alone, strict=True) for i in some]
    assert any(alone)
    assert hidden_of(Doc([]), 0.4).tolist() == []


def test_losses_have_the_gradients_of_finite_differences():
    rng = np.random.default_rng(0)
    words = ["cat", "nothing", "barn"]
    for targets in (VectorTargets(Table()), LetterTargets(2)):
        Y = rng.normal(size=(targets.size, 3))
        _, dY = targets.loss(Y, words)
        n_known = 2 if isinstance(targets, VectorTargets) else 3
        for i, j in rng.integers(0, (targets.size, 3), (20, 2)):
            up, down = Y.copy(), Y.copy()
            up[i, j] += 1e-5
            down[i, j] -= 1e-5
            slope = (targets.loss(up, words)[0] - targets.loss(down, words)[0]) / 2e-5
            assert abs(slope / n_known - dY[i, j]) < 1e-4


def test_likeness_by_hand():
    told = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]], "float32")
    cosines = VectorTargets(Table()).likeness(told, ["cat", "nothing", "dog"])
    assert cosines[0] == pytest.approx(1)
    assert np.isnan(cosines[1])
    assert cosines[2] == 0
    letters = LetterTargets(2)
    Y = np.zeros((4, 256, 1), "float32")
    for part, byte in enumerate(b"caxt"):  # of "Cat": c, a and a, t
        Y[part, byte] = 1
    assert letters.likeness(Y.reshape(-1, 1), ["Cat"]).tolist() == [0.75]


def test_learns_hidden_words_from_their_neighbours():
    nlp, examples, losses = pretrained()
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])
    assert nlp.evaluate(examples)["hidden_sim"] > 0.5  # zeros, the commonest byte, are .4


def test_score_does_not_depend_on_neighbours_and_is_none_without_hidden_words():
    nlp, _examples, _ = pretrained(n_steps=5)
    docs = [Doc(text.split()) for text in TEXTS]
    nlp.predict(docs)
    together = [nlp.components["word_vectors"].as_record(doc) for doc in docs]
    for text, record in zip(TEXTS, together, strict=True):
        doc = nlp(Doc(text.split()))
        assert nlp.components["word_vectors"].as_record(doc) == record
    assert nlp.evaluate([Example.from_doc(Doc([]))])["hidden_sim"] is None


def test_other_components_read_every_word_beside_one_that_hides_some():
    alone = runner.blank("en", seed=0)
    both = runner.blank("en", seed=0)
    examples = [Example.from_doc(Doc(text.split(), tags=["T" + word[0] for word in text.split()])) for text in TEXTS]
    for nlp in (alone, both):
        nlp.add_pipe("tagger", {"tok2vec": TOK2VEC})
    both.add_pipe("word_vectors", {"tok2vec": TOK2VEC})
    for nlp in (alone, both):
        sgd = nlp.initialize(lambda: examples)
        for _ in range(3):
            nlp.update(examples, drop=0.2, sgd=sgd)
    for path, values in alone.parameters.all_values().items():
        assert (both.parameters.all_values()[path] == values).all(), path


def test_a_saved_model_tells_hidden_words_as_before(tmp_path):
    nlp, examples, _ = pretrained(n_steps=5)
    nlp.to_disk(tmp_path / "model")
    before = nlp.evaluate(examples)["hidden_sim"]
    assert runner.load(tmp_path / "model").evaluate(examples)["hidden_sim"] == before


def test_a_saved_model_holds_the_vectors_that_are_told(tmp_path):
    (tmp_path / "v.txt").write_text("".join(f"{w} {i} {i % 3} 1\n" for i, w in enumerate(" ".join(TEXTS).split())))
    vectors = {"type": "file", "path": str(tmp_path / "v.txt")}
    nlp, examples, losses = pretrained(n_steps=30, vectors=vectors, tok2vec={**TOK2VEC, "vectors": vectors})
    before = nlp.evaluate(examples)["hidden_sim"]
    assert before > 0.5
    assert losses[-1] < losses[0]
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "v.txt").unlink()
    assert runner.load(tmp_path / "model").evaluate(examples)["hidden_sim"] == before


def test_shares_that_cannot_be_are_refused():
    nlp = runner.blank("en")
    with pytest.raises(RunnerError, match=r"hidden is 1\.5"):
        nlp.add_pipe("word_vectors", {"tok2vec": TOK2VEC, "hidden": 1.5})
    with pytest.raises(RunnerError, match="shares that make at most 1"):
        nlp.add_pipe("word_vectors", {"tok2vec": TOK2VEC, "other": 0.6, "kept": 0.6})


def test_a_tagger_that_shares_its_token_vectors_reads_every_word():
    nlp = runner.Pipeline("en", seed=0, shared_tok2vec=True)
    nlp.add_pipe("tagger", {"tok2vec": TOK2VEC})
    nlp.add_pipe("word_vectors", {"tok2vec": TOK2VEC, "hidden": 0.5})
    examples = [Example.from_doc(Doc(text.split(), tags=["T" + word[0] for word in text.split()])) for text in TEXTS]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = lambda step: 0.01
    for _ in range(40):
        nlp.update(examples, sgd=sgd)
    scores = nlp.evaluate(examples)
    assert scores["tag_acc"] == 1  # a hidden word's tag would be a guess
    assert scores["hidden_sim"] > 0.4
