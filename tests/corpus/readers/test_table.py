"""Tables: what is read, and what every fault is called."""

from __future__ import annotations

import gzip

import pytest

from runner.corpus.example import Example
from runner.corpus.readers.auto import auto
from runner.corpus.readers.reader import LeftOut
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


def remarked(tmp_path, content, name="a.csv", **options):
    path = tmp_path / name
    path.write_text(content, "utf-8")
    tally = LeftOut()
    docs = list(auto(**options)(path, whitespace(), tally))
    return docs, [line.replace(f"{tmp_path}/", "") for line in tally.lines()]


@pytest.mark.parametrize(
    ("name", "delimiter"), [("a.csv", ";"), ("a.csv", "\t"), ("a.csv", "|"), ("a.tsv", "\t"), ("a.csv", ",")]
)
def test_what_stands_between_cells_is_seen_in_the_header(tmp_path, name, delimiter):
    docs, lines = remarked(tmp_path, "text,label\nbye,B\n".replace(",", delimiter), name)
    assert [(doc.text, doc.cats) for doc in docs] == [("bye", {"B": 1.0})]
    is_usual = delimiter == ("\t" if name == "a.tsv" else ",")
    assert lines == ([] if is_usual else [f"note: {name}:1: the cells are parted by {delimiter!r}"])


def test_a_comma_in_a_cell_of_a_table_with_semicolons(tmp_path):
    docs, _ = remarked(tmp_path, 'text;label\nhello, you;A\n"a;b";B\n')
    assert [doc.text for doc in docs] == ["hello, you", "a;b"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("sentence\tlabel", "a.tsv"),
        ("review,sentiment", "a.csv"),
        ("Text,Category", "a.csv"),
        ("id;tweet;class", "a.csv"),
    ],
)
def test_usual_names_of_columns_are_read_and_told(tmp_path, header, name):
    delimiter = next(c for c in "\t;," if c in header)
    row = delimiter.join(["7", "good", "A"][-1 - header.count(delimiter) :])
    (doc,), lines = remarked(tmp_path, f"{header}\n{row}\n", name)
    assert (doc.text, doc.cats) == ("good", {"A": 1.0})
    assert any("is read as the " in line for line in lines)


def test_columns_that_could_be_several_are_asked_for_and_the_advice_works(tmp_path):
    content = "my title,body,comment,lable\nx,good film,y,A\n"
    with pytest.raises(RunnerError, match=r"a\.csv:1: there is no column 'text'") as caught:
        remarked(tmp_path, content)
    assert caught.value.hint.endswith("""which one is the text: "corpus.reader.text='my title'\"""")
    with pytest.raises(RunnerError, match=r"no column 'label'; did you mean 'lable'.*\n.*corpus\.reader\.label=lable"):
        remarked(tmp_path, content, text="body")
    (doc,), _ = remarked(tmp_path, content, text="body", label="lable")
    assert (doc.text, doc.cats) == ("good film", {"A": 1.0})


def test_auto_hands_its_options_on_and_says_which_it_could_not(tmp_path):
    docs, lines = remarked(tmp_path, "a#b\nbye#B\n", text="a", label="b", delimiter="#")
    assert (docs[0].cats, lines) == ({"B": 1.0}, [])
    docs, lines = remarked(tmp_path, "a\tb\nbye\tB\n", "a.tsv", text="a", label="b", delimiter="tab")
    assert (docs[0].cats, lines) == ({"B": 1.0}, [])
    _, lines = remarked(tmp_path, "a O\n", "a.iob", delimiter=";", scheme="iob2")
    assert lines == [
        "warning: a.iob: corpus.reader.delimiter is not used: the file is read by 'iob', which takes scheme, n_sents"
    ]
