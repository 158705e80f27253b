"""The text classifier as a user sees it."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner.components.storage import weights_sha256
from runner.corpus.doc import Doc

TEXTS = [
    ("The keeper saved a late penalty", "SPORT"),
    ("Two goals in extra time decided the cup", "SPORT"),
    ("She ran the marathon in the rain", "SPORT"),
    ("The coach left the club in May", "SPORT"),
    ("A probe photographed the moons of Saturn", "SCIENCE"),
    ("The enzyme splits sugar in cold water", "SCIENCE"),
    ("Telescopes saw the star grow dim", "SCIENCE"),
    ("The night train to Lisbon was late", "TRAVEL"),
    ("Our hotel had a view of the harbour", "TRAVEL"),
    ("Book the ferry in spring", "TRAVEL"),
]
LABELS = ["SCIENCE", "SPORT", "TRAVEL"]
SMALL_TOK2VEC = {"type": "hash_embed_cnn", "width": 24, "depth": 1, "embed_size": 200}
ARCHITECTURES = {
    "bag_of_ngrams": {"type": "bag_of_ngrams", "rows": 2000},
    "cnn": {"type": "cnn", "hidden_width": 16},
    "ensemble": {"type": "ensemble", "rows": 2000, "hidden_width": 16},
}


def blank(kind="bag_of_ngrams", seed=0, **options):
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("textcat", {"architecture": ARCHITECTURES[kind], "tok2vec": SMALL_TOK2VEC, **options})
    return nlp


def one_hot(label):
    return {"cats": {other: float(other == label) for other in LABELS}}


def trained(kind="bag_of_ngrams", n_iterations=40, seed=0, **options):
    nlp = blank(kind, seed, **options)
    sgd = nlp.initialize()
    for i in range(n_iterations):
        for start in range(0, len(TEXTS), 5):
            batch = [TEXTS[(start + k + i) % len(TEXTS)] for k in range(5)]
            nlp.update([text for text, _ in batch], [one_hot(label) for _, label in batch], drop=0.1, sgd=sgd)
    return nlp, sgd


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def memory(request):
    return (*trained(request.param), request.param)


def best(doc):
    return max(doc.cats, key=doc.cats.get)


def test_ten_texts_are_learned_by_heart(memory):
    nlp, _, _ = memory
    for text, label in TEXTS:
        doc = nlp(text)
        assert best(doc) == label
        assert sum(doc.cats.values()) == pytest.approx(1.0, abs=1e-5)
    examples = [runner.Example.from_dict(nlp.make_doc(text), one_hot(label)) for text, label in TEXTS]
    scores = nlp.evaluate(examples)
    assert scores["cats_score"] == scores["cats_macro_auc"] == 1.0
    assert scores["per_type"]["textcat"]["SPORT"]["support"] == 4


def test_only_architectures_that_read_vectors_have_a_tok2vec(memory):
    nlp, _, kind = memory
    assert any("tok2vec" in path for path in nlp.parameters.layout) == (kind != "bag_of_ngrams")


def test_several_categories_at_once(memory):
    kind = memory[2]
    nlp = blank(kind, exclusive=False)
    texts = ["moons of Saturn", "the ferry was late", "by ferry to the moons", "good morning"]
    gold = [{"SKY": 1.0, "SEA": 0.0}, {"SKY": 0.0, "SEA": 1.0}, {"SKY": 1.0, "SEA": 1.0}, {"SKY": 0.0, "SEA": 0.0}]
    sgd = nlp.initialize()
    for _ in range(120):
        nlp.update(texts, [{"cats": cats} for cats in gold], sgd=sgd)
    for text, cats in zip(texts, gold, strict=True):
        assert {label: float(value >= 0.5) for label, value in nlp(text).cats.items()} == cats


def test_an_unnamed_label_is_unknown_unless_exclusive():
    for exclusive in (False, True):
        nlp = blank(exclusive=exclusive)
        sgd = nlp.initialize()
        nlp.update(["a b", "c d"], [{"cats": {"A": 1.0}}, {"cats": {"B": 1.0}}], sgd=sgd)
        b_of_first = nlp.get_pipe("textcat")._gold(runner.Example.from_dict(nlp.make_doc("a b"), {"cats": {"A": 1.0}}))
        assert nlp.get_pipe("textcat").labels == ["A", "B"]
        assert np.isnan(b_of_first[1]) if not exclusive else b_of_first.tolist() == [1.0, 0.0]


def test_texts_without_categories_teach_nothing():
    for exclusive in (True, False):
        nlp, sgd = trained(n_iterations=1, exclusive=exclusive)
        losses = {}
        nlp.update(["Uber grows"], [{"entities": []}], sgd=sgd, losses=losses)
        assert losses == {"textcat": 0.0}
        nlp.update(["Uber grows", "The keeper"], [{"entities": []}, one_hot("SPORT")], sgd=sgd, losses=losses)
        assert losses["textcat"] > 0
    nlp, sgd = trained(n_iterations=1)
    losses = {}
    nlp.update(["Uber grows"], [one_hot("none of them")], sgd=sgd, losses=losses)
    assert losses == {"textcat": 0.0}


def test_no_text_one_word_and_three_thousand(memory):
    nlp, sgd, _ = memory
    for text in ("", "penalty", "The keeper saved a late penalty . " * 430):
        assert sum(nlp(text).cats.values()) == pytest.approx(1.0, abs=1e-5)
    long = Doc(["word"] * 3000)
    assert set(nlp(long).cats) == set(LABELS)
    batch = [runner.Example(Doc(words), Doc(words, cats={"SPORT": 1.0})) for words in ([], ["penalty"], ["w"] * 3000)]
    losses = {}
    nlp.update(batch, drop=0.2, sgd=sgd, losses=losses)
    assert np.isfinite(losses["textcat"])
    assert np.isfinite(nlp.parameters.weights).all()


def test_one_by_one_and_in_batches(memory):
    nlp, _, _ = memory
    texts = [text for text, _ in TEXTS] + [""]
    together = [doc.cats for doc in nlp.pipe(texts)]
    for cats, text in zip(together, texts, strict=True):
        assert nlp(text).cats == pytest.approx(cats, abs=1e-5)


def test_a_label_that_comes_later_keeps_the_others(memory):
    nlp, sgd = trained(memory[2])
    assert nlp.get_pipe("textcat").add_label("MUSIC")
    for text, label in TEXTS[:3]:
        assert best(nlp(text)) == label
    song = ("The band played on", {"cats": {"MUSIC": 1.0}})
    for _ in range(60):
        nlp.update([song[0], TEXTS[0][0], TEXTS[5][0]], [song[1], one_hot("SPORT"), one_hot("SCIENCE")], sgd=sgd)
    assert best(nlp(song[0])) == "MUSIC"
    assert best(nlp(TEXTS[5][0])) == "SCIENCE"


def test_the_same_seed_gives_the_same_bits(memory):
    kind = memory[2]
    first = weights_sha256(trained(kind, n_iterations=2)[0])
    trained(kind, n_iterations=1, seed=4)
    assert weights_sha256(trained(kind, n_iterations=2)[0]) == first
    assert weights_sha256(trained(kind, n_iterations=2, seed=1)[0]) != first


def test_saved_and_loaded(memory, tmp_path):
    nlp, _, _ = memory
    nlp.to_disk(tmp_path / "model")
    loaded = runner.load(tmp_path / "model")
    for text, _ in TEXTS[:4]:
        assert loaded(text).cats == nlp(text).cats


def test_two_categories_where_one_is_allowed():
    nlp = blank()
    example = runner.Example.from_doc(Doc(["both"], cats={"A": 1.0, "B": 1.0}, source="a.jsonl:7"))
    with pytest.raises(runner.RunnerError, match="add up to 2") as caught:
        nlp.update([example])
    assert caught.value.place == "a.jsonl:7"
    assert "exclusive=false" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"architecture": {"type": "bow"}}, "unknown classifier 'bow'"),
        ({"architecture": {"type": "cnn", "rows": 3}}, "takes no 'rows'"),
        ({"tok2vec": None, "architecture": {"type": "cnn"}}, "there is no tok2vec"),
    ],
)
def test_blocks_that_do_not_fit(options, words):
    with pytest.raises(runner.RunnerError, match=words):
        runner.blank("en").add_pipe("textcat", options)
