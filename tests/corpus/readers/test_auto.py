"""The reader that fits the file."""

import gzip

import pytest

from runner.corpus.readers.auto import auto
from runner.errors import RunnerError

OBJECT = '{"words": ["a", "b"]}\n'
TOKENS = "a O\nb O\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", OBJECT),
        ("a.json", OBJECT),
        ("a.JSONL.gz", OBJECT),
        ("a.txt", "\n" + OBJECT),
        ("a", OBJECT),
        ("a.iob", TOKENS),
        ("a.conll.gz", TOKENS),
        ("a.txt", TOKENS),
        ("a.annotated", "\n" + TOKENS),
        ("a.txt", "{ O\n} O\n".replace("{ ", "{\t").replace("} ", "}\t")),
    ],
)
def test_both_kinds(tmp_path, name, text):
    path = tmp_path / name
    data = text.encode("utf-8")
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (doc,) = auto()(path)
    assert len(doc) == 2


def test_a_name_that_promises_objects_is_held_to_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(TOKENS, "utf-8")
    with pytest.raises(RunnerError, match=r"a\.jsonl:1: the line is not JSON"):
        list(auto()(path))


def test_meta_called_paragraphs_makes_no_document_of_spacys(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x", "words": ["x"], "paragraphs": [{"sentences": [{"tokens": [{"orth": "Oslo"}]}]}]}\n')
    (doc,) = auto()(path)
    assert doc.words == ["x"]
