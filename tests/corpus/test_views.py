"""Spans and tokens as a user of spaCy asks for them: trees, sentences, entity tags, ranges of characters, merging, JSON."""

from __future__ import annotations

import doctest
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runner
from runner.corpus import token_ranges
from runner.corpus.doc import Doc
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.tokenizer import syntok
from runner.corpus.views import Span
from runner.errors import RunnerError

# "the old cat saw two dogs . It ran": saw is the first root, ran the second
WORDS = ["the", "old", "cat", "saw", "two", "dogs", ".", "It", "ran"]
HEADS = [2, 2, 3, 3, 5, 3, 3, 8, 8]
DEPS = ["det", "amod", "nsubj", "root", "nummod", "obj", "punct", "nsubj", "root"]
STARTS = [True, *[False] * 6, True, False]


def tree() -> Doc:
    ents = [(0, 3, "CAT"), (4, 6, "DOG")]
    return Doc(WORDS, heads=HEADS, deps=DEPS, sent_starts=STARTS, ents=ents, unknown_ents=[(7, 8)])


def texts(tokens) -> list[str]:
    return [token.text for token in tokens]


def test_docstrings():
    assert doctest.testmod(token_ranges).failed == 0


def test_a_token_tells_its_tree():
    doc = tree()
    saw, cat = doc[3], doc[2]
    assert texts(saw.children) == ["cat", "dogs", "."]
    assert texts(saw.lefts) == ["cat"]
    assert texts(saw.rights) == ["dogs", "."]
    assert (saw.n_lefts, saw.n_rights) == (1, 2)
    assert texts(cat.subtree) == ["the", "old", "cat"]
    assert texts(doc[0].ancestors) == ["cat", "saw"]
    assert texts(saw.ancestors) == []
    assert saw.is_ancestor(doc[1])
    assert not doc[1].is_ancestor(saw)
    assert (saw.left_edge.text, saw.right_edge.text) == ("the", ".")
    assert (doc[4].left_edge.text, doc[4].right_edge.text) == ("two", "two")


def test_a_doc_without_heads_has_single_trees():
    token = Doc(["a", "b"])[1]
    assert list(token.children) == list(token.ancestors) == []
    assert texts(token.subtree) == ["b"]


def test_heads_in_a_circle_end():
    doc = Doc(["a", "b", "c"], heads=[1, 2, 0])
    assert texts(doc[0].ancestors) == ["b", "c"]
    assert texts(doc[0].subtree) == ["a", "b", "c"]
    assert doc[0:3].root.text == "a"


def test_sentences_of_tokens_and_spans():
    doc = tree()
    assert doc[1].sent.text == "the old cat saw two dogs ."
    assert doc[8].sent.text == doc[7:9].sent.text == "It ran"
    assert [token.is_sent_start for token in doc] == STARTS
    assert [token.sent.as_tuple() for token in doc] == [(0, 7, "")] * 7 + [(7, 9, "")] * 2
    bare = Doc(["a", "b", "c"])
    assert bare[1].sent.text == "a b c"
    assert [token.is_sent_start for token in bare] == [True, None, None]
    bare[1].is_sent_start = True
    assert texts(bare.sents) == ["a", "b c"]


def test_entity_tags_of_tokens():
    doc = tree()
    assert [token.ent_iob_ for token in doc] == ["B", "I", "I", "O", "B", "I", "O", "", "O"]
    assert Doc(["a"])[0].ent_iob_ == ""
    assert Doc(["a"], ents=[])[0].ent_iob_ == "O"


def test_neighbours():
    doc = tree()
    assert doc[2].nbor().text == "saw"
    assert doc[2].nbor(-2).text == "the"
    with pytest.raises(IndexError, match="no token -1"):
        doc[0].nbor(-1)


def test_the_root_of_a_span():
    doc = tree()
    assert doc[0:3].root.text == "cat"
    assert doc[0:7].root.text == "saw"
    assert doc[4:7].root.text == "dogs"  # dogs and . hang on saw: the first of two as high
    assert doc[1:5].root.text == "saw"
    assert doc[0:2].root.text == "the"
    assert Doc(["a", "b"])[0:2].root.text == "a"
    with pytest.raises(RunnerError, match="an empty span has no root"):
        _ = doc[3:3].root


def test_a_span_is_a_sequence_of_tokens():
    span = tree()[2:6]
    assert len(span) == 4
    assert texts(span) == ["cat", "saw", "two", "dogs"]
    assert (span[0].text, span[-1].text, span[1:3].text) == ("cat", "dogs", "saw two")
    assert span[1:3].as_tuple() == (3, 5, "")
    assert texts(span.ents) == ["two dogs"]
    with pytest.raises(IndexError):
        _ = span[4]
    with pytest.raises(RunnerError, match="a step of 2"):
        _ = span[::2]


def test_empty_spans_have_a_place_and_no_text():
    doc = Doc(["ab", "c"])
    assert [(doc[i:i].start_char, doc[i:i].end_char, doc[i:i].text) for i in range(3)] == [
        (0, 0, ""), (3, 3, ""), (4, 4, ""),
    ]  # fmt: skip


def test_spans_of_characters():
    doc = Doc(["Lake", "Aurel", "froze", "."], text="Lake  Aurel froze.")
    assert doc.char_span(0, 11, label="LOC").as_tuple() == (0, 2, "LOC")
    assert doc.char_span(0, 8) is None
    assert doc.char_span(0, 8, alignment_mode="contract").text == "Lake"
    assert doc.char_span(1, 8, alignment_mode="contract") is None
    assert doc.char_span(1, 8, "LOC", alignment_mode="expand").text == "Lake  Aurel"
    assert doc.char_span(4, 6, alignment_mode="expand") is None  # white space alone
    assert doc.char_span(5, 6, alignment_mode="contract") is None
    with pytest.raises(RunnerError, match="unknown alignment_mode 'expnd'; did you mean 'expand'"):
        doc.char_span(0, 4, alignment_mode="expnd")
    for start in ("a", 0.5, None):
        with pytest.raises(RunnerError, match="are no offsets of characters"):
            doc.char_span(start, 4)
    with pytest.raises(RunnerError, match=r"an entity is None\n  doc.char_span gives None"):
        doc.ents = [doc.char_span(0, 8, label="LOC")]


@settings(deadline=None)  # the first example imports spaCy
@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5), st.data())
def test_spans_of_characters_are_spacys(words, data):
    spacy_tokens = pytest.importorskip("spacy.tokens")
    from spacy.vocab import Vocab

    spaces = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc, theirs = Doc(words, spaces), spacy_tokens.Doc(Vocab(), words, spaces)
    inside = [
        i for i, character in enumerate(doc.text) if character != " "
    ]  # from and to white space, spaCy's ends differ
    start = data.draw(st.sampled_from(inside))
    end = data.draw(st.sampled_from([i for i in inside if i >= start])) + 1
    for mode in ("strict", "contract", "expand"):
        own, other = (one.char_span(start, end, alignment_mode=mode) for one in (doc, theirs))
        assert (own and (own.start, own.end)) == (other and (other.start, other.end)), mode


def test_retokenize_as_spacy_has_it():
    doc = tree()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[4:6], attrs={"TAG": "NNS", "DEP": "object"})
        retokenizer.merge(doc[0:3])
        assert len(doc) == 9  # until the block ends
    assert doc.words == ["the old cat", "saw", "two dogs", ".", "It", "ran"]
    assert doc.heads == [1, 1, 1, 1, 5, 5]
    assert doc.deps == ["nsubj", "root", "object", "punct", "nsubj", "root"]
    assert doc.tags == [None, None, "NNS", None, None, None]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("the old cat", "CAT"), ("two dogs", "DOG")]


def test_a_block_that_fails_merges_nothing():
    doc = tree()
    with pytest.raises(ZeroDivisionError), doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:3])
        _ = 1 / 0
    assert doc.words == WORDS


@pytest.mark.parametrize(
    ("act", "fact"),
    [
        (lambda doc, r: r.merge(Doc(["a", "b"])[0:2]), "cannot merge a span of another doc"),
        (lambda doc, r: r.merge((0, 2)), "cannot merge a tuple"),
        (lambda doc, r: (r.merge(doc[0:3]), r.merge(doc[2:4])), "tokens 0 to 3 and 2 to 4 overlap"),
        (lambda doc, r: r.merge(doc[0:2], attrs={"LEMMA": "x"}), "takes no 'LEMMA'\n  It takes TAG, POS, DEP"),
        (lambda doc, r: r.split(doc[0], ["a", "b"], heads=[]), "retokenizer has no 'split'"),
        (lambda doc, r: doc.retokenize([(0, 3), (2, 4)]), "tokens 0 to 3 and 2 to 4 overlap"),
        (lambda doc, r: doc.retokenize([(7, 12)]), "tokens 7 to 12 lie outside the 9 tokens"),
    ],
)
def test_what_cannot_be_merged_is_told(act, fact):
    doc = tree()
    with pytest.raises(RunnerError, match=fact), doc.retokenize() as retokenizer:
        act(doc, retokenizer)
    assert doc.words == WORDS


def test_json_has_spacys_layout_and_is_read_back(tmp_path):
    spacy_tokens = pytest.importorskip("spacy.tokens")
    from spacy.vocab import Vocab

    annotations = {"tags": list("ABCDEFGHI"), "pos": ["X"] * 9, "heads": HEADS, "deps": DEPS, "cats": {"S": 1.0}}
    ours = Doc(WORDS, sent_starts=STARTS, ents=[(0, 3, "CAT")], **annotations)
    cats = annotations.pop("cats")
    theirs = spacy_tokens.Doc(
        Vocab(), WORDS, [*[True] * 8, False], ents=["B-CAT", "I-CAT", "I-CAT", *"OOOOOO"], **annotations
    )
    theirs.cats = cats
    assert ours.to_json() == theirs.to_json()
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ours.to_json()) + "\n", "utf-8")
    (back,) = jsonl()(path)
    for layer in ("words", "spaces", "tags", "pos", "heads", "deps", "sent_starts", "cats"):
        assert getattr(back, layer) == getattr(ours, layer), layer
    assert [ent.as_tuple() for ent in back.ents] == [(0, 3, "CAT")]


def test_json_keeps_what_is_unknown(tmp_path):
    doc = Doc(["a", "b", "c"], ents=[], tags=["A", None, None], heads=[1, None, 1], deps=["x", None, "y"])
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(doc.to_json()) + "\n" + json.dumps(Doc(["a"], tags=["T"]).to_json()) + "\n", "utf-8")
    back, bare = jsonl()(path)
    assert (back.tags, back.heads, back.deps) == (doc.tags, doc.heads, doc.deps)
    assert back.has_ents
    assert not back.ents
    assert not bare.has_ents
    assert bare.heads is bare.sent_starts is None


@settings(deadline=None)
@given(st.text(st.sampled_from("aé😀.' \t\n"), min_size=1, max_size=12), st.data())
def test_any_doc_comes_back_from_its_json(tmp_path_factory, text, data):
    words, spaces = syntok()(text)
    if not words:
        return
    n = len(words)

    def layer(values):
        return data.draw(st.none() | st.lists(values, min_size=n, max_size=n))

    cuts = data.draw(st.lists(st.integers(0, n), unique=True, max_size=4).map(sorted))
    ents = data.draw(st.none() | st.just([(*span, "X") for span in zip(cuts[::2], cuts[1::2], strict=False)]))
    heads, tags = layer(st.integers(0, n - 1)), layer(st.sampled_from(["A", "B"]))
    starts = layer(st.booleans())
    starts = [True, *starts[1:]] if starts is not None else None  # a text begins with a sentence
    doc = Doc(words, spaces, text=text, ents=ents, tags=tags, heads=heads, sent_starts=starts)
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text(json.dumps(doc.to_json()) + "\n", "utf-8")
    (back,) = jsonl()(path)
    assert back.text == text
    assert (back.words, back.tags, back.heads, back.sent_starts) == (words, tags, heads, starts)
    assert back.has_ents == doc.has_ents
    if not any(word.isspace() for word in words):  # an entity's offsets do not tell white space at its edges
        assert [ent.as_tuple() for ent in back.ents] == [ent.as_tuple() for ent in doc.ents]


def test_views_are_what_the_package_exports():
    assert runner.Span is Span
