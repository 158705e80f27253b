"""How sure a model is: `ent.confidence`, and the same of tags, arcs and categories."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import runner
from runner.components.inputs import Batch
from runner.components.records import drop_unsure, record_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.model.biaffine import Arcs, Bucket, head_probabilities
from runner.model.crf_spans import entity_probabilities
from runner.tracking.mlflow.flavor import TextModel

SMALL = {"tok2vec": {"type": "hash_embed_cnn", "width": 16, "depth": 1, "embed_size": 100}}
TEXTS = ("Ada met Bo in Rome", "Bo slept", "", "Rome met nobody at all , and nobody met Rome", "Ada Bo Rome")


def example(entities, text="Ada met Bo in Rome"):
    return Example.from_dict(runner.blank("en").make_doc(text), {"entities": entities})


TRAIN = [
    example([(0, 3, "PER"), (8, 10, "PER"), (14, 18, "LOC")]),
    example([(0, 2, "PER")], "Bo slept"),
    example([(0, 4, "LOC")], "Rome met nobody"),
]


@pytest.fixture(scope="module")
def nlp():
    """A recognizer that has learned a little: sure of some entities, unsure of others."""
    nlp = runner.blank("en")
    nlp.add_pipe("ner", SMALL)
    sgd = nlp.initialize(TRAIN)
    for _ in range(12):
        nlp.update(TRAIN, sgd=sgd)
    return nlp


def confidences(docs):
    return [[(ent.text, ent.confidence) for ent in doc.ents] for doc in docs]


def test_each_entity_of_a_text_has_its_probability(nlp):
    doc = nlp("Ada met Bo in Rome")
    batch = Batch.of([doc], nlp.lexemes)
    vectors = nlp.network._read("ner", batch, {}).vectors
    scores = nlp.components["ner"].head.predict(vectors)
    P = nlp.parameters.ops.crf_marginals(scores.astype("float64"), batch.layout).probabilities
    labels = nlp.components["ner"].labels
    expected = {(i, j, labels[x]): p for i, j, x, p in entity_probabilities(P, 0.01)}
    assert len(doc.ents) >= 2
    for ent in doc.ents:
        assert 0.05 < ent.confidence < 1
        assert ent.confidence == pytest.approx(expected[ent.as_tuple()], rel=1e-9)


def test_it_is_the_same_to_the_last_bit_whoever_stands_beside(nlp):
    alone = [nlp(text) for text in TEXTS]
    assert sum(len(doc.ents) for doc in alone) > 3
    for texts in (TEXTS, TEXTS[::-1], ["Tom likes the Andes"] * 40 + list(TEXTS)):
        together = dict(zip(texts, nlp.pipe(texts, confidence=True), strict=True))
        assert confidences(together[text] for text in TEXTS) == confidences(alone)


def test_nobody_gets_it_who_does_not_ask(nlp):
    gold = TRAIN[0].reference
    (piped,) = nlp.pipe(["Ada met Bo in Rome"])
    for doc in (gold, piped, nlp("Ada met Bo in Rome", confidence=False)):
        assert doc.ents
        assert {ent.confidence for ent in doc.ents} == {None}
        assert doc[0].tag_confidence is doc[0].head_confidence is doc[0].dep_confidence is None
    assert "entity_confidence" not in record_of(nlp, piped)


def test_a_second_prediction_without_it_leaves_none_of_the_first(nlp):
    doc = nlp("Ada met Bo in Rome")
    nlp.predict([doc])
    assert {ent.confidence for ent in doc.ents} == {None}
    assert doc.confidence is None


def test_a_record_has_one_number_an_entity(nlp):
    doc = nlp("Ada met Bo in Rome")
    record = record_of(nlp, doc)
    assert record["entity_confidence"] == [ent.confidence for ent in doc.ents]
    assert len(record["entities"]) == len(record["entity_confidence"])
    assert record_of(nlp, nlp(""))["entity_confidence"] == []


def test_mlflows_model_gives_it_if_asked(nlp):
    model = TextModel(nlp)
    (plain,) = model.predict("Ada met Bo in Rome")
    (asked,) = model.predict("Ada met Bo in Rome", {"confidence": True})
    assert "entity_confidence" not in plain
    assert asked == record_of(nlp, nlp("Ada met Bo in Rome"))


def test_a_record_is_learned_from_like_any_other(nlp):
    """The numbers of a prediction are no annotation, and no misspelt one."""
    record = record_of(nlp, nlp("Ada met Bo in Rome"))
    read = Example.from_dict(nlp.make_doc(record["text"]), {k: v for k, v in record.items() if k != "text"})
    assert [ent.as_tuple() for ent in read.reference.ents] == [ent.as_tuple() for ent in nlp(record["text"]).ents]
    assert {ent.confidence for ent in read.reference.ents} == {None}


def test_entities_that_a_user_keeps_keep_it(nlp):
    doc = nlp("Ada met Bo in Rome")
    sure = max(ent.confidence for ent in doc.ents)
    doc.ents = [*[ent for ent in doc.ents if ent.confidence == sure], (3, 4, "LOC")]
    assert sorted(str(ent.confidence) for ent in doc.ents) == sorted([str(sure), "None"])


def test_copies_and_pickles_keep_it(nlp):
    doc = nlp("Ada met Bo in Rome")
    doc.confidence = {"tags": [0.5] * 5}
    for other in (doc.copy(), pickle.loads(pickle.dumps(doc))):
        assert confidences([other]) == confidences([doc])
        assert other[2].tag_confidence == 0.5
    assert {ent.confidence for ent in doc.copy_unannotated().ents} == set()


def test_merged_tokens_have_that_of_their_anchor():
    doc = Doc(["the", "Golden", "Gate", "shone"], ents=[(1, 3, "LOC")], heads=[2, 2, 3, 3])
    doc.confidence = {"tags": [0.1, 0.2, 0.3, 0.4], "cats": {"A": 0.5}}
    doc.ents[0].confidence = 0.9
    doc.retokenize([(1, 3)])
    assert [token.tag_confidence for token in doc] == [0.1, 0.3, 0.4]
    assert doc.confidence["cats"] == {"A": 0.5}
    assert [(ent.text, ent.confidence) for ent in doc.ents] == [("Golden Gate", 0.9)]


def test_scores_do_not_depend_on_it(nlp):
    before = nlp.evaluate(TRAIN)
    nlp.predict([e.predicted for e in TRAIN], confidence=True)
    after = nlp.score(TRAIN)
    assert {k: before[k] for k in after} == after


# Tags, arcs, categories


WORDS = ["Ada", "met", "Bo", "in", "Rome"]
TREE = {
    "words": WORDS,
    "tags": ["N", "V", "N", "P", "N"],
    "heads": [1, 1, 1, 4, 1],
    "deps": ["subj", "root", "obj", "case", "obl"],
}
LAYERS = {**TREE, "cats": {"TRAVEL": 1.0, "SLEEP": 0.0}}


def several():
    gold = [
        LAYERS,
        {
            "words": ["Bo", "slept"],
            "tags": ["N", "V"],
            "heads": [1, 1],
            "deps": ["subj", "root"],
            "cats": {"SLEEP": 1.0},
        },
    ]
    make_doc = runner.blank("en").make_doc
    return [Example.from_dict(make_doc(" ".join(layers["words"])), layers) for layers in gold]


def full(n_updates=4, **textcat):
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", SMALL)
    nlp.add_pipe("parser", {**SMALL, "rnn_width": 8, "arc_width": 8, "label_width": 8})
    nlp.add_pipe("textcat", {**SMALL, **textcat})
    examples = several()
    sgd = nlp.initialize(examples)
    for _ in range(n_updates):
        nlp.update(examples, sgd=sgd)
    return nlp


@pytest.fixture(scope="module")
def layers():
    return full()


def scores_of(nlp, name, doc):
    batch = Batch.of([doc], nlp.lexemes)
    return nlp.components[name].head, nlp.network._read(name, batch, {}).vectors


def test_a_tag_has_its_softmax_probability(layers):
    doc = layers("Ada met Bo in Rome")
    head, vectors = scores_of(layers, "tagger", doc)
    Y = head.predict(vectors).astype("float64")
    P = np.exp(Y) / np.exp(Y).sum(axis=0)
    assert [token.tag_confidence for token in doc] == pytest.approx(P.max(axis=0).tolist(), rel=1e-6)
    assert 1 / 3 < doc[0].tag_confidence < 1


def test_a_head_and_its_label_have_theirs(layers):
    """A head: a softmax over all words and the root. A label: one over all labels, for the chosen head."""
    doc = layers("Ada met Bo in Rome")
    head, vectors = scores_of(layers, "parser", doc)
    parse = head.predict((vectors, None))
    S = parse.arcs.scores[0][0, :5, :5].astype("float64")
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    assert [token.head_confidence for token in doc] == pytest.approx(
        [P[i, h] for i, h in enumerate(doc.heads)], rel=1e-6
    )
    Y = parse.labels.astype("float64")
    P = (np.exp(Y) / np.exp(Y).sum(axis=0)).max(axis=0)
    assert [token.dep_confidence for token in doc] == pytest.approx(P.tolist(), rel=1e-6)


def test_a_head_that_only_the_tree_demands_has_the_probability_of_itself():
    """Each of two words prefers the other as its head; the tree makes one of them the root, which is less probable."""
    arcs = Arcs([Bucket(np.array([[0, 1]]), np.array([2]), np.array([[True, True]]))], [np.log([[[1.0, 3], [4, 1]]])])
    assert head_probabilities(arcs, np.array([0, 0])).tolist() == pytest.approx([1 / 4, 4 / 5])
    assert head_probabilities(arcs, np.array([0, 0]), 2.0).tolist() == pytest.approx([1 / (1 + 3**0.5), 2 / 3])


def test_a_text_cut_into_sentences_has_heads_with_confidence_too():
    nlp = full()
    nlp.components["parser"].max_length = 3
    doc = nlp(" ".join(WORDS * 3))
    assert all(0 < token.head_confidence <= 1 and 0 < token.dep_confidence <= 1 for token in doc)


@pytest.mark.parametrize("exclusive", [True, False])
def test_categories_have_that_of_cats_until_they_are_calibrated(exclusive):
    nlp = full(exclusive=exclusive)
    doc = nlp("Ada met Bo in Rome")
    assert doc.confidence["cats"] == pytest.approx(doc.cats, rel=1e-6)
    nlp.meta["temperatures"] = {"textcat": 2.0}
    calmer = nlp("Ada met Bo in Rome")
    assert calmer.cats == doc.cats  # what is scored stays
    odds = [p / (1 - p) for p in (doc.cats["TRAVEL"], calmer.confidence["cats"]["TRAVEL"])]
    assert odds[1] == pytest.approx(odds[0] ** 0.5, rel=1e-5)  # half the log odds


def test_every_layer_is_independent_of_its_neighbours(layers):
    alone = [layers(text).confidence for text in TEXTS]
    assert set(alone[0]) == {"tags", "heads", "deps", "cats"}
    assert [doc.confidence for doc in layers.pipe([*TEXTS, "Bo " * 50], confidence=True)][:-1] == alone


def test_records_tell_every_layer(layers):
    record = record_of(layers, layers("Bo slept"))
    assert {key: len(value) for key, value in record.items() if key.endswith("_confidence")} == {
        "tag_confidence": 2, "head_confidence": 2, "dep_confidence": 2, "cat_confidence": 2,
    }  # fmt: skip
    (plain,) = layers.pipe(["Bo slept"])
    assert not [key for key in record_of(layers, plain) if key.endswith("_confidence")]


# Leaving out the unsure


def test_entities_below_the_minimum_are_dropped(nlp):
    doc = nlp("Ada met Bo in Rome")
    values = sorted(ent.confidence for ent in doc.ents)
    drop_unsure(nlp, doc, values[1])
    assert sorted(ent.confidence for ent in doc.ents) == values[1:]
    drop_unsure(nlp, doc, 1.0)
    assert doc.ents == []
    assert doc.has_ents


def test_categories_below_the_minimum_are_dropped_and_tags_never(layers):
    doc = layers("Ada met Bo in Rome")
    best = max(doc.cats, key=doc.cats.get)
    drop_unsure(layers, doc, 0.5)
    assert list(doc.cats) == list(doc.confidence["cats"]) == [best]
    drop_unsure(layers, doc, 1.0)
    assert doc.cats == {}
    assert None not in doc.tags


@pytest.mark.parametrize("minimum", [-0.1, 1.5, float("nan")])
def test_a_minimum_is_a_probability(nlp, minimum):
    with pytest.raises(RunnerError, match=r"must be from 0 to 1\n  Give 0.8 for 80 %"):
        drop_unsure(nlp, nlp("Bo slept"), minimum)
