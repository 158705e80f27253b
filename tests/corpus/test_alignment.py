"""Alignment by characters, against answers worked by hand and a slow second implementation."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.corpus.alignment import Alignment, fit_offsets, word_edges
from runner.errors import RunnerError


def test_split_and_merged_tokens():
    alignment = Alignment(["New", "York-based", "fi", "rm"], ["New", "York", "-", "based", "firm"])
    assert alignment.gold_to_predicted == [0, None, None, None]
    assert alignment.predicted_to_gold == [0, None, None, None, None]
    assert alignment.span_to_predicted(0, 2) == (0, 4)
    assert alignment.span_to_predicted(1, 2) == (1, 4)
    assert alignment.span_to_predicted(2, 3) is None
    assert alignment.touched_by(2, 3) == (4, 5)
    assert alignment.token_counts() == (1, 5, 4)


def test_identical_words_are_the_identity():
    alignment = Alignment(["a", "\u00a0", "b"], ["a", "\u00a0", "b"])
    assert alignment.is_identical
    assert alignment.gold_to_predicted == [0, 1, 2]
    assert alignment.span_to_predicted(1, 3) == (1, 3)
    assert alignment.token_counts() == (3, 3, 3)


def test_white_space_is_ignored():
    alignment = Alignment(["New York", "\u00a0", "is"], ["New", "York", "is"])
    assert alignment.gold_to_predicted == [None, None, 2]
    assert alignment.span_to_predicted(0, 1) == (0, 2)
    assert alignment.span_to_predicted(1, 3) == (2, 3)
    assert alignment.span_to_predicted(1, 2) is None
    assert alignment.touched_by(1, 2) == (2, 2)
    assert alignment.token_counts() == (1, 3, 2)


def test_other_characters_are_an_error_that_shows_them():
    with pytest.raises(RunnerError, match="differ after 'Inthe': 'red' against 'blue'"):
        Alignment(["In", "the", "red"], ["In", "the", "blue"])
    with pytest.raises(RunnerError, match="'' against 'x'"):
        Alignment(["a"], ["a", "x"])


@st.composite
def two_tokenizations(draw):
    text = draw(st.text(alphabet="abc", min_size=1, max_size=20))
    return tuple(_cut(text, draw(st.sets(st.integers(1, 19)))) for _ in range(2))


def _cut(text, places):
    bounds = [0, *sorted(place for place in places if place < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@given(two_tokenizations(), st.data())
def test_against_characters_one_by_one(pair, data):
    gold, predicted = pair
    alignment = Alignment(gold, predicted)
    gold_owner = [i for i, word in enumerate(gold) for _ in word]
    owner = [i for i, word in enumerate(predicted) for _ in word]
    start = data.draw(st.integers(0, len(gold) - 1))
    end = data.draw(st.integers(start + 1, len(gold)))
    touched = sorted({owner[i] for i in range(len(owner)) if start <= gold_owner[i] < end})
    assert alignment.touched_by(start, end) == (touched[0], touched[-1] + 1)
    is_exact = {gold_owner[i] for i in range(len(owner)) if owner[i] in touched} == set(range(start, end))
    assert alignment.span_to_predicted(start, end) == ((touched[0], touched[-1] + 1) if is_exact else None)
    for i, j in enumerate(alignment.gold_to_predicted):
        if j is not None:
            assert alignment.predicted_to_gold[j] == i
            assert predicted[j] == gold[i]
    assert alignment.token_counts()[0] == sum(j is not None for j in alignment.gold_to_predicted)


def test_word_edges_in_text_with_odd_spacing():
    assert word_edges("  New\n\nYork. ", ["New", "York", "."]) == ([2, 7, 11], [5, 11, 12])
    assert word_edges("New\u2028York", ["New York"]) == ([0], [8])
    with pytest.raises(RunnerError, match=r"f\.jsonl:3: the words and the text differ after 'New'"):
        word_edges("New York", ["New", "Haven"], place="f.jsonl:3")


def test_entities_on_tokens():
    text, starts, ends = "Lake Aurel froze", [0, 5, 11], [4, 10, 16]
    fit = fit_offsets(text, starts, ends, [(0, 10, "LOC"), (12, 16, "X")])
    assert fit.ents == [(0, 2, "LOC")]
    assert fit.unaligned == [(2, 3, "X")]
    assert fit_offsets(text, starts, ends, [(4, 11, "LOC")]).ents == [(1, 2, "LOC")]  # white space at the edges


@pytest.mark.parametrize(
    ("entities", "fact"),
    [
        ([(3, 3, "A")], "is empty"),
        ([(5, 3, "A")], "is empty"),
        ([(-1, 3, "A")], "outside the text of 16"),
        ([(0, 17, "A")], "outside the text of 16"),
        ([(0, 10, "A"), (5, 16, "B")], "overlaps"),
        ([(0, 10, "A"), (0, 10, "A")], "overlaps"),
        ([(4, 5, "A")], "only white space"),
    ],
)
def test_impossible_entities(entities, fact):
    with pytest.raises(RunnerError, match=fact):
        fit_offsets("Lake Aurel froze", [0, 5, 11], [4, 10, 16], entities)


# Both directions, against a table of which character belongs to which token


@st.composite
def tokenizations_with_spaces(draw):
    """Two tokenizations of one text; tokens may hold white space, or be nothing but it."""
    made = []
    text = draw(st.text(alphabet="abc", min_size=1, max_size=16))
    for _ in range(2):
        words = []
        for word in _cut(text, draw(st.sets(st.integers(1, 15)))):
            if draw(st.integers(0, 5)) == 0:
                words.append(draw(st.sampled_from([" ", "\n", "\u00a0\t"])))
            at = draw(st.integers(0, len(word)))
            words.append(word[:at] + " " + word[at:] if draw(st.integers(0, 5)) == 0 else word)
        made.append(words)
    return made


def owners(words):
    return [i for i, word in enumerate(words) for character in word if not character.isspace()]


@given(tokenizations_with_spaces())
def test_tokens_made_of_tokens_in_both_directions(pair):
    for gold, predicted in (pair, pair[::-1]):
        alignment = Alignment(gold, predicted)
        if alignment.is_identical:
            continue
        of_gold, of_predicted = owners(gold), owners(predicted)
        made_of, holder = alignment.merged()
        for i, ((first, last), made) in enumerate(zip(alignment.touching(), made_of, strict=True)):
            touched = sorted({g for g, p in zip(of_gold, of_predicted, strict=True) if p == i})
            assert [g for g in range(first, last) if g in of_gold] == touched
            whole = all(of_predicted[c] == i for c, g in enumerate(of_gold) if g in touched)
            assert (made is not None) == (bool(touched) and whole)
            if made is not None:
                assert [g for g in range(*made) if g in of_gold] == touched
                assert (made[0], made[1] - 1) == (touched[0], touched[-1])
        for g in set(of_gold):
            held_by = {p for o, p in zip(of_gold, of_predicted, strict=True) if o == g}
            assert holder[g] == (held_by.pop() if len(held_by) == 1 else None)


@given(tokenizations_with_spaces())
def test_the_inverse_is_the_alignment_of_the_other_way(pair):
    one, other = Alignment(*pair).inverse(), Alignment(*pair[::-1])
    assert one.gold_to_predicted == other.gold_to_predicted
    assert one.merged() == other.merged()
    assert one.touching() == other.touching()
    for i in range(len(pair[1])):
        assert one.span_to_predicted(i, i + 1) == other.span_to_predicted(i, i + 1)


def test_a_hundred_thousand_tokens_in_linear_time():
    """Every kind of mismatch, over and over; what is not linear would take minutes."""
    n = 20_000
    gold = ["New", "York", "-", "based", " "] * n
    predicted = ["New York", "-ba", "sed"] * n
    started = time.process_time()
    alignment = Alignment(gold, predicted)
    made_of, _ = alignment.merged()
    touching = alignment.touching()
    spans = [alignment.span_to_predicted(i, i + 2) for i in range(0, len(gold), 5)]
    inverse = alignment.inverse().merged()[1]
    assert alignment.token_counts()[0] == 0
    assert time.process_time() - started < 5
    assert (made_of[:3], touching[:3]) == ([(0, 2), None, None], [(0, 2), (2, 4), (3, 4)])
    assert spans == [(3 * i, 3 * i + 1) for i in range(n)]
    assert inverse[:3] == [None, None, 3]  # "-ba" lies in no gold token, "sed" in "based"
