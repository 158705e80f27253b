"""JSON as other tools write it: what is read, what is said of it, and what stays an error."""

from __future__ import annotations

import json

import pytest

from runner.corpus.readers.auto import auto
from runner.corpus.readers.misspelt import letters_apart
from runner.corpus.readers.reader import LeftOut
from runner.corpus.tokenizer import whitespace
from runner.errors import RunnerError


def read(tmp_path, *records, name="a.jsonl", **options):
    """The docs, and what is said of them."""
    path = tmp_path / name
    whole = (
        json.dumps(records[0]) if name.endswith(".json") else "".join(json.dumps(record) + "\n" for record in records)
    )
    path.write_text(whole, "utf-8")
    tally = LeftOut()
    docs = list(auto(**options)(path, whitespace(), tally))
    left_out = [f"left out: {n} {what}" for what, n in tally.items()]
    return docs, [line.replace(f"{tmp_path}/", "") for line in tally.lines()] + left_out


PER = [(0, 1, "PER")]
PAIR = ["Ann sleeps", {"entities": [[0, 3, "PER"]]}]
RESULT = {"type": "labels", "value": {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}}
TASK = {"id": 1, "data": {"text": "Ann sleeps"}, "annotations": [{"result": [RESULT]}]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", {"id": 1, "text": "Ann sleeps", "label": [[0, 3, "PER"]], "Comments": []}),
        ("a.jsonl", {"id": 1, "data": "Ann sleeps", "label": [[0, 3, "PER"]]}),
        ("a.jsonl", {"text": "Ann sleeps", "labels": [[0, 3, "PER"]]}),
        (
            "a.jsonl",
            {"text": "Ann sleeps", "entities": [{"id": 0, "label": "PER", "start_offset": 0, "end_offset": 3}]},
        ),
        ("a.jsonl", {"text": "Ann sleeps", "annotations": [{"label": "PER", "start_offset": 0, "end_offset": 3}]}),
        ("a.jsonl", {"text": "Ann sleeps", "ents": [{"start": 0, "end": 3, "label": "PER"}]}),
        ("a.jsonl", {"text": "Ann sleeps", "spans": [[0, 3, "PER"]]}),
        ("a.jsonl", {"text": "Ann sleeps", "ner": [{"start": 0, "end": 3, "labels": ["PER"]}], "annotator": 1}),
        ("a.jsonl", PAIR),
        ("a.jsonl", {"id": "0", "tokens": ["Ann", "sleeps"], "ner_tags": ["B-PER", "O"]}),
        ("a.jsonl", {"tokens": ["Ann", "sleeps"], "tags": ["S-PER", "O"]}),
        ("a.jsonl", {"tokens": ["Ann", "sleeps"], "labels": ["I-PER", "O"]}),
        ("a.json", [PAIR]),
        ("a.json", {"classes": ["PER"], "annotations": [PAIR]}),
        ("a.json", [TASK]),
        ("a.json", [{"text": "Ann sleeps", "entities": [[0, 3, "PER"]]}]),
        ("a.json", {"version": "1", "data": [{"text": "Ann sleeps", "entities": [[0, 3, "PER"]]}]}),
        ("a.json", [{"text": "Ann sleeps", "spans": [{"start": 0, "end": 3, "label": "PER"}], "answer": "accept"}]),
    ],
)
def test_entities_of_many_tools(tmp_path, name, content):
    (doc,), lines = read(tmp_path, content, name=name)
    assert doc.words == ["Ann", "sleeps"]
    assert [ent.as_tuple() for ent in doc.ents] == PER
    is_ours = isinstance(content, list) and isinstance(content[0], dict) and "text" in content[0]
    assert bool(lines) != is_ours


def test_a_label_is_the_category_and_several_lines_say_what_a_text_is_not(tmp_path):
    docs, lines = read(tmp_path, {"text": "good film", "label": "pos"}, {"text": "bad film", "label": "neg"})
    assert [doc.cats for doc in docs] == [{"pos": 1.0}, {"neg": 1.0}]
    assert lines == ["note: a.jsonl:1: 2 records have their categories in 'label'"]
    docs, _ = read(
        tmp_path, {"text": "a", "label": ["A"]}, {"text": "b", "label": ["A", "B"]}, {"text": "c", "label": []}
    )
    assert [doc.cats for doc in docs] == [{"A": 1.0, "B": 0.0}, {"A": 1.0, "B": 1.0}, {"A": 0.0, "B": 0.0}]
    docs, _ = read(tmp_path, {"text": "a", "label": 1}, {"text": "b", "label": -1}, names=["neg", "pos"])
    assert [doc.cats for doc in docs] == [{"pos": 1.0}, None]
    docs, _ = read(tmp_path, {"sentence": "a b", "sentiment": "pos"})
    assert (docs[0].words, docs[0].cats) == (["a", "b"], {"pos": 1.0})


def test_numbers_need_names_and_the_advice_works(tmp_path):
    record = {"tokens": ["Ann", "sleeps"], "ner_tags": [1, 0], "pos_tags": [22, 3]}
    with pytest.raises(
        RunnerError, match=r"'ner_tags' holds numbers, and nothing names them\n.*names=\[O,B-PER,I-PER\]"
    ):
        read(tmp_path, record)
    (doc,), _ = read(tmp_path, record, names=["O", "B-PER", "I-PER"])
    assert [ent.as_tuple() for ent in doc.ents] == PER
    with pytest.raises(RunnerError, match="holds the number 1, and there are 1 names"):
        read(tmp_path, record, names=["O"])


def test_label_studio_reads_one_annotation_a_task_and_counts_the_rest(tmp_path):
    other = {"result": [{"type": "choices", "value": {"choices": ["A"]}}], "ground_truth": True}
    tasks = [
        {**TASK, "annotations": [{"was_cancelled": True, "result": []}, {"result": [RESULT, {"type": "relation"}]}]},
        {**TASK, "annotations": [{"result": [RESULT]}, other]},
        {**TASK, "annotations": []},
    ]
    docs, lines = read(tmp_path, tasks, name="a.json")
    assert [[ent.as_tuple() for ent in doc.ents] for doc in docs] == [PER, []]
    assert docs[1].cats == {"A": 1.0}
    assert lines[1:] == [
        "left out: 1 results of the type 'relation'",
        "left out: 1 annotations by further annotators of a task",
        "left out: 1 tasks that nobody has annotated",
    ]


def test_skipped_texts_and_relations_are_counted(tmp_path):
    _, lines = read(tmp_path, {"classes": [], "annotations": [PAIR, None]}, name="a.json")
    assert "left out: 1 records that are null" in lines
    _, lines = read(tmp_path, {"text": "a", "entities": [], "relations": [{"from_id": 0, "to_id": 1, "type": "x"}]})
    assert "left out: 1 relations (a Doc has no place for them)" in lines


@pytest.mark.parametrize(
    ("record", "key", "meant"),
    [
        ({"text": "Ann", "entites": [[0, 3, "PER"]]}, "entites", "entities"),
        ({"text": "Ann", "Entities": [[0, 3, "PER"]]}, "Entities", "entities"),
        ({"text": "Ann", "lable": "A"}, "lable", "label"),
        ({"text": "Ann", "catgories": ["A"]}, "catgories", "categories"),
        ({"text": "Ann", "cat": {"A": 1}}, "cat", "cats"),
        ({"words": ["Ann"], "tgas": ["NN"]}, "tgas", "tags"),
        ({"text": "Ann", "spnas": [], "answer": "accept"}, "spnas", "spans"),
        ({"text": "Ann", "spans": [], "anwser": "reject"}, "anwser", "answer"),
    ],
)
def test_a_misspelt_key_is_warned_of(tmp_path, record, key, meant):
    plain = {"text": "Bob", "answer": "accept"} if "spans" in record or "spnas" in record else {"text": "Bob"}
    _, lines = read(tmp_path, record, plain)
    assert f"warning: a.jsonl:1: key {key!r}, did you mean {meant!r}? (1 of 2 lines)" in lines


def test_keys_of_ones_own_are_no_mistakes(tmp_path):
    record = {
        "text": "Ann",
        "meta": {},
        "id": 7,
        "next": "x",
        "post": "x",
        "entities": [],
        "entitys": [],
        "source": "s",
    }
    docs, lines = read(tmp_path, record)
    assert lines == []
    assert docs[0].meta["next"] == "x"


def test_a_record_without_a_text_names_its_keys_and_the_likely_one(tmp_path):
    with pytest.raises(
        RunnerError, match=r"neither 'text' nor 'words'; the keys are 'txt', 'entities'\n.*'text' by 'txt'"
    ):
        read(tmp_path, {"txt": "Ann", "entities": []})
    with pytest.raises(RunnerError, match=r"a\.json: document 0: .*the keys are 'foo'"):
        read(tmp_path, [{"foo": 1}], name="a.json")


def test_letters_apart():
    assert [letters_apart(*pair) for pair in (("", "ab"), ("ab", "ba"), ("kitten", "sitting"))] == [2, 1, 3]
