"""Tables: what is read, and what every fault is called."""

from __future__ import annotations

import gzip

import pytest

from runner.corpus.example import Example
from runner.corpus.readers.table import table
from runner.corpus.tokenizer import whitespace
from runner.errors import RunnerError


def read(tmp_path, content, name="a.csv", **options):
    path = tmp_path / name
    path.write_text(content, "utf-8")
    return list(table(**options)(path, whitespace()))


def test_one_category_a_text(tmp_path):
    docs = read(tmp_path, "id,text,label\n1,The keeper saved it.,SPORT\n2,Two moons rose.,SCIENCE\n")
    assert [doc.cats for doc in docs] == [{"SPORT": 1.0}, {"SCIENCE": 1.0}]
    assert docs[1].words == ["Two", "moons", "rose."]
    assert docs[1].source == f"{tmp_path / 'a.csv'}:3"
    assert Example.from_doc(docs[0]).reference.cats == {"SPORT": 1.0}


def test_raw_text_goes_through_the_default_tokenizer(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nIt rose.,X\n", "utf-8")
    (doc,) = table()(path)
    assert doc.words == ["It", "rose", "."]


def test_quotes_hold_commas_quotes_and_line_breaks_and_lines_are_still_counted(tmp_path):
    content = 'text,label\n"He said ""go"", twice",A\n"two\nlines",B\n\nlast,A\n'
    docs = read(tmp_path, content)
    assert [doc.text for doc in docs] == ['He said "go", twice', "two\nlines", "last"]
    assert [doc.source.rpartition(":")[2] for doc in docs] == ["2", "3", "6"]


def test_several_categories_in_a_cell_are_named_and_the_others_are_zero(tmp_path):
    docs = read(tmp_path, "labels\ttext\nA; B\tone\n\ttwo\nC\tthree\n", "a.tsv", label="labels", separator=";")
    assert [doc.cats for doc in docs] == [
        {"A": 1.0, "B": 1.0, "C": 0.0},
        {"A": 0.0, "B": 0.0, "C": 0.0},
        {"A": 0.0, "B": 0.0, "C": 1.0},
    ]


def test_a_column_a_category_and_what_is_not_known(tmp_path):
    docs = read(tmp_path, "text,A,B\none,1,no\ntwo,,0.25\nthree,,\n", label=["A", "B"])
    assert [doc.cats for doc in docs] == [{"A": 1.0, "B": 0.0}, {"B": 0.25}, None]


def test_files_from_windows_and_packed_ones(tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress("\ufefftext\tlabel\r\nÉté chaud\tX\r\n".encode()))
    (doc,) = table()(path, whitespace())
    assert (doc.words, doc.cats) == (["Été", "chaud"], {"X": 1.0})


def test_a_text_longer_than_the_csv_modules_limit(tmp_path):
    (doc,) = read(tmp_path, "text,label\n" + "word " * 60_000 + ",A\n", is_tokenized=True)
    assert len(doc) == 60_000


@pytest.mark.parametrize(
    ("content", "options", "place", "words"),
    [
        ("", {}, "", "no examples"),
        ("text,label\n", {}, "", "no examples"),
        ("text,lable\na,b\n", {}, ":1", "no column 'label'; did you mean 'lable'"),
        ("text,label,text\na,b,c\n", {}, ":1", "2 columns are called 'text'"),
        ("text,label\na,B\nGood, but long,B\n", {}, ":3", "3 cells in a table of 2 columns"),
        ("text,label\na,B\nalone\n", {}, ":3", "1 cell in a table of 2 columns"),
        ("text,label\na,\n", {}, ":2", "the label is empty"),
        ('text,label\n" ",B\n', {}, ":2", "the cell 'text' is empty"),
        ('text,label\na,B\n"open,B\nnext,B\n', {}, ":3", "cannot be read"),
        ("text,A\nx,1\ny,maybe\n", {"label": ["A"]}, ":3", "'A' is 'maybe'"),
        ("text,A\nx,2\n", {"label": ["A"]}, ":2", "'A' is '2'"),
        ("text,A\nx,nan\n", {"label": ["A"]}, ":2", "'A' is 'nan'"),
    ],
)
def test_faults_are_named_with_file_and_line(tmp_path, content, options, place, words):
    with pytest.raises(RunnerError, match=words) as caught:
        read(tmp_path, content, **options)
    assert caught.value.place == f"{tmp_path / 'a.csv'}{place}"
    assert len(str(caught.value).splitlines()) == 2 or "did you mean" in words


def test_a_header_of_any_shape_is_told_in_one_line(tmp_path):
    with pytest.raises(RunnerError, match=r"known: two\\nlines, x{79}…\)"):
        read(tmp_path, '"two\nlines",' + "x" * 500 + "\n1,2\n")
    with pytest.raises(RunnerError, match=r"and 50 more\)"):
        read(tmp_path, ",".join(f"column {i}" for i in range(100)) + "\n")


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nfine,A\nnot \xe9,A\n")
    with pytest.raises(RunnerError, match="0xe9") as caught:
        list(table()(path, whitespace()))
    assert caught.value.place == f"{path}:3"


@pytest.mark.parametrize(
    "options",
    [
        {"label": "text"}, {"label": []}, {"label": ["a", "a"]}, {"delimiter": ";;"}, {"separator": ""},
        {"label": ["a", "b"], "separator": ";"},
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options):
    with pytest.raises(RunnerError):
        table(**options)
