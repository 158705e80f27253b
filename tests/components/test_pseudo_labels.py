"""A teacher writes what it is sure of into the gaps of annotated docs; what it is not sure of stays unknown."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.components.labelling import annotated_labels, pseudo_labelled
from runner.components.pipeline import Pipeline
from runner.components.pseudo_labels import Rule, Written, fill_entities, fill_words
from runner.corpus.annotations import ANNOTATED
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.model import crf

SMALL = {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2, "word_dropout": 0}}
WORDS = ["Ann", "saw", "Rome", "."]
GOLD: dict[str, dict[str, Any]] = {
    "ner": {"entities": ["U-PER", "O", "O", "O"]},
    "tagger": {"tags": ["N", "V", "N", "."]},
    "parser": {"heads": [1, 1, 1, 1], "deps": ["subj", "root", "obj", "punct"]},
    "textcat": {"cats": {"A": 1.0, "B": 0.0}},
}


def trained(kind: str, *, epochs: int = 30, **settings: Any) -> Pipeline:
    """A pipeline that knows the four words by heart, and the reverse of the category for another text."""
    nlp = runner.blank("en")
    nlp.add_pipe(kind, {**SMALL, **settings})
    records = [{"words": WORDS, **GOLD[kind]}]
    if kind == "textcat":
        records.append({"words": ["no", "one"], "cats": {"A": 0.0, "B": 1.0}})
    pairs = [(" ".join(one["words"]), one) for one in records]
    sgd = nlp.initialize(pairs)
    for _ in range(epochs):
        nlp.update(*zip(*pairs, strict=True), sgd=sgd)
    return nlp


def told_of(reference: Doc, *labels: str) -> frozenset[str]:
    return Rule(0.9, frozenset(["LOC"])).told(labels, reference)


# Entities, by hand


def test_only_labels_that_the_data_never_annotate_are_told_of_annotated_docs() -> None:
    annotated, raw = Doc(WORDS, ents=[(2, 3, "LOC")]), Doc(WORDS)
    assert told_of(annotated, "PER", "LOC") == {"PER"}
    assert told_of(raw, "PER", "LOC") == {"PER", "LOC"}
    assert Rule(0.9).told(["PER"], Doc(WORDS, ents=())) == frozenset()  # nothing annotated anywhere: O means O


def test_an_entity_beside_gold_is_written_and_one_that_overlaps_is_not() -> None:
    doc = Doc(WORDS, ents=[(2, 3, "LOC")])
    sure = [(0, 1, "PER"), (1, 3, "PER")]
    written = fill_entities(doc, sure, [0.0, 0.01, 0.02, 0.99], frozenset(["PER"]), Rule(0.9, frozenset(["LOC"])))
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "PER"), (2, 3, "LOC")]
    assert written.labels == {"PER": 1}
    assert written.n_open == 1  # "saw", which the rejected entity covers too; "Rome" is annotated
    assert doc.meta[ANNOTATED] == [(0, 4, ["LOC", "PER"]), (1, 2, ["LOC"])]
    assert doc.unknown_ents == []


def test_an_entity_at_unknown_words_is_not_written() -> None:
    doc = Doc(WORDS, ents=[], unknown_ents=[(0, 1)])
    written = fill_entities(doc, [(0, 1, "PER")], [0.0, 1, 1, 1], frozenset(["PER"]), Rule(0.9, frozenset(["LOC"])))
    assert (written.labels, written.n_open, doc.ents) == (Counter(), 0, [])


def test_unsure_words_of_a_doc_without_annotation_are_unknown() -> None:
    doc = Doc(WORDS)
    fill_entities(doc, [(0, 1, "PER")], [0.0, 0.95, 0.5, 0.89], frozenset(["PER"]), Rule(0.9, frozenset(["LOC"])))
    assert doc.unknown_ents == [(2, 4)]
    assert doc.meta[ANNOTATED] == [(0, 4, ["PER"])]  # of LOC nothing is known, in no word
    assert Example.from_doc(doc).biluo() == ["U-PER", "O", "-", "-"]


def states(doc: Doc, labels: list[str]) -> list[set[str]]:
    """The tags that a recognizer takes as right for each word."""
    nlp = runner.blank("en")
    ner: Any = nlp.add_pipe("ner", SMALL)
    ner.add_labels(labels)
    gold = ner._gold(Example.from_doc(doc))
    tags = ["O", *(f"{move}-{label}" for move in "BILU" for label in labels)]
    others = ner._others()
    right = []
    for state in gold.tolist():
        if state >= 0:
            right.append({tags[state]})
        elif state == crf.UNKNOWN:
            right.append(set(tags))
        else:
            right.append({tag for tag, allowed in zip(tags, others[crf.OTHER - state], strict=True) if allowed})
    return right


def test_what_a_word_may_be_by_what_is_known_of_it() -> None:
    of_new, of_org = {"U-ORG", "B-ORG", "I-ORG", "L-ORG"}, {"U-PER", "B-PER", "I-PER", "L-PER"}
    annotated = Doc(WORDS, ents=[(2, 3, "LOC")])
    fill_entities(annotated, [], [0.5, 0.95, 0.95, 0.95], frozenset(["PER"]), Rule(0.9, frozenset(["LOC", "ORG"])))
    assert states(annotated, ["LOC", "PER", "ORG"]) == [{"O"} | of_org, {"O"}, {"U-LOC"}, {"O"}]
    raw = Doc(WORDS)
    fill_entities(
        raw, [(0, 1, "PER")], [0, 0.95, 0.5, 0.95], frozenset(["PER", "LOC"]), Rule(0.9, frozenset(["LOC", "ORG"]))
    )
    everything = {f"{move}-{label}" for move in "BILU" for label in ("LOC", "PER", "ORG")} | {"O"}
    assert states(raw, ["LOC", "PER", "ORG"]) == [{"U-PER"}, {"O"} | of_new, everything, {"O"} | of_new]


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            st.lists(st.sampled_from(["gold", "unknown", "none"]), min_size=n, max_size=n),
            st.lists(st.booleans(), min_size=n, max_size=n),
            st.lists(st.sampled_from([0.0, 0.89, 0.9, 1.0]), min_size=n, max_size=n),
        )
    )
)
def test_gold_annotation_stays_and_every_word_is_accounted_for(case: tuple[list[str], list[bool], list[float]]) -> None:
    kinds, predicted, p_none = case
    gold = [(i, i + 1, "LOC") for i, kind in enumerate(kinds) if kind == "gold"]
    unknown = [(i, i + 1) for i, kind in enumerate(kinds) if kind == "unknown"]
    doc = Doc(["x"] * len(kinds), ents=gold, unknown_ents=unknown)
    sure = [(i, i + 1, "PER") for i, is_predicted in enumerate(predicted) if is_predicted]
    fill_entities(doc, sure, p_none, frozenset(["PER"]), Rule(0.9, frozenset(["LOC"])))
    assert [ent.as_tuple() for ent in doc.ents if ent.label == "LOC"] == gold
    assert doc.unknown_ents == unknown
    everything = {f"{move}-{label}" for move in "BILU" for label in ("LOC", "PER")} | {"O"}
    for i, right in enumerate(states(doc, ["LOC", "PER"])):
        if kinds[i] == "gold":
            assert right == {"U-LOC"}
        elif kinds[i] == "unknown":
            assert right == everything
        elif predicted[i]:
            assert right == {"U-PER"}
        elif p_none[i] >= 0.9:
            assert right == {"O"}
        else:
            assert right == {"O", "B-PER", "I-PER", "L-PER", "U-PER"}


# Words and texts


def test_sure_values_are_written_where_none_stands() -> None:
    gold, predicted = Doc(WORDS, tags=["X", None, None, None]), Doc(WORDS, tags=["N", "V", "N", "."])
    predicted.confidence = {"tags": [1.0, 0.95, 0.5, 0.9]}
    assert fill_words(gold, predicted, ["tags"], 0.9) == {"V": 1, ".": 1}
    assert gold.tags == ["X", "V", None, "."]


def test_an_arc_is_labelled_only_where_the_head_is_the_same() -> None:
    gold, predicted = Doc(WORDS, heads=[1, 1, None, None]), Doc(WORDS, heads=[2, 1, 1, 1], deps=["a", "root", "b", "c"])
    predicted.confidence = {"heads": [1.0, 1.0, 1.0, 0.5], "deps": [1.0, 1.0, 0.9, 1.0]}
    assert fill_words(gold, predicted, ["heads", "deps"], 0.9) == {"head": 1, "root": 1, "b": 1}
    assert (gold.heads, gold.deps) == ([1, 1, 1, None], [None, "root", "b", None])


# Components


@pytest.mark.parametrize("kind", GOLD)
def test_a_teacher_that_knows_it_by_heart_writes_what_it_learned(kind: str) -> None:
    nlp = trained(kind)
    doc = Doc(WORDS)
    written = nlp.pseudo_label([doc], {kind: Rule(0.6)})[0][kind]
    example = Example.from_dict(Doc(WORDS), GOLD[kind])
    for layer in ("tags", "heads", "deps", "cats"):
        if (gold := getattr(example.reference, layer)) is not None:
            assert getattr(doc, layer) == gold
    assert [ent.as_tuple() for ent in doc.ents] == [ent.as_tuple() for ent in example.reference.ents]
    assert written.labels.total() == {"ner": 1, "tagger": 4, "parser": 8, "textcat": 1}[kind]


@pytest.mark.parametrize("kind", GOLD)
def test_nobody_is_surer_than_certain(kind: str) -> None:
    doc = Doc(WORDS)
    written = trained(kind, epochs=1).pseudo_label([doc], {kind: Rule(1.0)})[0][kind]
    assert not written.labels
    assert not doc.ents
    assert doc.tags is doc.heads is doc.deps is doc.cats is None
    assert doc.unknown_ents == ([(0, 4)] if kind == "ner" else [])
    assert written.n_open == (4 if kind == "ner" else 0)


@pytest.mark.parametrize("kind", GOLD)
def test_gold_annotation_is_never_changed(kind: str) -> None:
    gold = {
        "ner": {"entities": ["O", "O", "U-LOC", "O"]},
        "tagger": {"tags": ["X"] * 4},
        "parser": {"heads": [0, 0, 0, 0], "deps": ["x"] * 4},
        "textcat": {"cats": {"B": 1.0}},
    }[kind]
    reference = Example.from_dict(Doc(WORDS), gold).reference
    expected = Example.from_dict(Doc(WORDS), gold).reference
    trained(kind).pseudo_label([reference], {kind: Rule(0.0, frozenset(["PER", "LOC"]))})
    for layer in ("tags", "heads", "deps", "cats", "has_ents"):
        assert getattr(reference, layer) == getattr(expected, layer)
    assert [ent.as_tuple() for ent in reference.ents] == [ent.as_tuple() for ent in expected.ents]


def test_of_categories_that_exclude_no_other_those_that_are_unknown_are_written() -> None:
    nlp = trained("textcat", exclusive=False, epochs=60)
    doc = Doc(WORDS, cats={"B": 1.0})
    assert nlp.pseudo_label([doc], {"textcat": Rule(0.6)})[0]["textcat"].labels == {"A": 1}
    assert doc.cats == {"B": 1.0, "A": 1.0}
    other = Doc(["no", "one"])
    assert nlp.pseudo_label([other], {"textcat": Rule(0.6)})[0]["textcat"].labels == {"B": 1}
    assert other.cats == {"A": 0.0, "B": 1.0}  # that it lacks A is known too


def test_the_confidence_is_that_of_the_prediction() -> None:
    """The threshold is held against the number that nlp(text) tells, the temperature of calibration included."""
    nlp = trained("ner", epochs=6)
    for temperature in (1.0, 3.0):
        nlp.meta["temperatures"] = {"ner": temperature}
        (shown,) = nlp.pipe([Doc(WORDS)], confidence=True)
        sure = shown.ents[0].confidence
        for minimum, n in ((sure - 1e-6, 1), (sure + 1e-6, 0)):
            doc = Doc(WORDS)
            nlp.pseudo_label([doc], {"ner": Rule(minimum)})
            assert len(doc.ents) == n


def test_a_component_that_tells_no_confidence_cannot_write() -> None:
    nlp = trained("tagger")
    tagger: Any = nlp.get_pipe("tagger")
    tagger.annotate = lambda batch: [setattr(doc, "tags", ["N"] * len(doc)) for doc in batch.docs]
    with pytest.raises(runner.RunnerError, match=r"'tagger' \(tagger\) cannot say how sure it is of each word"):
        nlp.pseudo_label([Doc(WORDS)], {"tagger": Rule(0.9)})


# Data


def test_examples_keep_their_tokens_and_count_what_was_written() -> None:
    nlp = trained("ner")
    gold = Example.from_dict(Doc(["saw", "Rome"]), {"entities": ["O", "U-LOC"]})
    raw = Example.from_doc(Doc(WORDS))
    wide = Example(
        Doc(["Ann", "saw", "Ro", "me", "."], [True, True, False, False, False]), Doc(WORDS, [True, True, False, False])
    )
    examples = [gold, raw, wide]
    annotated = annotated_labels(nlp.components["ner"], examples)
    assert annotated == {"LOC"}
    labelled, written = pseudo_labelled(examples, nlp, {"ner": Rule(0.6, annotated)}, "")
    assert [one.predicted for one in labelled] == [one.predicted for one in examples]
    assert [len(one.reference.ents) for one in examples] == [1, 0, 0]  # untouched
    assert [one.aligned_ents() for one in labelled[1:]] == [[(0, 1, "PER")], [(0, 1, "PER")]]
    assert labelled[2].annotated_labels() == [(0, 5, {"PER"})]
    assert written["ner"].labels["PER"] == 2
    assert written["ner"].n_docs == 2


def test_what_was_written_survives_json() -> None:
    written = Written(Counter(PER=3, LOC=7), 5, 2)
    assert written.as_dict() == {"labels": {"LOC": 7, "PER": 3}, "open_words": 5, "texts": 2}
    assert list(written.as_dict()["labels"]) == ["LOC", "PER"]
    assert Written.of(written.as_dict()) == written
