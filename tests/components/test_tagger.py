"""The tagger: what it learns, what it leaves alone, and what its scores say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import runner
from runner.components.inputs import Batch
from runner.components.storage import weights_sha256
from runner.components.tagger import accuracy
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.model.layout import Packed

SENTENCES = [
    "The/DT night/NN train/NN left/VBD late/RB ./.",
    "Trains/NNS leave/VBP at/IN noon/NN ./.",
    "Ann/NNP leaves/VBZ her/PRP$ bag/NN ./.",
    "Her/PRP$ leaves/NNS fell/VBD ./.",
    "They/PRP train/VBP every/DT night/NN ./.",
    "Can/MD you/PRP open/VB the/DT can/NN ?/.",
    "Time/NN flies/VBZ ./.",
    "Flies/NNS like/VBP fruit/NN ./.",
    "Lima/NNP is/VBZ far/RB ./.",
    "Go/VB !/.",
]
MAP = {
    "DT": "DET", "NN": {"pos": "NOUN", "Number": "Sing"}, "NNS": {"pos": "NOUN", "Number": "Plur"}, "NNP": "PROPN",
    "VBD": "VERB", "VBP": "VERB", "VBZ": "VERB", "VB": "VERB", "MD": "AUX", "RB": "ADV", "IN": "ADP", "PRP": "PRON",
    "PRP$": "PRON", ".": "PUNCT",
}  # fmt: skip


def example(line: str) -> Example:
    words, tags = zip(*(token.rsplit("/", 1) for token in line.split()), strict=True)
    return Example.from_doc(Doc(words, tags=tags))


def block(**options):
    return {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 1, "embed_size": 200}, **options}


def trained(n_steps=40, seed=0, **options):
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("tagger", block(**options))
    examples = [example(line) for line in SENTENCES]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = lambda step: 0.01
    losses: dict[str, float] = {}
    for _ in range(n_steps):
        nlp.update(examples, drop=0.1, sgd=sgd, losses=losses)
    return nlp, sgd


@pytest.fixture(scope="module")
def memory():
    return trained(tag_map=MAP)


def tagged(nlp, words):
    doc = Doc(words)
    nlp.predict([doc])
    return doc


def test_ten_sentences_by_heart(memory):
    nlp, _ = memory
    for line in SENTENCES:
        one = example(line)
        assert tagged(nlp, one.reference.words).tags == one.reference.tags
    scores = nlp.evaluate([example(line) for line in SENTENCES])
    assert scores["tag_acc"] == 1.0
    assert scores["per_type"]["tagger"]["PRP$"] == {"p": 1.0, "r": 1.0, "f": 1.0, "support": 2}


def test_the_map_gives_universal_tags_and_features(memory):
    doc = tagged(memory[0], ["Her", "leaves", "fell", "."])
    assert doc.pos == ["PRON", "NOUN", "VERB", "PUNCT"]
    assert doc.meta["feats"] == [None, "Number=Plur", None, None]
    assert [token.pos_ for token in doc] == doc.pos


def test_without_a_map_universal_tags_are_left_alone():
    nlp, _ = trained(n_steps=1)
    doc = tagged(nlp, ["Go", "!"])
    assert len(doc.tags) == 2
    assert doc.pos is None
    assert doc.meta == {}
    assert "pos_acc" not in nlp.evaluate([example(SENTENCES[0])])


def test_tags_that_the_map_does_not_know():
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", block(tag_map={"NN": "NOUN"}))
    with pytest.raises(RunnerError, match=r"components\.tagger\.tag_map: .* no entry for 2 tags: '\.', 'VB'"):
        nlp.initialize(lambda: [example("Go/VB !/.")])
    with pytest.raises(RunnerError, match="no entry for 1 tag: 'VB'"):
        nlp.get_pipe("tagger").add_label("VB")
    with pytest.raises(RunnerError, match=r"components\.tagger.*'NOON'"):
        runner.blank("en").add_pipe("tagger", block(tag_map={"NN": "NOON"}))


def test_a_model_holds_its_map(tmp_path):
    (tmp_path / "map.yaml").write_text("'*': X\nNN: {pos: NOUN, Number: Sing}\n", "utf-8")
    nlp, _ = trained(n_steps=2, tag_map=str(tmp_path / "map.yaml"))
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "map.yaml").unlink()
    loaded = runner.load(tmp_path / "model")
    assert weights_sha256(loaded) == weights_sha256(nlp)
    assert loaded.get_pipe("tagger").tag_map.entries == {"*": ("X", None), "NN": ("NOUN", "Number=Sing")}
    assert tagged(loaded, ["Go"]).tags == tagged(nlp, ["Go"]).tags


def test_documents_of_any_length(memory):
    nlp, _ = memory
    assert tagged(nlp, []).tags == []
    assert len(tagged(nlp, ["Go"]).tags) == 1
    assert len(tagged(nlp, ["night", "train"] * 1500).tags) == 3000
    assert nlp("").tags == []
    long = example(" ".join(SENTENCES * 60))
    empty = Example.from_doc(Doc([], tags=[]))
    losses: dict[str, float] = {}
    sizes = [len(long.predicted), 0, 1]
    other = runner.blank("en")
    other.add_pipe("tagger", block())
    sgd = other.initialize(lambda: [long])
    other.update([long, empty, example("Go/VB")], sgd=sgd, losses=losses)
    n_tags = len(other.get_pipe("tagger").labels)
    assert losses["tagger"] == pytest.approx(sum(sizes) * np.log(n_tags), rel=1e-4)  # scores start at zero
    other.update([empty], sgd=sgd, losses=losses)


def test_what_is_not_tagged_is_masked():
    nlp, _ = trained(n_steps=1)
    tagger = nlp.get_pipe("tagger")
    partly = Example.from_doc(Doc(["Go", "on", "!"], tags=["VB", None, "."]))
    untagged = Example.from_doc(Doc(["Go", "on"]))
    crossed = Example(Doc(["Go", "on!"]), Doc(["Go", "on", "!"], tags=["VB", "RB", "."]))
    rows = tagger.labels.index
    assert tagger._gold(partly).tolist() == [rows("VB"), -1, rows(".")]
    assert tagger._gold(untagged).tolist() == [-1, -1]
    assert tagger._gold(crossed).tolist() == [rows("VB"), -1]
    losses: dict[str, float] = {}
    nlp.update([untagged], sgd=nlp._sgd, losses=losses)
    assert losses == {"tagger": 0.0}
    assert accuracy([untagged], "tags") == (None, {})


def test_accuracy_by_hand():
    one = Example.from_doc(Doc(["a", "b", "c", "d"], tags=["X", "Y", None, "X"]))
    one.predicted.tags = ["X", "X", "X", "X"]
    acc, per_tag = accuracy([one], "tags")
    assert acc == pytest.approx(2 / 3)  # the third has no gold tag
    assert per_tag["X"] == {"p": 2 / 3, "r": 1.0, "f": pytest.approx(0.8), "support": 2}
    assert per_tag["Y"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 1}


def test_accuracy_where_tokens_differ():
    reference = Doc(["New", "York-based", "firm", "is", "n't"], tags=["NNP", "JJ", "NN", "VBZ", "RB"])
    predicted = Doc(["New", "York", "-", "based", "firm", "isn't"])
    predicted.tags = ["NNP", "NNP", "HYPH", "JJ", "NN", "VBZ"]
    # Pairs: (New NNP) (York-based NNP, HYPH, JJ) (firm NN); "isn't" crosses an edge. 3 of 5 right, 3 of 5 found.
    acc, per_tag = accuracy([Example(predicted, reference)], "tags")
    assert acc == pytest.approx(2 * 3 / (5 + 5))
    assert per_tag["NNP"] == {"p": 0.5, "r": 1.0, "f": pytest.approx(2 / 3), "support": 1}
    assert per_tag["VBZ"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 1}
    twice = Doc(["New", "York", "-based", "firm", "is", "n't"])  # two tokens that say the same of one speak once
    twice.tags = ["NNP", "JJ", "JJ", "NN", "VBZ", "RB"]
    assert accuracy([Example(twice, reference)], "tags")[0] == 1.0


def test_white_space_tokens_and_docs_without_predictions():
    reference = Doc(["a", "b"], tags=["X", "Y"])
    predicted = Doc(["a", "\n", "b"])
    predicted.tags = ["X", "Y", "Y"]
    assert accuracy([Example(predicted, reference)], "tags")[0] == 1.0
    assert accuracy([Example.from_doc(reference)], "tags")[0] == 0.0


def test_gradient_by_finite_differences():
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", block())
    examples = [example(line) for line in SENTENCES[:3]] + [Example.from_doc(Doc(["Go", "on"], tags=["VB", None]))]
    nlp.initialize(lambda: examples)
    tagger, rng = nlp.get_pipe("tagger"), np.random.default_rng(0)
    for name in ("W", "b"):
        shape = tagger.head.get_param(name).shape
        tagger.head.set_param(name, rng.normal(size=shape))
        tagger.head.set_grad(name, np.zeros(shape))
    batch = Batch.of([one.predicted for one in examples], nlp.lexemes)
    X = rng.normal(size=(32, batch.layout.n_tokens))
    batch = replace(batch, vectors=Packed(X, batch.layout))
    n_known = sum((tagger._gold(one) >= 0).sum() for one in examples)
    _, dX = tagger.update(batch, examples)
    for array, gradient in [(X, dX), *((tagger.head.get_param(k), tagger.head.get_grad(k).copy()) for k in ("W", "b"))]:
        for _ in range(30):
            index = tuple(rng.integers(size) for size in array.shape)
            sides = []
            for step in (1e-6, -2e-6):
                array[index] += step
                sides.append(tagger.update(batch, examples)[0] / n_known)  # of the mean loss a token
            array[index] += 1e-6
            assert gradient[index] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7)


def test_a_tag_that_comes_later(memory):
    nlp, _ = trained()
    before = tagged(nlp, ["Trains", "leave", "at", "noon", "."]).tags
    assert nlp.get_pipe("tagger").add_label("UH")
    assert not nlp.get_pipe("tagger").add_label("UH")
    with_new = nlp.get_pipe("tagger").labels
    assert with_new[-1] == "UH"
    assert tagged(nlp, ["Trains", "leave", "at", "noon", "."]).tags == before
    examples = [example("Oh/UH !/."), *(example(line) for line in SENTENCES)]
    for _ in range(20):
        nlp.update(examples)
    assert tagged(nlp, ["Oh", "!"]).tags == ["UH", "."]
    nlp.update([example("Hm/FW !/.")])  # an update may bring one too
    assert nlp.get_pipe("tagger").labels[-1] == "FW"


def test_no_labels_no_tags():
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", block())
    nlp.initialize()
    assert nlp("Go on!").tags is None


def test_the_same_seed_gives_the_same_weights():
    hashes = [weights_sha256(trained(n_steps=3, seed=seed)[0]) for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
