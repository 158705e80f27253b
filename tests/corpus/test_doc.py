"""The text of a doc is the text that came in: offsets index it, and copies, records and packed files keep it."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.corpus.annotations import read_annotations
from runner.corpus.augment import lower_case
from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.arrays import Arrays, ArrayWriter
from runner.corpus.packed.docs import PackedDocs
from runner.corpus.packed.writer import Packer
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.readers.reader import LeftOut
from runner.corpus.readers.table import table
from runner.corpus.tokenizer import syntok, whitespace
from runner.corpus.writers.conllu import conllu
from runner.corpus.writers.iob import iob
from runner.corpus.writers.jsonl import jsonl as write_jsonl
from runner.errors import RunnerError

TEXT = "  Paris  is\r\nbig.\n\nNew\tYork\u00a0too! "
texts = st.text(st.sampled_from("aB.é\u0301!-' \t\n\r\u00a0\u3000\u200d\ud800😀")) | st.text()


def holds(doc, text):
    """Whether the text is whole, each word stands at its offset, and words and gaps add up to the text."""
    assert doc.text == text
    assert all(text[token.idx :].startswith(token.text) for token in doc)
    lead = text[: doc[0].idx] if len(doc) else text
    assert not lead.strip()
    assert lead + "".join(token.text + token.whitespace_ for token in doc) == (text if len(doc) else lead)
    assert doc.spaces == [bool(token.whitespace_) for token in doc]
    assert all(ent.text == text[ent.start_char : ent.end_char] for ent in doc.ents)


def through_packed(path, doc):
    with ArrayWriter(path.parent) as writer:
        packer = Packer(writer)
        packer.open("f")
        packer.add(Doc(["plain"]))
        packer.add(doc)
        packer.finish(path, {})
    return PackedDocs(Arrays(path), ["f"]).reference(1)


def test_a_pipeline_keeps_the_text_and_its_offsets_count_in_it():
    doc = runner.blank("en").make_doc("  Paris  is big")
    assert doc.text == "  Paris  is big"
    assert [(token.text, token.idx) for token in doc] == [("Paris", 2), ("is", 9), ("big", 12)]
    assert doc[0:2].text == "Paris  is"
    assert runner.blank("en").make_doc(" \n ").text == " \n "


@given(texts)
def test_any_text_is_its_words_and_what_parts_them(text):
    for tokenizer in (syntok(), whitespace()):
        words, spaces = tokenizer(text)
        holds(Doc(words, spaces, text=text), text)
        holds(Doc(words, text=text), text)


@pytest.mark.slow
@given(texts, st.data())
def test_all_ways_to_copy_a_doc_keep_its_text(tmp_path_factory, text, data):
    words, spaces = syntok()(text)
    n = len(words)
    cuts = data.draw(st.lists(st.integers(0, n), unique=True, max_size=4).map(sorted))
    spans = [(*span, "X") for span in zip(cuts[::2], cuts[1::2], strict=False)]
    doc = Doc(words, spaces, text=text, ents=spans)
    shown = [ent.text for ent in doc.ents]
    merged = doc.copy()
    merged.retokenize([span[:2] for span in spans])
    kept = [doc.copy(), copy.copy(doc), copy.deepcopy(doc), pickle.loads(pickle.dumps(doc)), merged]
    if words:
        record = write_jsonl()([doc], LeftOut())
        path = tmp_path_factory.mktemp("docs") / "a.jsonl"
        path.write_bytes("".join(record).encode("utf8", "backslashreplace"))
        if "\ud800" not in text:
            kept += jsonl()(path)
    kept.append(through_packed(tmp_path_factory.mktemp("packed") / "a.arrays", doc))
    for other in kept:
        holds(other, text)
        assert [ent.text for ent in other.ents] == shown
    holds(doc.copy_unannotated(), text)
    holds(doc.with_words(["w"] * n), doc.with_words(["w"] * n).text)
    if n:
        example = Example.from_dict(doc, {"entities": [(ent.start_char, ent.end_char, "X") for ent in doc.ents]})
        assert [ent.as_tuple() for ent in example.reference.ents] == spans
        holds(example.reference, text)


def test_another_words_copy_keeps_the_white_space():
    doc = Doc(*syntok()(TEXT), text=TEXT)
    assert doc.with_words([word.lower() for word in doc.words]).text == TEXT.lower()
    example = Example.from_text(TEXT, {"entities": [(2, 7, "LOC"), (19, 27, "LOC")]}, syntok())
    changed = lower_case(level=1.0)(example, np.random.default_rng(0))
    assert changed.predicted.text == changed.reference.text == TEXT.lower()
    assert [ent.text for ent in changed.reference.ents] == ["paris", "new\tyork"]


def test_merged_tokens_spell_the_text_between_them():
    doc = Doc(*syntok()(TEXT), text=TEXT)
    doc.retokenize([(4, 6)])
    assert doc.words[4] == "New\tYork"
    holds(doc, TEXT)


def test_docs_of_words_alone_store_no_text():
    doc = Doc(["Don't", "go"], text="Don't go")
    assert doc.raw is None
    assert doc.text == "Don't go"


def test_words_that_are_not_in_the_text_are_refused():
    with pytest.raises(RunnerError, match="differ after 'Pari': 'x' against 's'"):
        Doc(["Parix"], text="Paris")


def test_a_word_of_two_keeps_its_spelling_where_the_text_breaks_the_line_inside():
    doc = read_annotations({"text": "In New\n York now", "words": ["In", "New York", "now"]}, None)
    assert doc.words == ["In", "New York", "now"]
    assert doc.text == "In New York now"


def test_rows_of_a_table_keep_their_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n" Two\n\nlines ",A\n', "utf-8")
    (doc,) = table()(path)
    holds(doc, " Two\n\nlines ")


@pytest.mark.parametrize("in_memory_words", [None, 0])
def test_a_corpus_is_predicted_on_its_own_text(tmp_path, in_memory_words):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": " a  b", "entities": [[4, 5, "X"]]}\n{"text": "a b", "entities": []}\n', "utf-8")
    spec = CorpusSpec(str(path), str(path), gold_tokens=False, in_memory_words=in_memory_words, cache=str(tmp_path))
    corpus = load_corpus(spec, reader=jsonl(), tokenizer=syntok(), recipe="")
    example = corpus.train[0]
    assert (example.reference.ents[0].start_char, example.reference.ents[0].text) == (4, "b")
    holds(example.predicted, " a  b")
    holds(corpus.train[1].predicted, "a b")


@pytest.mark.parametrize("writer", [conllu(), iob()])
def test_formats_without_a_place_for_white_space_say_what_they_leave_out(writer):
    left_out = LeftOut()
    list(writer([Doc(["Paris", "is", "big"], text="  Paris  is big")], left_out))
    assert [n for what, n in left_out.items() if "white space that is not one blank" in what] == [2]
