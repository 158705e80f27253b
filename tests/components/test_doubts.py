"""What cannot be learned from is an error that names the key, or a warning, once and with the text."""

from __future__ import annotations

import warnings

import pytest

import runner
from tests.components.test_pipeline import small_ner

TOK2VEC = {"tok2vec": small_ner()["tok2vec"]}


def pipeline(*names):
    nlp = runner.blank("en")
    for name in names:
        nlp.add_pipe(name, {"architecture": {"type": "bag_of_ngrams"}} if name == "textcat" else TOK2VEC)
    return nlp


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"entites": [(0, 4, "ORG")]}, "unknown annotation 'entites'; did you mean 'entities'"),
        ({"tag": ["X", "Y"]}, "did you mean 'tags'"),
        ({"entities": [], "cat": {}}, "did you mean 'cats'"),
        ({3: 4}, "unknown annotation 3"),
    ],
)
def test_unknown_keys_are_errors_that_name_the_near_one(annotation, words):
    nlp = pipeline("ner")
    for act in (
        lambda: nlp.update(["Uber grows"], [annotation]),
        lambda: runner.Example.from_dict(runner.Doc(["Uber", "grows"]), annotation),
        lambda: nlp.evaluate([("Uber grows", annotation)]),
        lambda: nlp.initialize(lambda: [("Uber grows", annotation)]),
    ):
        with pytest.raises(runner.RunnerError, match=words):
            act()
    nlp.update(["Uber grows"], [{"entities": [], "meta": {"id": 3}}])


@pytest.mark.parametrize(
    ("name", "annotation", "words"),
    [
        ("ner", {"entities": [(0, 3, "ORG")]}, "'Uber grows': 1 of its entities do not start and end where tokens do"),
        ("parser", {"deps": ["nsubj", "ROOT"]}, "'Uber grows': deps without heads"),
        ("textcat", {"cats": {"A": 1.0}}, "'Uber grows': 'A' is the only category of textcat"),
        ("textcat", {"cats": {"A": 0.0, "B": 0}}, "'Uber grows': none of its categories holds"),
        ("tagger", {"words": ["Ubergrows"], "tags": ["X"]}, "'Uber grows': the words of its tags are no tokens"),
        ("ner", {"entities": [], "cats": {"A": 1}}, "no component of this pipeline learns from 'cats': 'Uber grows'"),
    ],
)
def test_what_cannot_be_learned_from_is_warned_of_once(name, annotation, words):
    nlp = pipeline(name)
    with pytest.warns(UserWarning, match=words):
        nlp.update(["Uber grows"], [annotation])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(["Uber grows"], [annotation])
    with pytest.warns(UserWarning, match=words):  # another pipeline has not been told
        pipeline(name).initialize([("Uber grows", annotation)])


def test_what_a_disabled_component_learns_from_is_not_warned_of():
    nlp = pipeline("ner", "tagger")
    with warnings.catch_warnings(), nlp.select_pipes(disable="tagger"):
        warnings.simplefilter("error")
        nlp.update(["Uber grows"], [{"entities": [(0, 4, "ORG")], "tags": ["NNP", "VBZ"]}])


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda nlp: nlp.update([], []), "no example to learn from"),
        (lambda nlp: nlp.update(["a"], ["X"]), r"annotations of 'a' are a str\n  .*entities"),
        (lambda nlp: nlp.update(["a"], [{}], sgd=lambda w, g: None), "which is no optimizer"),
        (lambda nlp: nlp.update(["a"], [{}], sgd=False), "which is no optimizer"),
        (lambda nlp: nlp.update(["a"], [{}], drop=1.5), "dropout must be at least 0 and below 1, got 1.5"),
        (lambda nlp: nlp.update(["a"], [{}], drop=runner.decaying(0.6, 0.2, 0.1)), r"drop=next\(schedule\)"),
        (lambda nlp: nlp.update({"text": "a"}), "the examples are a dict"),
        (lambda nlp: nlp.initialize("text"), "cannot learn from a str"),
        (lambda nlp: nlp.pipe("text"), r"nlp\.pipe takes many texts"),
        (lambda nlp: nlp(["a", "b"]), r"nlp\.pipe\(texts\) for many"),
        (lambda nlp: nlp.get_pipe(3), "no component 3"),
        (lambda nlp: runner.Example(None, runner.Doc(["a"])), "predicted is a NoneType, not a Doc"),
        (lambda nlp: runner.Example(runner.Doc(["a"]), {"entities": []}), "reference is a dict"),
        (lambda nlp: runner.Doc("two words"), r"nlp\.make_doc\(text\)"),
        (lambda nlp: runner.Doc(None, ["a"]), "not a NoneType"),
        (lambda nlp: runner.Example.from_dict("a", {}), "nlp.make_doc"),
        (lambda nlp: runner.Example.from_dict(runner.Doc(["a"]), None), "the annotations are a NoneType"),
    ],
)
def test_mistakes_show_what_to_write(act, words):
    with pytest.raises(runner.RunnerError, match=words):
        act(pipeline("ner"))


def test_pairs_single_texts_and_examples_are_taken():
    nlp = pipeline("ner")
    pair = ("Uber grows", {"entities": [(0, 4, "ORG")]})
    nlp.initialize([pair])
    assert nlp.get_pipe("ner").labels == ["ORG"]
    nlp.update(*pair)
    nlp.update(nlp.make_doc(pair[0]), pair[1])
    nlp.update(runner.Example.from_dict(nlp.make_doc(pair[0]), pair[1]))
    nlp.update([pair])
    nlp.update((text for text in [pair[0]]), (annotation for annotation in [pair[1]]))
    assert nlp._sgd.step == 5
    assert nlp.evaluate([pair])["token_acc"] == 1.0


def test_components_are_put_where_spacy_puts_them():
    nlp = pipeline("ner", "tagger")
    other = {"type": "ner", **TOK2VEC}
    nlp.add_pipe("a", other, first=True)
    nlp.add_pipe("b", other, after="ner")
    nlp.add_pipe("c", other, after="tagger")
    nlp.add_pipe("d", other, last=True)
    nlp.add_pipe("e", other, before="a")
    assert nlp.pipe_names == ["e", "a", "ner", "b", "tagger", "c", "d"]
    with pytest.raises(runner.RunnerError, match="more than one place"):
        nlp.add_pipe("f", other, first=True, before="ner")
    with pytest.raises(runner.RunnerError, match="a label is a string, not 3"):
        nlp.get_pipe("ner").add_label(3)


def test_entities_of_a_doc_may_be_set():
    doc = runner.Doc(["Lake", "Aurel", "froze"])
    doc.ents = [runner.Span(doc, 0, 2, "LOC")]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Lake Aurel", "LOC")]
    doc.ents = [(2, 3, "X")]
    assert [ent.as_tuple() for ent in doc.ents] == [(2, 3, "X")]


def test_entities_alone_may_stand_in_the_place_of_a_dict():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1}})
    nlp.initialize([("Uber grows", [(0, 4, "ORG")]), ("It rains", [])])
    nlp.update(["Oslo grows", "It rains"], [[(0, 4, "GPE")], []])
    nlp.update([("Ada grows", ["U-PER", None])])
    assert sorted(nlp.get_pipe("ner").labels) == ["GPE", "ORG", "PER"]
    with pytest.raises(runner.RunnerError, match=r"entities\[0\] is a number\n  An entity is"):
        nlp.update([("Uber grows", (0, 4, "ORG"))])


def test_a_label_that_looks_like_a_tag_is_doubted_once():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1}})
    with pytest.warns(
        UserWarning, match="the label 'B-ORG' looks like a tag: write 'ORG', with the start and end"
    ) as warned:
        nlp.initialize([("Uber grows", [(0, 4, "B-ORG")]), ("Uber grew", [(0, 4, "B-ORG")])])
    assert len([one for one in warned if "looks like a tag" in str(one.message)]) == 1
