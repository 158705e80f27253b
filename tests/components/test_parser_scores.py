"""Tree scores by hand, and against the CoNLL 2018 evaluation's rules written down a second time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.components.parser_scores import deps
from runner.corpus.doc import Doc
from runner.corpus.example import Example

LABELS = ["root", "nsubj", "nsubj:pass", "obj", "nmod", "nmod:poss", "punct"]


def example(gold, predicted):
    """Two docs of (word, head, label) a token."""
    docs = []
    for rows in (gold, predicted):
        words, heads, labels = (list(column) for column in zip(*rows, strict=True))
        docs.append(Doc(words, [False] * len(words), heads=heads, deps=labels))
    return Example(docs[1], docs[0])


GOLD = [("She", 1, "nsubj"), ("sings", 1, "root"), ("his", 3, "nmod:poss"), ("songs", 1, "obj"), (".", 1, "punct")]


def test_all_right():
    scores, per_type = deps()([example(GOLD, GOLD)])
    assert scores == {"dep_uas": 1.0, "dep_las": 1.0, "sents_p": 1.0, "sents_r": 1.0, "sents_f": 1.0}
    assert per_type["obj"] == {"p": 1.0, "r": 1.0, "f": 1.0, "support": 1}


def test_punctuation_is_left_out_or_counted():
    # Right but for the full stop's head, and the label of `his` after the colon.
    predicted = [*GOLD[:2], ("his", 3, "nmod"), GOLD[3], (".", 3, "punct")]
    assert deps()([example(GOLD, predicted)])[0]["dep_uas"] == 1.0
    assert deps()([example(GOLD, predicted)])[0]["dep_las"] == pytest.approx(3 / 4)
    conll, per_type = deps(ignore_punct=False)([example(GOLD, predicted)])
    assert [conll["dep_uas"], conll["dep_las"]] == pytest.approx([4 / 5, 4 / 5])
    assert per_type["nmod"]["f"] == 1.0


def test_a_word_called_punctuation_counts_on_the_gold_side_only():
    predicted = [*GOLD[:3], ("songs", 1, "punct"), GOLD[4]]
    scores = deps()([example(GOLD, predicted)])[0]
    assert scores["dep_uas"] == pytest.approx(2 * 3 / (3 + 4))


def test_no_relation_is_no_arc():
    gold = [("find", 0, "ROOT"), ("a", 2, "-"), ("gym", 0, "PLACE")]
    assert deps()([example(gold, [gold[0], ("a", 0, "-"), gold[2]])])[0]["dep_las"] == 1.0
    found_too_much = deps()([example(gold, [gold[0], ("a", 2, "TIME"), gold[2]])])
    assert found_too_much[0]["dep_las"] == pytest.approx(2 * 2 / (2 + 3))
    assert "-" not in found_too_much[1]


def test_tokens_that_differ_cannot_be_right():
    gold = [("can", 2, "aux"), ("not", 2, "advmod"), ("go", 2, "root")]
    predicted = [("cannot", 1, "aux"), ("go", 1, "root")]
    scores = deps()([example(gold, predicted)])[0]
    assert scores["dep_uas"] == scores["dep_las"] == pytest.approx(2 * 1 / (2 + 3))
    assert scores["sents_f"] == 1.0


def test_what_gold_does_not_say_is_left_out():
    gold = [("Go", 0, "root"), ("now", None, None), ("!", 0, "punct")]
    partly = example(gold, [("Go", 0, "root"), ("now", 2, "obj"), ("!", 0, "punct")])
    assert deps()([partly])[0]["dep_las"] == 1.0
    assert deps()([partly])[0]["sents_f"] is None  # not known either
    unannotated = Example.from_doc(Doc(["Go"]))
    assert deps()([unannotated]) == (dict.fromkeys(("dep_uas", "dep_las", "sents_p", "sents_r", "sents_f")), {})


def test_sentences():
    gold = Doc("Wait ! Who came ?".split(), heads=[0, 0, 3, 3, 3], deps=["x"] * 5)
    one = Example.from_doc(gold)
    one.predicted.heads, one.predicted.deps = [0, 0, 3, 0, 3], ["x"] * 5
    one.predicted.sent_starts = [True, False, False, False, False]
    assert deps()([one])[0]["sents_f"] == 0.0
    one.predicted.sent_starts = [True, False, True, True, False]
    assert deps()([one])[0]["sents_f"] == pytest.approx(2 * 1 / (3 + 2))


# The CoNLL 2018 evaluation, written from its rules: words align where their characters (white space aside) are the same range;
# a word is right for UAS when the gold head is the word that its own head aligns with, or both are roots; for LAS when the
# labels agree up to the first colon as well. F1 = 2 right / (words of the system + words of gold).


def conll_2018(pairs):
    n_system = n_gold = n_uas = n_las = 0
    for gold, system in pairs:

        def ranges(rows):
            found, position = [], 0
            for word, _, _ in rows:
                found.append((position, position + len(word)))
                position += len(word)
            return found

        gold_ranges, system_ranges = ranges(gold), ranges(system)
        n_gold += len(gold)
        n_system += len(system)
        for i, (_, head, label) in enumerate(system):
            if system_ranges[i] not in gold_ranges:
                continue
            j = gold_ranges.index(system_ranges[i])
            gold_head, gold_label = gold[j][1:]
            if head == i or gold_head == j:
                is_right = head == i and gold_head == j
            else:
                is_right = system_ranges[head] == gold_ranges[gold_head]
            n_uas += is_right
            n_las += is_right and label.split(":")[0] == gold_label.split(":")[0]
    return [2 * n / (n_system + n_gold) for n in (n_uas, n_las)]


@st.composite
def parsed_texts(draw):
    """One text, cut and parsed twice."""
    n_letters = draw(st.integers(1, 8))
    text = "abcdefgh"[:n_letters]
    rows = []
    for _ in range(2):
        cuts = [0, *sorted(draw(st.sets(st.integers(1, n_letters), max_size=n_letters))), n_letters]
        words = [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False) if a < b]
        rows.append([(word, draw(st.integers(0, len(words) - 1)), draw(st.sampled_from(LABELS))) for word in words])
    if draw(st.booleans()):  # often the same tokens
        rows[1] = [(word, head, draw(st.sampled_from(LABELS))) for word, head, _ in rows[0]]
    return rows


@settings(max_examples=200, deadline=None)
@given(st.lists(parsed_texts(), min_size=1, max_size=4))
def test_scores_equal_the_conll_2018_evaluation(pairs):
    scores, _ = deps(ignore_punct=False)([example(gold, system) for gold, system in pairs])
    assert [scores["dep_uas"], scores["dep_las"]] == pytest.approx(conll_2018(pairs))
