"""What is counted of a model's errors, and what the page has of them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

import runner
from runner.components.base import Component
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.inspect.embedded import as_script, embedded
from runner.inspect.error_page import page
from runner.inspect.errors import examine

EVIL = '</script><img src=x onerror="alert(1)">'


def predicting(monkeypatch: pytest.MonkeyPatch, layers: list[dict], *names: str, confidence: float | None = None):
    """A pipeline whose components predict these layers, one dict a text."""
    nlp = runner.blank()
    for name in names:
        nlp.add_pipe(name)
    nlp.lexemes.count([Doc(["Ada", "met", "Bo"])])

    def predict(docs, names=None, *, confidence_of=confidence, **_):
        for doc, given in zip(docs, layers, strict=True):
            doc.tags, doc.heads, doc.deps, doc.cats = (given.get(key) for key in ("tags", "heads", "deps", "cats"))
            doc.set_ents(given.get("ents", []))
            for ent in doc.ents:
                ent.confidence = confidence_of

    monkeypatch.setattr(nlp, "predict", predict, raising=False)
    return nlp


def texts(*rows: dict) -> list[Example]:
    return [Example.from_doc(Doc(**row, source=f"dev.jsonl:{i}")) for i, row in enumerate(rows, 1)]


GOLD = (
    {"words": ["Ada", "met", "Bo"], "ents": [(0, 1, "PER"), (2, 3, "PER")]},
    {"words": ["Rome", "slept"], "ents": [(0, 1, "LOC")]},
    {"words": ["Nobody", "slept"], "ents": []},
)
GUESSES = [{"ents": [(0, 1, "PER"), (2, 3, "LOC")]}, {"ents": []}, {"ents": []}]


def test_errors_are_counted_by_kind_label_and_what_training_has_seen(monkeypatch):
    nlp = predicting(monkeypatch, GUESSES, "ner", confidence=0.8)
    train = texts({"words": ["ADA", "slept"], "ents": [(0, 1, "PER")]})
    report = examine(nlp, texts(*GOLD), train)
    (ner,) = report.components
    assert ner.kinds == {"right": 1, "wrong type": 1, "missed": 1}
    assert ner.confusion == {("PER", "PER"): 1, ("PER", "LOC"): 1, ("LOC", None): 1}
    assert ner.groups["in training"] == {"seen": {"right": 1}, "unseen": {"wrong type": 1, "missed": 1}}
    assert ner.groups["words"] == {"known": {"right": 1, "wrong type": 1}, "with a word not in training": {"missed": 1}}
    assert ner.groups["length"] == {"1 word": {"right": 1, "wrong type": 1, "missed": 1}}
    assert ner.groups["confidence"] == {".7 to .9": {"right": 1, "wrong type": 1}}
    assert ner.sure == [(0.8, True), (0.8, False)]
    assert ner.most_frequent(1) == [("missed", ("LOC", None), 1, ["Rome"])]
    assert [(text.place, text.n_errors) for text in report.texts] == [("dev.jsonl:1", 1), ("dev.jsonl:2", 1)]
    assert (report.n_texts, report.n_words) == (3, 7)
    assert round(ner.scores["ents_f"], 4) == 0.4  # 2 · 1 / (2 + 3)


def test_without_training_data_nothing_is_said_of_it(monkeypatch):
    (ner,) = examine(predicting(monkeypatch, GUESSES, "ner"), texts(*GOLD)).components
    assert "in training" not in ner.groups
    assert "confidence" not in ner.groups


def test_the_worst_texts_come_first_and_sure_errors_before_doubtful_ones(monkeypatch):
    guesses = [{"cats": {"A": 0.4, "B": 0.6}}, {"cats": {"A": 0.1, "B": 0.9}}, {"cats": {"A": 0.9, "B": 0.1}}]
    rows = [{"words": ["x"], "cats": {"A": 1.0, "B": 0.0}}] * 3
    report = examine(predicting(monkeypatch, guesses, "textcat"), texts(*rows))
    assert [text.place for text in report.texts] == ["dev.jsonl:2", "dev.jsonl:1"]
    (textcat,) = report.components
    assert sorted(textcat.ranked["A"]) == [(0.1, True), (0.4, True), (0.9, True)]
    assert list(textcat.precision_recall()) == ["A"]  # B is gold nowhere


def test_a_component_without_outcomes_is_listed_with_its_scores(monkeypatch):
    nlp = predicting(monkeypatch, GUESSES, "ner")
    monkeypatch.setattr(type(nlp.get_pipe("ner")), "outcomes", Component.outcomes)
    report = examine(nlp, texts(*GOLD))
    assert not report.components[0].tells
    assert report.texts == []
    assert "does not tell its errors" in page(report, "m", "d")


def test_the_embedded_values_are_whole_numbers_beside_the_labels(monkeypatch):
    values = embedded(examine(predicting(monkeypatch, GUESSES, "ner", confidence=0.8), texts(*GOLD)))
    (about,) = values["components"]
    kinds = about["kinds"]
    assert about == {
        "name": "ner",
        "view": "spans",
        "kinds": ["right", *sorted(kinds[1:], key=kinds.index)],
        "labels": ["LOC", "PER"],
    }
    first = values["texts"][0]
    assert (first["p"], first["i"], first["w"]) == ("dev.jsonl:1", 0, ["Ada ", "met ", "Bo"])
    right, wrong = first["o"][0][:8], first["o"][0][8:]
    assert right == [0, 0, 1, 1, 0, 1, 1, 800]
    assert wrong == [kinds.index("wrong type"), 2, 3, 1, 2, 3, 0, 800]


def test_nothing_in_the_values_can_end_the_script():
    text = as_script({"w": [EVIL, "<!--", "\u2028&"]})
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"w": [EVIL, "<!--", "\u2028&"]}


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_texts_and_labels_of_strangers_stay_text(monkeypatch):
    rows = {"words": ["Ada", EVIL], "ents": [(1, 2, EVIL)], "tags": [EVIL, "X"], "cats": {EVIL: 1.0, "b": 0.0}}
    guess = {"ents": [(0, 1, EVIL)], "tags": ["X", EVIL], "cats": {EVIL: 0.1, "b": 0.9}}
    nlp = predicting(monkeypatch, [guess], "ner", "tagger", "textcat")
    example = Example.from_doc(Doc(**rows, source=EVIL))
    text = page(examine(nlp, [example]), EVIL, EVIL)
    elements = Elements()
    elements.feed(text)
    tags = [tag for tag, _ in elements.seen]
    assert "img" not in tags
    assert tags.count("script") == 2
    attributes = [attributes for _, attributes in elements.seen]
    assert not any(name.startswith("on") or name == "src" for some in attributes for name in some)
    assert all(some["href"].startswith("#") for some in attributes if "href" in some)
    code = re.sub(r'"http://www\.w3\.org/2000/svg"', "", text)
    assert not re.search(r"https?:|@import|url\(", code)


def test_a_password_in_the_models_address_is_masked(monkeypatch):
    report = examine(predicting(monkeypatch, GUESSES, "ner"), texts(*GOLD))
    assert "pa55word" not in page(report, "http://ada:pa55word@host/model", "dev")


def test_a_perfect_model_has_a_page_too(monkeypatch):
    guesses = [{"ents": row["ents"]} for row in GOLD]
    report = examine(predicting(monkeypatch, guesses, "ner"), texts(*GOLD))
    assert report.texts == []
    assert "has made one" in page(report, "m", "d")
