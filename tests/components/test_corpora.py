"""Corpora from Python: read in any format, written by the file's suffix; what is lost is told."""

from __future__ import annotations

import doctest
import gzip
import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runner
from runner.components import corpora
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError

JSONL = [
    {"text": "Ada met Lin.", "entities": [[0, 3, "PER"], [8, 11, "PER"]]},
    {"text": "It rained.", "entities": []},
]


def annotated() -> list[Doc]:
    return [
        Doc(
            ["Ada", "sleeps", "."],
            [True, False, False],
            tags=["NNP", "VBZ", "."],
            pos=["PROPN", "VERB", "PUNCT"],
            heads=[1, 1, 1],
            deps=["nsubj", "root", "punct"],
            sent_starts=[True, False, False],
            ents=[(0, 1, "PER")],
            meta={"lemmas": ["Ada", "sleep", "."], "feats": ["Number=Sing", None, None]},
        ),
        Doc(
            ["Lin", "left"], ents=[(0, 1, "PER")], unknown_ents=[(1, 2)], tags=[None, "VBD"], cats={"A": 1.0, "B": 0.25}
        ),
    ]


LAYERS = ("words", "spaces", "tags", "pos", "heads", "deps", "sent_starts", "cats", "unknown_ents")


def same(one: Doc, other: Doc, *layers: str) -> None:
    for layer in layers or LAYERS:
        assert getattr(one, layer) == getattr(other, layer), layer
    assert [ent.as_tuple() for ent in one.ents] == [ent.as_tuple() for ent in other.ents]
    assert one.has_ents == other.has_ents


@pytest.fixture
def jsonl(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in JSONL), "utf-8")
    return path


def test_docstrings():
    assert doctest.testmod(corpora).failed == 0


def test_examples_of_a_file_are_learned_from(jsonl):
    examples = runner.read_corpus(jsonl)
    assert [example.reference.text for example in examples] == [record["text"] for record in JSONL]
    assert [ent.text for ent in examples[0].reference.ents] == ["Ada", "Lin"]
    assert examples[1].reference.has_ents
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1}})
    nlp.initialize(examples)
    nlp.update(runner.read_corpus(str(jsonl), nlp=nlp, limit=1))
    assert list(nlp.get_pipe("ner").labels) == ["PER"]


def test_options_that_a_reader_does_not_take_are_told_in_pythons_words(jsonl):
    with pytest.warns(UserWarning, match=": scheme is not used") as warned:
        runner.read_corpus(jsonl, scheme="iob1")
    assert "corpus.reader" not in str(warned[0].message)


def test_several_files_and_limits(jsonl):
    assert len(runner.read_corpus([jsonl, jsonl], limit=1)) == 2


def test_the_words_of_the_pipeline_or_of_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "Ada's here", "words": ["Ada's", "here"], "tags": ["A", "B"]}) + "\n", "utf-8")
    nlp = runner.blank("en")
    (gold,) = runner.read_corpus(path, nlp=nlp)
    (own,) = runner.read_corpus(path, nlp=nlp, gold_tokens=False)
    assert gold.predicted.words == ["Ada's", "here"]
    assert own.predicted.words == nlp.make_doc("Ada's here").words == ["Ada", "'s", "here"]
    assert own.aligned_tags() == [None, None, "B"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.spacy"])
def test_what_holds_everything_comes_back(tmp_path, name):
    if name.endswith(".spacy"):
        pytest.importorskip("spacy")
    docs = annotated()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runner.write_corpus(tmp_path / name, [docs[0], Example.from_doc(docs[1])])
        back = [example.reference for example in runner.read_corpus(tmp_path / name)]
    for one, other in zip(back, docs, strict=True):
        same(one, other)
        assert one.meta == other.meta
    if name.endswith(".gz"):
        assert len(gzip.decompress((tmp_path / name).read_bytes()).splitlines()) == 2


def test_spacy_reads_what_is_written(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    docs = [*annotated(), Doc(["a", "b", "c", "d"], heads=[0, 0, 3, 3], deps=["root", "x", "x", "root"], ents=[])]
    runner.write_corpus(tmp_path / "a.spacy", docs)
    one, two, three = DocBin().from_disk(tmp_path / "a.spacy").get_docs(spacy.blank("en").vocab)
    assert one.text == docs[0].text
    assert [(token.tag_, token.pos_, token.dep_, token.head.i, token.lemma_) for token in one] == [
        ("NNP", "PROPN", "nsubj", 1, "Ada"), ("VBZ", "VERB", "ROOT", 1, "sleep"), (".", "PUNCT", "punct", 1, "."),
    ]  # fmt: skip
    assert str(one[0].morph) == "Number=Sing"
    assert [(ent.text, ent.label_) for ent in one.ents] == [("Ada", "PER")]
    assert two.cats == {"A": 1.0, "B": 0.25}
    assert [token.ent_iob for token in two] == [3, 0]
    assert not two.has_annotation("DEP")
    assert [token.is_sent_start for token in three] == [True, False, True, False]
    assert [token.head.i for token in three] == [0, 0, 3, 3]


def test_what_a_format_has_no_place_for_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"a\.iob:\n  left out: (?s:.*)3 heads") as warned:
        runner.write_corpus(tmp_path / "a.iob", annotated())
    assert warned[0].filename == __file__
    back = runner.read_corpus(tmp_path / "a.iob")
    assert [ent.text for example in back for ent in example.reference.ents] == ["Ada", "Lin"]
    pytest.importorskip("spacy")
    doc = Doc(["a", "b"], text="a  b", heads=[0, 0], meta={"id": 3})
    with pytest.warns(UserWarning, match="left out: 2 heads without a label") as warned:
        runner.write_corpus(tmp_path / "a.spacy", doc)
    assert "1 white space that is not one blank" in str(warned[0].message)


def test_tables_of_one_category_a_text(tmp_path):
    docs = [Doc(["a,", "b"], cats={"X": 1.0, "Y": 0.0}), Doc(["c"], cats={"Y": 1.0}), Doc(["d"])]
    with pytest.warns(UserWarning, match="1 texts without categories"):
        runner.write_corpus(tmp_path / "a.csv", docs)
    assert (tmp_path / "a.csv").read_text("utf-8") == 'text,label\n"a, b",X\nc,Y\n'
    back = runner.read_corpus(tmp_path / "a.csv")
    assert [example.reference.cats for example in back] == [{"X": 1.0}, {"Y": 1.0}]


def test_tables_of_several_categories_a_text(tmp_path):
    docs = [Doc(["a"], cats={"X": 1.0, "Y": 0.25}), Doc(["c"], cats={"Y": 1.0}), Doc(["d"])]
    runner.write_corpus(tmp_path / "a.csv", docs)
    assert (tmp_path / "a.csv").read_text("utf-8") == "text,X,Y\na,1,0.25\nc,,1\nd,,\n"
    back = runner.read_corpus(tmp_path / "a.csv", label=["X", "Y"])
    assert [example.reference.cats for example in back] == [doc.cats for doc in docs]


def test_reader_options_and_their_errors(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("review,stars,id\nGood film,5,1\n", "utf-8")
    with pytest.warns(UserWarning, match="the column 'review' is read as the text"):
        (example,) = runner.read_corpus(path, label="stars")
    assert example.reference.cats == {"5": 1.0}
    with pytest.raises(RunnerError, match=r"stars|label") as caught:
        runner.read_corpus(path, label="star")
    assert "corpus.reader" not in str(caught.value)
    assert 'label="stars"' in str(caught.value)
    with pytest.raises(RunnerError, match="lable"):
        runner.read_corpus(path, lable="stars")


@pytest.mark.parametrize(
    ("act", "fact"),
    [
        (lambda at: runner.read_corpus(at / "trian.jsonl"), r"there is no file .*trian\.jsonl"),
        (lambda at: runner.read_corpus(at), "is a folder"),
        (lambda at: runner.read_corpus(None), r"no path to read\n  Give a file: runner.read_corpus\(FILE\)"),
        (lambda at: runner.read_corpus(at / "train.jsonl", format="jsnl"), "unknown reader 'jsnl'"),
        (lambda at: runner.write_corpus(at / "a.docx", annotated()), "does not say the format\n  End it with .jsonl"),
        (
            lambda at: runner.write_corpus(at / "a", annotated(), format="jsnl"),
            "unknown format 'jsnl'; did you mean 'jsonl'",
        ),
        (lambda at: runner.write_corpus(at / "a.jsonl", []), "there is no doc to write"),
        (lambda at: runner.write_corpus(at / "a.jsonl", ["text"]), "cannot write a str"),
        (lambda at: runner.write_corpus(at / "a.csv", annotated()[:1]), "there is no category"),
    ],
)
def test_mistakes_are_told_and_leave_no_file(jsonl, act, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        act(jsonl.parent)
    assert "read_corpus=" not in str(caught.value)
    assert [file.name for file in jsonl.parent.iterdir()] == ["train.jsonl"]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([*'ab", ;|\t\n\u2028é', "\r\n"]), max_size=8).map("".join), max_size=4))
def test_any_text_comes_back_from_a_table(tmp_path_factory, texts):
    texts = [text for text in texts if text.strip()]
    if not texts:
        return
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    runner.write_corpus(path, [Doc([text.strip()], text=text, cats={"X; |,Y": 1.0}) for text in texts])
    back = [example.reference for example in runner.read_corpus(path)]
    assert [doc.text for doc in back] == texts
    assert all(doc.cats == {"X; |,Y": 1.0} for doc in back)
