"""JSON lines: what is read, and what every fault is called."""

import gzip
import json
import random

import pytest

from runner.corpus.example import Example
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.tokenizer import whitespace
from runner.errors import RunnerError


def read(tmp_path, *lines, name="a.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n", "utf-8")
    return list(jsonl()(path, whitespace()))


def ents(doc):
    return [ent.as_tuple() for ent in doc.ents]


def test_text_is_tokenized_and_its_offsets_follow(tmp_path):
    record = {"text": "Ada  met\nLin in Oslo.", "entities": [[0, 3, "PER"], [16, 20, "LOC"]], "id": 7}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record), "utf-8")
    (doc,) = jsonl()(path)  # by the default tokenizer
    assert doc.words == ["Ada", "met", "Lin", "in", "Oslo", "."]
    assert doc.text == record["text"]
    assert [doc.text[ent.start_char : ent.end_char] for ent in doc.ents] == ["Ada", "Oslo"]
    assert ents(doc) == [(0, 1, "PER"), (4, 5, "LOC")]
    assert doc.meta == {"id": 7}
    assert doc.source == f"{path}:1"
    assert not doc.cats
    assert doc.tags is None


def test_all_annotations_of_words(tmp_path):
    (doc,) = read(
        tmp_path,
        {
            "words": ["Ada", "slept", "."],
            "spaces": [True, False, False],
            "entities": ["U-PER", "O", "-"],
            "tags": ["NNP", "VBD", None],
            "pos": ["PROPN", "VERB", "PUNCT"],
            "heads": [1, 1, None],
            "deps": ["nsubj", "root", "punct"],
            "sent_starts": [True, False, False],
            "cats": {"SLEEP": 1, "WORK": 0.25, "LATE": False},
        },
    )
    assert doc.text == "Ada slept."
    assert ents(doc) == [(0, 1, "PER")]
    assert doc.unknown_ents == [(2, 3)]
    assert doc.tags == ["NNP", "VBD", None]
    assert doc.heads == [1, 1, None]
    assert doc.sent_starts == [True, False, False]
    assert doc.cats == {"SLEEP": 1.0, "WORK": 0.25, "LATE": 0.0}


def test_offsets_count_in_the_text_also_beside_words(tmp_path):
    docs = read(
        tmp_path,
        {"words": ["New", "York", "!"], "entities": [{"start": 0, "end": 8, "label": "LOC"}]},
        {"words": ["New", "York", "!"], "text": "New  York!", "entities": [[0, 9, "LOC"]]},
    )
    assert [ents(doc) for doc in docs] == [[(0, 2, "LOC")]] * 2
    assert [doc.text for doc in docs] == ["New York !", "New  York!"]


def test_entities_that_do_not_align_are_counted(tmp_path):
    (doc,) = read(tmp_path, {"text": "a New-York-based firm", "entities": [[2, 10, "LOC"], [17, 21, "ORG"]]})
    example = Example.from_doc(doc)
    assert example.biluo() == ["O", "-", "U-ORG"]
    assert example.excluded_ents == 1


def test_null_is_absent_and_empty_is_annotated(tmp_path):
    docs = read(tmp_path, {"text": "a", "words": None, "entities": None}, "", " \r", {"text": "a", "entities": []})
    assert [doc.has_ents for doc in docs] == [False, True]
    assert docs[1].source.endswith(":4")


def test_gzip_bom_crlf_and_line_separators_in_words(tmp_path):
    line = json.dumps({"words": ["a\u2028b", "🙂"]}, ensure_ascii=False)
    data = ("\ufeff" + line + "\r\n").encode("utf-8")
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(data))
    (doc,) = jsonl()(path)
    assert doc.words == ["a\u2028b", "🙂"]
    path.write_bytes(gzip.compress(data)[:-12])
    with pytest.raises(RunnerError, match=r"a.jsonl.gz:\d+: the file cannot be unpacked"):
        list(jsonl()(path))
    path.write_bytes(data)
    with pytest.raises(RunnerError, match="cannot be unpacked"):
        list(jsonl()(path))


FAULTS = [
    ('{"text": "a"', "not JSON"),
    ("[1, 2]", "no object"),
    ("3", "no object"),
    ("[" * 100_000, "nests too deeply"),
    ("1" * 5_000, "endless number"),
    ({"entities": []}, "neither 'text' nor 'words'"),
    ({"text": 3}, "'text' is a number"),
    ({"text": " "}, "no words"),
    ({"text": ""}, "no words"),
    ({"words": []}, "no words"),
    ({"words": "a b"}, "'words' is the string 'a b'"),
    ({"words": ["a", 1]}, r"words\[1\] is a number"),
    ({"words": ["a", ""]}, r"words\[1\] is empty"),
    ({"words": ["a"], "text": "b"}, "the words and the text differ"),
    ({"words": ["a"], "spaces": [1]}, r"spaces\[0\] is a number"),
    ({"words": ["a"], "spaces": [True, False]}, "2 spaces for 1 words"),
    ({"text": "a", "spaces": [True]}, "'spaces' without 'words'"),
    ({"text": "abc", "entities": "LOC"}, "'entities' is the string"),
    ({"text": "abc", "entities": {}}, "'entities' is an object"),
    ({"text": "abc", "entities": [3]}, r"entities\[0\] is a number"),
    ({"text": "abc", "entities": [[0, 3]]}, r"entities\[0\] is a list of 2"),
    ({"text": "abc", "entities": [[True, 3, "A"]]}, r"entities\[0\] has true as an offset"),
    ({"text": "abc", "entities": [[0, 3.0, "A"]]}, "has the number 3 as an offset"),
    ({"text": "abc", "entities": [["0", 3, "A"]]}, "has the string '0' as an offset"),
    ({"text": "abc", "entities": [[0, 3, None]]}, "has null as its label"),
    ({"text": "abc", "entities": [[0, 3, ""]]}, "an empty string as its label"),
    ({"text": "abc", "entities": [{"start": 0, "end": 3}]}, r"entities\[0\] has no 'label'"),
    ({"text": "abc", "entities": [[0, 4, "A"]]}, "lies outside the text of 3"),
    ({"text": "abc", "entities": [[-1, 3, "A"]]}, "lies outside"),
    ({"text": "abc", "entities": [[2, 2, "A"]]}, "is empty"),
    ({"text": "abc", "entities": [[0, 2, "A"], [1, 3, "B"]]}, "overlaps"),
    ({"words": ["a", "b"], "entities": ["O"]}, r"1 entities \(tags\) for 2 words"),
    ({"words": ["a", "b"], "entities": ["O", "I-A"]}, r"'I-A' \(token 1\) follows 'O'"),
    ({"words": ["a", "b"], "entities": ["O", ["U-A"]]}, r"entities\[0\] is the string"),
    ({"words": ["a", "b"], "tags": ["X"]}, "1 tags for 2 words"),
    ({"words": ["a"], "tags": [3]}, r"tags\[0\] is a number"),
    ({"words": ["a"], "tags": "X"}, "'tags' is the string"),
    ({"words": ["a"], "heads": [True]}, r"heads\[0\] is true"),
    ({"words": ["a"], "heads": [1]}, "head 1 of token 0 lies outside"),
    ({"words": ["a"], "sent_starts": [2]}, r"sent_starts\[0\] is a number"),
    ({"words": ["a"], "cats": ["A"]}, "'cats' is a list of 1"),
    ({"words": ["a"], "cats": {"A": "yes"}}, r"cats\['A'\] is the string"),
    ({"words": ["a"], "cats": {"A": 2}}, r"cats\['A'\] is 2"),
    ('{"words": ["a"], "cats": {"A": NaN}}', r"cats\['A'\] is nan"),
    ('{"text": "half \\ud83d"}', "half a character"),
]


@pytest.mark.parametrize(("line", "fact"), FAULTS)
def test_faults_name_file_line_and_fact(tmp_path, line, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        read(tmp_path, {"text": "fine"}, line)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{tmp_path / 'a.jsonl'}:2: ")
    assert len(lines) == 2


def test_latin_1_names_the_line_and_the_cure(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "fine"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(
        RunnerError, match=r"a.jsonl:2: byte 0xe9 .* not UTF-8; the file looks like LATIN1\n.*iconv -f LATIN1"
    ):
        list(jsonl()(path))


def test_nothing_to_read(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n \n", "utf-8")
    with pytest.raises(RunnerError, match="no examples"):
        list(jsonl()(tmp_path / "a.jsonl"))
    with pytest.raises(RunnerError, match="cannot be read"):
        list(jsonl()(tmp_path / "missing.jsonl"))
    with pytest.raises(RunnerError, match="cannot be read"):
        list(jsonl()(tmp_path))


def test_mutated_files_are_read_or_refused_in_two_lines(tmp_path):
    rng = random.Random(0)
    original = json.dumps(
        {"text": "Ada met Lin.", "entities": [[0, 3, "PER"]], "tags": ["A", "B", "C"], "cats": {"X": 1.0}}
    ).encode()
    path = tmp_path / "a.jsonl"
    for _ in range(500):
        data = bytearray(original)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 2)] = rng.choice(
                [b"", b"\xe9", b'"', b"[", b"9", b"-", b"true", b"\n", b"{}"]
            )
        path.write_bytes(bytes(data))
        try:
            message = "" if list(jsonl()(path, whitespace())) else "nothing read, nothing said"
        except RunnerError as error:
            message = str(error)
        assert message == "" or (message.count("\n") <= 1 and message.startswith(str(path)))
