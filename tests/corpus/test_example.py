"""References cross over to predicted tokens where characters agree, and nowhere else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    example = Example.from_dict(doc, {"cats": {"NEWS": True}, "meta": {"id": 3}})
    assert example.reference.cats == {"NEWS": 1.0}
    assert example.reference.meta == {"meta": {"id": 3}}
    assert example.biluo() is None


def test_from_text_counts_offsets_in_the_text_as_given():
    example = Example.from_text("  Lake\n\nAurel froze", {"entities": [(2, 13, "LOC")]}, whitespace())
    assert example.predicted.text == example.reference.text == "  Lake\n\nAurel froze"
    assert example.aligned_ents() == [(0, 2, "LOC")]
    assert Example.from_text("a bc", {"entities": [(2, 3, "X")]}, whitespace()).excluded_ents == 1


def test_tokens_made_of_several_take_what_these_agree_on():
    gold = Doc(
        ["San", "Juan", "-", "born", "Ada", "ran", ".", "Bo", "slept"], tags="NNP NNP : VBN NNP VBD . NNP VBD".split(),
        heads=[1, 3, 3, 4, 5, 5, 5, 8, 8], deps="flat compound punct amod nsubj root punct nsubj root".split(),
        sent_starts=[True, *[False] * 6, True, False], ents=[(0, 2, "LOC"), (4, 5, "PER"), (7, 8, "PER")],
    )  # fmt: skip
    merged = Doc(["San Juan", "-born", "A", "da", "ran.", "Bo slept"])
    example = Example(merged, gold)
    assert example.aligned_tags() == ["NNP", None, None, None, None, None]
    assert example.aligned_heads() == [1, None, None, None, 4, 5]  # "born" hangs on "Ada", which was cut
    assert example.aligned_deps() == ["compound", "amod", None, None, "root", "root"]
    assert example.aligned_sent_starts() == [True, False, False, False, False, True]
    assert example.biluo() == ["U-LOC", "O", "B-PER", "L-PER", "O", "-"]
    assert example.excluded_ents == 1
    other = Example(Doc(["San", "Juan", "-born", "Ada", "ran", ".Bo", "slept"]), gold)
    assert other.aligned_sent_starts() == [True, False, False, False, False, None, False]  # one starts inside ".Bo"


def test_the_other_way_round():
    words = ["San Juan", "-", "born"]
    example = Example(Doc(["San", "Juan", "-born"]), Doc(words, tags=["NNP", "HYPH", "VBN"], ents=[(0, 1, "LOC")]))
    assert example.aligned_ents() == [(0, 2, "LOC")]
    assert example.aligned_tags() == [None, None, None]
    back = Example(Doc(words), Doc(["San", "Juan", "-born"], tags=["NNP", "NNP", "JJ"], ents=[(0, 2, "LOC")]))
    assert back.aligned_ents() == [(0, 1, "LOC")]
    assert back.aligned_tags() == ["NNP", None, None]


def test_sentences_that_start_with_white_space():
    gold = Doc(["A", "\n", "B"], [False, False, False], sent_starts=[True, True, False], tags=["x", "_SP", "y"])
    example = Example(Doc(["A", "B"]), gold)
    assert example.aligned_sent_starts() == [True, True]
    assert example.aligned_tags() == ["x", "y"]
    assert Example(gold.copy_unannotated(), Doc(["A", "B"], sent_starts=[True, True])).aligned_sent_starts() == [
        True,
        None,
        True,
    ]


@st.composite
def annotated(draw):
    """A gold doc with all layers, and other words of its text."""
    text = draw(st.text(alphabet="abc", min_size=1, max_size=14))
    cuts = [
        sorted({0, len(text), *(at for at in draw(st.sets(st.integers(1, 13))) if at < len(text))}) for _ in range(2)
    ]
    gold, predicted = ([text[start:end] for start, end in pairwise(cut)] for cut in cuts)
    n = len(gold)
    labels = st.sampled_from(["x", "y", None])
    return (
        Doc(
            gold, tags=draw(st.lists(labels, min_size=n, max_size=n)), deps=draw(st.lists(labels, min_size=n, max_size=n)),
            heads=draw(st.lists(st.integers(0, n - 1) | st.none(), min_size=n, max_size=n)),
            sent_starts=[True, *draw(st.lists(st.sampled_from([True, False, None]), min_size=n - 1, max_size=n - 1))],
        ),
        Doc(predicted),
    )  # fmt: skip


@given(annotated())
def test_every_layer_against_characters_one_by_one(pair):
    gold, predicted = pair
    example = Example(predicted, gold)
    if example.is_identical:
        return
    of_gold = [i for i, word in enumerate(gold.words) for _ in word]
    starts_at = {sum(map(len, gold.words[:i])): value for i, value in enumerate(gold.sent_starts)}
    tags, starts, heads, deps = (
        example.aligned_tags(), example.aligned_sent_starts(), example.aligned_heads(), example.aligned_deps()
    )  # fmt: skip
    end = 0
    for i, word in enumerate(predicted.words):
        start, end = end, end + len(word)
        inside = sorted(set(of_gold[start:end]))
        is_whole = all(start <= c < end for c, g in enumerate(of_gold) if g in inside)
        agreed = {gold.tags[g] for g in inside}
        assert tags[i] == (agreed.pop() if is_whole and len(agreed) == 1 else None)
        within = [starts_at[c] for c in range(start + 1, end) if c in starts_at]
        assert starts[i] == (None if any(value is not False for value in within) else starts_at.get(start, False))
        out = [g for g in inside if gold.heads[g] is not None and (gold.heads[g] == g or gold.heads[g] not in inside)]
        anchor = inside[0] if len(inside) == 1 else out[0] if len(out) == 1 else None
        anchor = anchor if is_whole else None
        assert deps[i] == (gold.deps[anchor] if anchor is not None else None)
        head = gold.heads[anchor] if anchor is not None else None
        if head is None:
            assert heads[i] is None
        else:
            holders = {len([b for b in ends_of(predicted.words) if b <= c]) for c, g in enumerate(of_gold) if g == head}
            assert heads[i] == (holders.pop() if len(holders) == 1 else None)


def ends_of(words):
    return [sum(map(len, words[: i + 1])) for i in range(len(words))]
