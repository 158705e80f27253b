"""How sure a model is: `ent.confidence`, and the same of tags, arcs and categories."""

from __future__ import annotations

import pickle

import pytest

import runner
from runner.components.inputs import Batch
from runner.components.records import record_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
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
    vectors = nlp.network._vectors("ner", batch, {})
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
