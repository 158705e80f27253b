"""Token files: columns, schemes, odd tokens, and what every fault is called."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.corpus.readers.iob import iob
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")


def read(tmp_path, text, **options):
    path = tmp_path / "a.iob"
    path.write_bytes(text.encode("utf-8"))
    return list(iob(**options)(path))


def ents(doc):
    return [ent.as_tuple() for ent in doc.ents]


def test_two_columns(tmp_path):
    docs = read(tmp_path, "Madrid\tB-LOC\nsleeps\tO\n\nNew\tB-LOC\nYork\tI-LOC\n")
    assert [doc.words for doc in docs] == [["Madrid", "sleeps"], ["New", "York"]]
    assert [ents(doc) for doc in docs] == [[(0, 1, "LOC")], [(0, 2, "LOC")]]
    assert [doc.source.rsplit(":")[-1] for doc in docs] == ["1", "4"]
    assert docs[0].text == "Madrid sleeps"
    assert docs[0].tags is None
    assert docs[0].sent_starts == [True, False]


def test_four_columns_of_iob1_with_docstart_and_crlf(tmp_path):
    text = (
        "-DOCSTART- -X- -X- O\r\n\r\nU.N. NNP I-NP I-ORG\r\nEkeus  NNP I-NP I-PER\r\n \t \r\nBaghdad NNP I-NP I-LOC\r\n"
    )
    docs = read(tmp_path, text)
    assert [doc.words for doc in docs] == [["U.N.", "Ekeus"], ["Baghdad"]]
    assert docs[0].tags == ["NNP", "NNP"]
    assert ents(docs[0]) == [(0, 1, "ORG"), (1, 2, "PER")]


def test_odd_tokens_stay_whole(tmp_path):
    tokens = ["\u0301", "🙂", "a\u00a0b", "\u00a0", "\u2028", "x\x85y", "http://a.b/?c=d#e", "New York"]
    docs = read(tmp_path, "".join(f"{token}\tO\n" for token in tokens))
    assert docs[0].words == tokens
    docs = read(tmp_path, "".join(f"{token} O\n" for token in tokens[:-1]))
    assert docs[0].words == tokens[:-1]


def test_sentences_a_doc(tmp_path):
    text = "a O\n\nb O\n\nc O\n\n-DOCSTART- O\n\nd O\n"
    docs = read(tmp_path, text, n_sents=2)
    assert [doc.words for doc in docs] == [["a", "b"], ["c"], ["d"]]
    assert docs[0].sent_starts == [True, True]


def test_biluo_and_byte_order_mark(tmp_path):
    docs = read(tmp_path, "\ufeffNew B-LOC\nYork L-LOC\nAda U-PER\n? -\n")
    assert docs[0].words[0] == "New"
    assert ents(docs[0]) == [(0, 2, "LOC"), (2, 3, "PER")]
    assert docs[0].unknown_ents == [(3, 4)]


def remarked(tmp_path, text, **options):
    """The docs, and what was said of how they were read."""
    path = tmp_path / "a.iob"
    path.write_bytes(text.encode("utf-8"))
    tally = LeftOut()
    docs = list(iob(**options)(path, None, tally))
    return docs, [line.replace(f"{tmp_path}/", "") for line in tally.lines()]


def test_an_i_that_opens_an_entity_is_read_as_b_and_counted(tmp_path):
    text = "Oslo B-LOC\nis O\n\nAnn I-PER\nLee I-PER\n"
    docs, lines = remarked(tmp_path, text)
    assert [ents(doc) for doc in docs] == [[(0, 1, "LOC")], [(0, 2, "PER")]]
    assert lines == ["note: a.iob:4: 1 entity opens with I-, read as B-"]
    docs, lines = remarked(tmp_path, text + "Bo I-LOC\n")
    assert ents(docs[1]) == [(0, 2, "PER"), (2, 3, "LOC")]
    assert lines == ["note: a.iob:4: 2 entities open with I-, read as B-"]
    with pytest.raises(RunnerError, match=r"a\.iob:4: tag 'I-PER' opens a sentence\n.*corpus\.reader\.scheme=iob1"):
        remarked(tmp_path, text, scheme="iob2")
    docs, lines = remarked(tmp_path, text, scheme="iob1")  # the advice
    assert (ents(docs[1]), lines) == ([(0, 2, "PER")], [])


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("S-PER O B-LOC I-LOC E-LOC", "IOBES"),
        ("W-PER O B-LOC M-LOC E-LOC", "BMEWO"),
        ("S-PER O B-LOC M-LOC E-LOC", "BMES"),
        ("U-PER O B-LOC I-LOC L-LOC", None),
        ("B-PER O B-LOC I-LOC I-LOC", None),
        ("I-PER O I-LOC I-LOC I-LOC", "IOB1"),
    ],
)
def test_schemes_are_known_by_their_look_and_told(tmp_path, tags, told):
    text = "".join(f"{word} {tag}\n" for word, tag in zip("Ann saw Rio de Janeiro".split(), tags.split(), strict=True))
    (doc,), lines = remarked(tmp_path, text)
    assert ents(doc) == [(0, 1, "PER"), (2, 5, "LOC")]
    assert len(lines) == (told is not None)
    assert all(f"read as {told}" in line for line in lines)


def test_a_wrong_tag_of_a_guessed_scheme_says_how_to_find_the_odd_one(tmp_path):
    text = "New B-LOC\nYork I-LOC\n\nAnn L-PER\n"
    with pytest.raises(RunnerError, match=r"looks like BILUO; if it is another: corpus\.reader\.scheme=iob2"):
        read(tmp_path, text)
    with pytest.raises(RunnerError, match=r"a\.iob:4: 'L-PER' is not an entity tag"):  # the advice finds it
        read(tmp_path, text, scheme="iob2")


def test_comments_before_a_sentence_are_kept(tmp_path):
    docs, lines = remarked(tmp_path, "# id 3f\tdomain=en\nAnn _ _ B-PER\n\n# id 9\tdomain=en\n# b\n#win _ _ B-LOC\n")
    assert [doc.words for doc in docs] == [["Ann"], ["#win"]]
    assert docs[0].meta["comments"] == [["# id 3f\tdomain=en"]]
    assert docs[1].meta["comments"] == [["# id 9\tdomain=en", "# b"]]
    assert lines == ["note: a.iob:1: 3 lines that begin with # are read as comments"]


def test_hash_signs_that_are_tokens_stay_tokens(tmp_path):
    assert [doc.words for doc in read(tmp_path, "# O\n1 O\n\n#win B-X\n")] == [["#", "1"], ["#win"]]
    assert [doc.words for doc in read(tmp_path, "# O\n\n#a B-X\n")] == [["#"], ["#a"]]
    with pytest.raises(RunnerError, match=r"a\.iob:2: 3 columns where line 1 has 2, and # is taken for a token"):
        read(tmp_path, "a O\n# x y\nb O\n")
    with pytest.raises(RunnerError, match=r"a\.iob:3: 'B_X' is not an entity tag"):
        read(tmp_path, "a O\n\n#win B_X\n")


FAULTS = [
    ("a B-LOC\nb\n", 2, "1 column where line 1 has 2"),
    ("a\n", 1, r"1 column \(expected 2 or more\)"),
    ("a b c d e\n", 1, "'e' is not an entity tag"),
    ("a b c d O\nb O\n", 2, "2 columns where line 1 has 5"),
    ("a\tO\nNew York\tX\tO\n", 2, "3 columns where line 1 has 2"),
    ("a\tO\n\tO\n", 2, "the token is empty"),
    ("a\tO\nb\t\n", 2, "the tag is empty"),
    ("a B-LOC\n\nb O\nc I-LOC\n", 4, "'I-LOC' follows 'O'"),
    ("a B-LOC\n\nc I-LOC\n", 3, "'I-LOC' opens a sentence"),
    ("a B-LOC\nb I-PER\n", 2, "'I-PER' follows 'B-LOC'"),
    ("a B-LOC\nb B_LOC\n", 2, "'B_LOC' is not an entity tag"),
    ("a O\nb o\n", 2, "'o' is not an entity tag"),
    ("a U-LOC\nb I-LOC\n", 2, "'I-LOC'"),
    ("a U-LOC\nb O\n\nc B-LOC\n", 4, "has no last token"),
]


@pytest.mark.parametrize(("text", "line", "fact"), FAULTS)
def test_faults_name_file_line_and_fact(tmp_path, text, line, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        read(tmp_path, text, scheme="iob2" if "I-LOC' " in fact or "I-PER" in fact else "auto")
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{tmp_path / 'a.iob'}:{line}: ")
    assert len(lines) == 2


def test_nothing_to_read(tmp_path):
    for text in ("", "\n\n", "-DOCSTART- O\n"):
        with pytest.raises(RunnerError, match="no examples"):
            read(tmp_path, text)
    with pytest.raises(RunnerError, match="n_sents is 0"):
        iob(n_sents=0)


def test_latin_1(tmp_path):
    path = tmp_path / "a.iob"
    path.write_bytes(b"a O\ncaf\xe9 O\n")
    with pytest.raises(RunnerError, match=r"a\.iob:2: byte 0xe9"):
        list(iob()(path))


TOKENS = st.text(min_size=1, max_size=5).filter(
    lambda token: not set(token) & set("\n\t\r ") and token not in ("-DOCSTART-",) and "\ufeff" not in token
)


@given(st.lists(st.lists(TOKENS, min_size=1, max_size=5), min_size=1, max_size=4), st.sampled_from("\t "))
def test_any_token_comes_back(tmp_path_factory, sentences, separator):
    path = tmp_path_factory.getbasetemp() / "any.iob"
    path.write_bytes("\n".join("".join(f"{w}{separator}B-X\n" for w in words) for words in sentences).encode("utf-8"))
    docs = list(iob()(path))
    assert [doc.words for doc in docs] == sentences
    assert all(ents(doc) == [(i, i + 1, "X") for i in range(len(doc))] for doc in docs)


@needs_data
@pytest.mark.parametrize(
    ("name", "n_sents", "n_words", "labels"),
    [
        ("wnut17/wnut17train.conll", 3394, 62730,
         {"person": 660, "location": 548, "group": 264, "corporation": 221, "product": 142, "creative-work": 140}),
        ("wnut17/emerging.dev.conll", 1009, 15733,
         {"person": 470, "location": 74, "group": 39, "corporation": 34, "product": 114, "creative-work": 105}),
        ("wnut17/emerging.test.annotated", 1287, 23394,
         {"person": 429, "location": 150, "group": 165, "corporation": 66, "product": 127, "creative-work": 142}),
        ("wikigold/wikigold.conll.txt", 1696, 39007, {"PER": 934, "LOC": 1014, "ORG": 898, "MISC": 712}),
    ],
)  # fmt: skip
def test_real_files(name, n_sents, n_words, labels):
    docs = list(iob()(Path(MIRROR) / name))
    assert len(docs) == n_sents
    assert sum(map(len, docs)) == n_words
    assert Counter(ent.label for doc in docs for ent in doc.ents) == labels
