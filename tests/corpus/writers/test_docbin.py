"""`.spacy` files: what spaCy itself reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.corpus.doc import Doc
from runner.corpus.readers.docbin import docbin
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.docbin import Pieces, join
from runner.errors import RunnerError

spacy = pytest.importorskip("spacy")

TREE = Doc(
    ["Ada", "can", "n't", "see", "Oslo", "Rome"],
    [True, False, True, True, False, False],
    tags=["NNP", "MD", None, "VB", "NNP", "NNP"],
    pos=["PROPN", "AUX", "PART", "VERB", "PROPN", "MADE_UP"],
    heads=[3, 3, 1, 3, 3, 5],
    deps=["nsubj", "aux", "advmod", "root", "obj", "root"],
    sent_starts=[True, False, False, False, False, True],
    ents=[(0, 1, "PER"), (4, 5, "LOC"), (5, 6, "LOC")],
    cats={"HOME": 0.25, "WORK": 0.75},
    meta={"id": 7, "page": {"number": 3}},
)
PLAIN = Doc(["\u00c9mile", "NOUN", "PERSON"])  # words that are names of spaCy's symbols too
PARTLY = Doc(["a", "b", "c"], ents=[(0, 2, "X")], unknown_ents=[(2, 3)])


@pytest.fixture
def written(tmp_path):
    """Write docs, a piece each: the path, and what was left out."""

    def write(*docs):
        pieces, left_out = Pieces(), LeftOut()
        (tmp_path / "pieces").write_bytes(b"".join(pieces([doc], left_out) for doc in docs))
        with (tmp_path / "pieces").open("rb") as source, (tmp_path / "a.spacy").open("wb") as out:
            join(source, out)
        return tmp_path / "a.spacy", left_out

    return write


def read(path: Path):
    return list(spacy.tokens.DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_spacy_reads_every_layer(written):
    path, left_out = written(TREE, PLAIN, PARTLY)
    tree, plain, partly = read(path)
    assert tree.text == TREE.text == "Ada cann't see OsloRome"
    assert [token.text for token in tree] == TREE.words
    assert [token.tag_ for token in tree] == ["NNP", "MD", "", "VB", "NNP", "NNP"]
    assert [token.pos_ for token in tree] == ["PROPN", "AUX", "PART", "VERB", "PROPN", ""]
    assert [token.head.i for token in tree] == TREE.heads
    assert [token.dep_ for token in tree] == ["nsubj", "aux", "advmod", "ROOT", "obj", "ROOT"]
    assert [sent.text for sent in tree.sents] == ["Ada cann't see Oslo", "Rome"]
    assert [(ent.text, ent.label_) for ent in tree.ents] == [("Ada", "PER"), ("Oslo", "LOC"), ("Rome", "LOC")]
    assert (tree.cats, tree.user_data) == (TREE.cats, TREE.meta)
    assert [token.text for token in plain] == PLAIN.words
    assert not any(map(plain.has_annotation, ("TAG", "POS", "DEP", "HEAD", "SENT_START", "ENT_IOB")))
    assert [token.ent_iob_ for token in partly] == ["B", "I", ""]
    assert dict(left_out) == {"universal tags (spaCy does not know them)": 1}


def test_it_is_the_file_that_spacy_writes(written, tmp_path):
    """The same attributes of the same docs: spaCy's own DocBin of what it read is the same table."""
    path, _ = written(TREE, PARTLY)
    ours = spacy.tokens.DocBin().from_disk(path)
    theirs = spacy.tokens.DocBin(attrs=ours.attrs, store_user_data=True, docs=read(path))
    assert theirs.attrs == ours.attrs
    for attribute in ("tokens", "spaces"):
        for own, made in zip(getattr(ours, attribute), getattr(theirs, attribute), strict=True):
            assert own.tolist() == made.tolist()
    assert (ours.cats, ours.flags, ours.version) == (theirs.cats, theirs.flags, theirs.version)
    assert ours.strings <= theirs.strings


def test_our_reader_reads_it(written):
    path, _ = written(TREE, PARTLY, Doc(["x"], sent_starts=[True]))
    for own, doc in zip(docbin()(path), (TREE, PARTLY, Doc(["x"], sent_starts=[True])), strict=True):
        assert (own.text, own.words, own.tags, own.heads, own.deps) == (
            doc.text, doc.words, doc.tags, doc.heads, doc.deps,
        )  # fmt: skip
        assert [ent.as_tuple() for ent in own.ents] == [ent.as_tuple() for ent in doc.ents]
        assert (own.unknown_ents, own.cats, own.sent_starts) == (doc.unknown_ents, doc.cats, doc.sent_starts)


def test_texts_without_words_and_files_without_texts(written):
    path, _ = written(Doc([]), PLAIN)
    assert [len(doc) for doc in read(path)] == [0, 3]
    assert read(written()[0]) == []


def test_what_has_no_place(written):
    doc = Doc.tokenized("a  b", (["a", "b"], [True, False]))
    assert list(written(doc)[1]) == ["white space that is not one blank (spaCy has no place for it)"]
    with pytest.raises(RunnerError, match="the doc's meta cannot be packed"):
        written(Doc(["a"], meta={"id": 2**70}))
