"""References cross over to predicted tokens where characters agree, and nowhere else."""

import pytest

from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.tokenizer import whitespace
from runner.errors import RunnerError

WORDS = ["Ada", "left", "New", "York-", "based", "Acme"]


def reference(**annotations):
    return Doc(WORDS, [True, True, True, False, True, False], source="a.jsonl:7", **annotations)


def predicted():
    return Doc(["Ada", "left", "New", "York-based", "Ac", "me"], [True, True, True, True, False, False])


def test_same_tokens():
    example = Example.from_doc(reference(ents=[(0, 1, "PER"), (5, 6, "ORG")], tags=list("abcdef")))
    assert example.is_identical
    assert example.biluo() == ["U-PER", "O", "O", "O", "O", "U-ORG"]
    assert example.aligned_tags() == list("abcdef")
    assert example.aligned_heads() == [None] * 6
    assert example.token_counts() == (6, 6, 6)
    assert example.excluded_ents == 0
    assert not example.predicted.has_ents


def test_other_tokens():
    gold = reference(ents=[(0, 1, "PER"), (2, 4, "LOC"), (5, 6, "ORG")], tags=list("abcdef"), heads=[1, 1, 5, 2, 2, 1])
    example = Example(predicted(), gold)
    assert example.aligned_ents() == [(0, 1, "PER"), (4, 6, "ORG")]
    assert example.biluo() == ["U-PER", "O", "-", "-", "B-ORG", "L-ORG"]
    assert example.excluded_ents == 1
    assert example.aligned_tags() == ["a", "b", "c", None, None, None]
    assert example.aligned_heads() == [1, 1, None, None, None, None]  # "New" hangs on "Acme", which was cut
    assert example.token_counts() == (3, 6, 6)


def test_unknown_tokens_stay_unknown():
    example = Example(predicted(), reference(ents=[], unknown_ents=[(4, 5)]))
    assert example.biluo() == ["O", "O", "O", "-", "O", "O"]
    assert example.excluded_ents == 0


def test_no_entities_is_not_the_same_as_none_annotated():
    assert Example.from_doc(reference()).biluo() is None
    assert Example.from_doc(reference(ents=[])).biluo() == ["O"] * 6


def test_other_texts_are_an_error_at_the_reference():
    with pytest.raises(RunnerError, match=r"^a.jsonl:7: the gold words and the predicted words differ"):
        Example(Doc(["Bob"]), reference())


def test_from_dict_with_offsets_tags_and_own_words():
    doc = predicted()
    assert Example.from_dict(doc, {"entities": [(25, 28, "ORG")]}).excluded_ents == 1  # "cme"
    assert Example.from_dict(doc, {"entities": [(24, 28, "ORG")]}).aligned_ents() == [(4, 6, "ORG")]
    assert Example.from_dict(doc, {"entities": ["U-PER", *"OOOOO"]}).biluo() == ["U-PER", *"OOOOO"]
    assert Example.from_dict(doc, {"words": WORDS, "tags": list("abcdef")}).aligned_tags()[:4] == ["a", "b", "c", None]
    example = Example.from_dict(doc, {"cats": {"NEWS": True}, "id": 3})
    assert example.reference.cats == {"NEWS": 1.0}
    assert example.reference.meta == {"id": 3}
    assert example.biluo() is None


def test_from_text_counts_offsets_in_the_text_as_given():
    example = Example.from_text("  Lake\n\nAurel froze", {"entities": [(2, 13, "LOC")]}, whitespace())
    assert example.predicted.text == "Lake Aurel froze"
    assert example.aligned_ents() == [(0, 2, "LOC")]
    assert Example.from_text("a bc", {"entities": [(2, 3, "X")]}, whitespace()).excluded_ents == 1
