"""MLflow's model: what it answers for each kind of component, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

import runner
from runner.components.base import Component
from runner.components.records import record_of
from runner.corpus.annotations import read_annotations
from runner.tracking.mlflow.flavor import TextModel

GOLD = {
    "words": ["Ada", "met", "Lin"],
    "text": " Ada  met\nLin",
    "entities": [[1, 4, "PER"], [10, 13, "PER"]],
    "tags": ["NNP", "VBD", "NNP"],
    "heads": [1, 1, 1],
    "deps": ["nsubj", "root", "obj"],
    "cats": {"SOCIAL": 1.0, "SPORT": 0.0},
}
LAYERS = {
    "ner": {"entities"},
    "tagger": {"words", "tags"},
    "parser": {"words", "heads", "deps", "sent_starts"},
    "textcat": {"cats"},
}


def model_of(*names):
    nlp = runner.blank("en")
    for name in names:
        nlp.add_pipe(name)
    example = runner.Example(nlp.make_doc(GOLD["text"]), read_annotations(GOLD, None))
    sgd = nlp.initialize(lambda: [example])
    for _ in range(25):
        nlp.update([example], sgd=sgd)
    return nlp


@pytest.mark.parametrize("name", LAYERS)
def test_each_kind_of_component_answers_what_it_predicts(name):
    (answer,) = TextModel(model_of(name)).predict([GOLD["text"]])
    assert json.loads(json.dumps(answer)) == answer
    assert set(answer) == {"text"} | LAYERS[name]
    assert answer["text"] == GOLD["text"]
    assert all(answer[key] == GOLD[key] for key in LAYERS[name] - {"cats", "sent_starts"})
    if name == "textcat":
        assert answer["cats"]["SOCIAL"] > 0.5
        assert sum(answer["cats"].values()) == pytest.approx(1.0)
    if name == "parser":
        assert answer["sent_starts"] == [True, False, False]


def test_an_answer_of_all_components_is_an_example_in_the_training_style():
    nlp = model_of("ner", "tagger", "textcat")
    doc = nlp(GOLD["text"])
    read = read_annotations(record_of(nlp, doc), None)
    assert (read.text, read.words, read.tags, read.cats) == (doc.text, doc.words, doc.tags, doc.cats)
    assert [ent.as_tuple() for ent in read.ents] == [(0, 1, "PER"), (2, 3, "PER")]


def test_a_component_that_says_nothing_of_records_answers_what_it_wrote(monkeypatch):
    nlp = model_of("tagger")
    monkeypatch.setattr(type(nlp.get_pipe("tagger")), "as_record", Component.as_record)
    (answer,) = TextModel(nlp).predict("Ada met Lin")
    assert answer == {"text": "Ada met Lin", "words": GOLD["words"], "tags": GOLD["tags"]}


@pytest.fixture(scope="module")
def served():
    return TextModel(model_of("ner"))


@pytest.mark.parametrize(
    "given",
    [
        "Ada", ["Ada"], ("Ada",), np.array(["Ada"]),
        np.array(["Ada"], dtype=object), np.array("Ada"), {"text": "Ada"}, {"text": ["Ada"]},
        [{"text": "Ada"}], [{"text": np.array("Ada")}], pd.DataFrame({"text": ["Ada"]}), pd.DataFrame(["Ada"]),
        pd.DataFrame([{"text": ["Ada"]}]), pd.DataFrame({"text": ["Lin", "Ada"]})[1:],
        pd.DataFrame({"id": [1], "text": ["Ada"]}), pd.Series(["Ada"]),
    ],
    ids=repr,
)  # fmt: skip
def test_texts_and_tables_with_a_column_of_texts_are_right(served, given):
    assert [answer["text"] for answer in served.predict(given)] == ["Ada"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "the input is null"),
        (7, "the input is the number 7"),
        (b"Ada", "the input is a bytes"),
        ([], "the input holds no text"),
        ([None], "text 0 of the input (from 0) is null"),
        (["Ada", 3.5], "text 1 of the input (from 0) is the number 3.5"),
        ([True], "is true"),
        ([["Ada"]], "is a list"),
        ([{"texts": "Ada"}], "no column 'text' (columns: 'texts')"),
        ({"review": ["Ada"]}, "no column 'text' (columns: 'review')"),
        ({"text": None}, "the input is null"),
        (np.array([["Ada"]]), "is a list"),
        (np.array([1, 2]), "the number 1"),
        (pd.DataFrame(), "no column 'text' (columns: none)"),
        (pd.DataFrame({"text": []}), "holds no text"),
        (pd.DataFrame({"text": ["Ada", None]}), "text 1 of the input (from 0) is null"),
        (pd.DataFrame({"text": [None, None]}), "is null"),
        (pd.DataFrame({"text": [float("nan")]}), "is null"),
        (pd.DataFrame({"text": [1, 2]}), "the number 1"),
        (pd.DataFrame({"review": ["Ada"]}), "no column 'text' (columns: 'review')"),
        (pd.DataFrame([["Ada", "Lin"]], columns=["text", "text"]), "several columns 'text'"),
        (pd.DataFrame([7]), "text 0 of the input (from 0) is the number 7"),
        (pd.DataFrame({"id": ["Ada"]}), "put 'text' first"),
    ],
    ids=repr,
)
def test_anything_else_is_the_callers_mistake_with_its_reason(served, given, reason):
    with pytest.raises(MlflowException) as caught:
        served.predict(given)
    assert caught.value.get_http_status_code() == 400
    assert reason in str(caught.value)
    assert "column 'text'" in str(caught.value)


def test_a_text_of_more_than_a_million_characters_is_refused(served):
    with pytest.raises(MlflowException, match=r"text 1 .* has 1,000,001 characters, more than 1,000,000") as caught:
        served.predict(["Ada", "a" * 1_000_001])
    assert caught.value.get_http_status_code() == 400
