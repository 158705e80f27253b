"""Prodigy's JSON lines: what each answer says, and what tells nothing."""

import json

import pytest

from runner.corpus.readers.auto import auto, format_of
from runner.corpus.readers.prodigy import prodigy
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunnerError


def read(tmp_path, *tasks):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in tasks), "utf-8")
    left_out = LeftOut()
    return list(prodigy()(path, None, left_out)), left_out


def ents(doc):
    return [ent.as_tuple() for ent in doc.ents]


SPAN = {"start": 0, "end": 3, "label": "PER"}
ADA = {
    "text": "Ada met Lin",
    "spans": [SPAN],
    "_view_id": "ner_manual",
    "_task_hash": 3,
    "meta": {"from": "x"},
    "mine": 7,
}


def test_accepted_spans_are_all_there_are(tmp_path):
    (doc,), left_out = read(tmp_path, {**ADA, "answer": "accept"})
    assert doc.words == ["Ada", "met", "Lin"]
    assert ents(doc) == [(0, 1, "PER")]
    assert doc.unknown_ents == []
    assert doc.meta == {"meta": {"from": "x"}, "mine": 7}
    assert not left_out


def test_one_accepted_span_leaves_the_rest_unknown(tmp_path):
    (doc,), _ = read(tmp_path, {**ADA, "spans": [{"start": 4, "end": 7, "label": "X"}], "_view_id": "ner"})
    assert ents(doc) == [(1, 2, "X")]
    assert doc.unknown_ents == [(0, 1), (2, 3)]


def test_rejected_spans_and_ignored_tasks_tell_nothing(tmp_path):
    docs, left_out = read(
        tmp_path, {**ADA, "answer": "reject"}, {**ADA, "answer": "ignore"}, {"text": "x", "answer": "reject"}
    )
    assert docs == []
    assert left_out == {
        'tasks with the answer "reject" (their entities are wrong, and the right ones not known)': 1,
        'tasks with the answer "ignore"': 1,
        'tasks with the answer "reject" and no annotation': 1,
    }


def test_tokens_and_spans_by_token(tmp_path):
    tokens = [
        {"text": "New", "start": 0, "end": 3}, {"text": " ", "start": 4, "end": 5}, {"text": "York", "start": 5, "end": 9},
        {"text": "-", "start": 9, "end": 10}, {"text": "ish", "start": 10, "end": 13},
    ]  # fmt: skip
    task = {"text": "New  York-ish", "tokens": tokens, "spans": [{"token_start": 0, "token_end": 2, "label": "LOC"}]}
    (doc,), left_out = read(tmp_path, task)
    assert doc.words == ["New", "York", "-", "ish"]
    assert doc.spaces == [True, False, False, False]
    assert ents(doc) == [(0, 2, "LOC")]
    assert left_out == {"tokens of mere white space": 1}


def test_categories(tmp_path):
    options = [{"id": "A"}, {"id": "B"}, {"id": 3}]
    docs, left_out = read(
        tmp_path,
        {"text": "x", "label": "A", "answer": "accept"},
        {"text": "x", "label": "A", "answer": "reject", "spans": [{"start": 0, "end": 1}]},
        {"text": "x", "options": options, "accept": ["A", 3]},
        {"text": "x", "options": options, "accept": []},
        {"text": "x", "options": options, "accept": ["B"], "answer": "reject"},
        {"text": "x", "options": options, "accept": [], "answer": "reject"},
        {"text": "x", "options": options, "accept": [], "config": {"choice_style": "single"}},
    )
    assert [doc.cats for doc in docs] == [
        {"A": 1.0}, {"A": 0.0}, {"A": 1.0, "B": 0.0, "3": 1.0}, {"A": 0.0, "B": 0.0, "3": 0.0}, {"B": 0.0},
    ]  # fmt: skip
    assert not any(doc.has_ents for doc in docs)
    assert left_out == {"choices that tell nothing (rejected, or none made of single ones)": 2}


FAULTS = [
    ({**ADA, "answer": "maybe"}, "the answer is 'maybe'"),
    ({"image": "x.png", "answer": "accept"}, "there is no 'text'"),
    ({**ADA, "spans": 3}, "'spans' is no list"),
    ({**ADA, "spans": [3]}, r"spans\[0\] is no object"),
    ({**ADA, "spans": [{"label": "X"}]}, r"spans\[0\] has no place"),
    ({**ADA, "spans": [{"start": 0, "end": 99, "label": "X"}]}, "lies outside the text"),
    ({**ADA, "spans": [SPAN, SPAN]}, "overlaps"),
    ({**ADA, "spans": [{"start": 0, "end": 3}]}, "null as its label"),
    ({**ADA, "tokens": [{"text": "Bo"}]}, "the words and the text differ"),
    ({**ADA, "tokens": [3]}, r"tokens\[0\] has no 'text'"),
    ({"text": "x", "options": [{"id": "A"}], "accept": ["Z"]}, "'Z' was chosen and is no option"),
    ({"text": "x", "options": [{}], "accept": []}, r"options\[0\] has no 'id'"),
    ({"text": "x", "label": 3}, "the label is 3"),
    ({"text": " ", "spans": []}, "there are no words"),
]


@pytest.mark.parametrize(("task", "fact"), FAULTS)
def test_faults_name_file_line_and_fact(tmp_path, task, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        read(tmp_path, ADA, task)
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}:2: ")


def test_auto_tells_it_from_the_simple_style(tmp_path):
    path = tmp_path / "a.jsonl"
    for task in (
        {**ADA, "answer": "ignore"},
        ADA,
        {"text": "x", "options": [], "accept": []},
        {"text": "x", "spans": []},
    ):
        path.write_text(json.dumps(task), "utf-8")
        assert format_of(path) == "prodigy"
    for record in ({"text": "x", "entities": [], "spans": []}, {"text": "x", "answer": "42"}, {"words": ["x"]}):
        path.write_text(json.dumps(record), "utf-8")
        assert format_of(path) == "jsonl"
        assert len(list(auto()(path))) == 1
