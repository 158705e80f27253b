"""BILUO both ways, and the older schemes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.corpus.biluo import (
    TagError,
    biluo_to_offsets,
    biluo_to_spans,
    detect_scheme,
    iob_to_biluo,
    offsets_to_biluo,
    spans_to_biluo,
)
from runner.corpus.doc import Doc
from runner.errors import RunnerError


def test_offsets_and_back():
    doc = Doc(["I", "like", "New", "York", "."], [True, True, True, False, False])
    tags = offsets_to_biluo(doc, [(7, 15, "LOC")])
    assert tags == ["O", "O", "B-LOC", "L-LOC", "O"]
    assert biluo_to_offsets(doc, tags) == [(7, 15, "LOC")]


def test_an_entity_that_does_not_align_is_unknown():
    doc = Doc(["I", "like", "New", "York-based", "."])
    assert offsets_to_biluo(doc, [(0, 1, "PER"), (7, 15, "LOC")]) == ["U-PER", "O", "-", "-", "O"]
    assert offsets_to_biluo(doc, [(0, 1, "PER")], missing="-") == ["U-PER", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("tags", "token"),
    [
        (["I-A"], 0),
        (["O", "L-A"], 1),
        (["B-A"], 0),
        (["B-A", "O"], 1),
        (["B-A", "-", "L-A"], 1),
        (["B-A", "L-B"], 1),
        (["B-A", "U-A"], 1),
        (["O", "X-A"], 1),
        (["O", "B-"], 1),
        (["O", ""], 1),
        (["B"], 0),
    ],
)
def test_illegal_sequences_name_the_token(tags, token):
    with pytest.raises(TagError) as caught:
        biluo_to_spans(tags)
    assert caught.value.index == token
    assert caught.value.hint


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob1", ["I-LOC", "I-LOC", "B-LOC", "O", "I-PER"]),
        ("iob2", ["B-LOC", "I-LOC", "B-LOC", "O", "B-PER"]),
        ("biluo", ["B-LOC", "L-LOC", "U-LOC", "O", "U-PER"]),
    ],
)
def test_three_schemes_say_the_same(scheme, tags):
    for given_scheme in (scheme, "auto"):
        assert iob_to_biluo(tags, given_scheme) == ["B-LOC", "L-LOC", "U-LOC", "O", "U-PER"]
    assert detect_scheme([tags]) == scheme


def test_a_label_change_opens_an_entity_in_iob1_alone():
    assert iob_to_biluo(["I-A", "I-B"], "iob1") == ["U-A", "U-B"]
    with pytest.raises(TagError, match="'I-B' follows 'B-A'"):
        iob_to_biluo(["B-A", "I-B"], "iob2")


def test_one_wrong_tag_does_not_turn_iob2_into_iob1():
    assert detect_scheme([["B-A", "I-A"], ["O", "I-A"]]) == "iob2"


def test_labels_may_hold_hyphens_and_unknown_stays_unknown():
    assert iob_to_biluo(["B-creative-work", "-", "O"], "iob2") == ["U-creative-work", "-", "O"]


def test_counts_and_schemes_that_do_not_fit():
    with pytest.raises(RunnerError, match="1 tags for 2 words"):
        biluo_to_offsets(Doc(["a", "b"]), ["O"])
    with pytest.raises(RunnerError, match="unknown scheme"):
        iob_to_biluo(["O"], "bio")


@st.composite
def tokens_and_spans(draw):
    words = draw(st.lists(st.text(alphabet="ab🙂\u0301\u00a0", min_size=1, max_size=3), min_size=1, max_size=12))
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    bounds = sorted(draw(st.sets(st.integers(0, len(words)), max_size=8)))
    chosen = [
        (start, end, draw(st.sampled_from(["LOC", "creative-work", "x"])))
        for start, end in pairwise(bounds)
        if draw(st.booleans())
    ]
    return Doc(words, spaces), chosen


@given(tokens_and_spans())
def test_spans_tags_offsets_round_trip(case):
    doc, spans = case
    tags = spans_to_biluo(len(doc), spans)
    assert biluo_to_spans(tags) == spans
    assert offsets_to_biluo(doc, biluo_to_offsets(doc, tags)) == tags
    iob2 = [tag.replace("U-", "B-", 1).replace("L-", "I-", 1) if tag[:2] in ("U-", "L-") else tag for tag in tags]
    assert iob_to_biluo(iob2, "iob2") == tags


@st.composite
def text_and_offsets(draw):
    """Words with any spaces, and entities that do not overlap, wherever they start and end."""
    words = draw(st.lists(st.text(alphabet="ab", min_size=1, max_size=3), min_size=1, max_size=8))
    doc = Doc(words, draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words))))
    cuts = sorted(draw(st.sets(st.integers(0, len(doc.text)), max_size=6)))
    found = zip(cuts[::2], cuts[1::2], strict=False)
    return doc, [(start, end, "X") for start, end in found if doc.text[start:end].strip()]


@given(text_and_offsets())
def test_offsets_that_align_come_back_and_others_are_unknown(case):
    doc, entities = case
    tags = offsets_to_biluo(doc, entities)
    edges = {(start, start + len(word)) for start, word in zip(doc.offsets, doc.words, strict=True)}
    starts, ends = {start for start, _ in edges}, {end for _, end in edges}
    fit, touched = [], set()
    for start, end, label in entities:
        start += len(doc.text[start:end]) - len(doc.text[start:end].lstrip())
        end -= len(doc.text[start:end]) - len(doc.text[start:end].rstrip())
        if start in starts and end in ends:
            fit.append((start, end, label))
        else:
            touched |= {i for i, at in enumerate(doc.offsets) if at < end and at + len(doc.words[i]) > start}
    assert biluo_to_offsets(doc, tags) == fit
    covered = {i for a, b, _ in fit for i, at in enumerate(doc.offsets) if a <= at < b}
    assert {i for i, tag in enumerate(tags) if tag == "-"} == touched - covered
