"""Token patterns: by hand, against spaCy's own Matcher, and against patterns that mean harm."""

from __future__ import annotations

import random
import re
import time
from typing import Any

import pytest

from runner.corpus.doc import Doc
from runner.corpus.patterns import MAX_SPAN, Matcher, make_pattern, read_patterns
from runner.corpus.tokenizer import syntok
from runner.errors import RunnerError


def found(pattern: Any, text: str) -> set[str]:
    """The texts of all matches."""
    doc = Doc(text.split())
    made = make_pattern({"label": "X", "pattern": pattern}, syntok())
    return {" ".join(doc.words[start:end]) for start, end, _ in Matcher([made])(doc)}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ([{"LOWER": "acme"}], "Acme and ACME and Acmes", {"Acme", "ACME"}),
        ([{"ORTH": "Acme"}], "Acme and ACME", {"Acme"}),
        ([{"TEXT": "Acme"}, {"TEXT": "Corp"}], "Acme Corp Acme", {"Acme Corp"}),
        ("Acme Corp", "an Acme Corp boat", {"Acme Corp"}),
        ([{"SHAPE": "XdXX"}], "C3PO c3po", {"C3PO"}),
        ([{"IS_TITLE": True, "OP": "+"}], "Ada Lin saw", {"Ada", "Lin", "Ada Lin"}),
        ([{"LOWER": "mr"}, {"ORTH": ".", "OP": "?"}, {"IS_TITLE": True}], "Mr . Bo or Mr Bo", {"Mr . Bo", "Mr Bo"}),
        ([{"LOWER": "in"}, {"LOWER": "the", "OP": "!"}], "in Oslo in the", {"in Oslo"}),
        ([{"LOWER": "a"}, {"OP": "*"}, {"LOWER": "d"}], "a b c d", {"a b c d"}),
        ([{"LIKE_NUM": True}, {"LOWER": {"IN": ["km", "miles"]}}], "ten km or 10,5 miles", {"ten km", "10,5 miles"}),
        ([{"LOWER": {"NOT_IN": ["a"]}, "LENGTH": 1}], "a b cc", {"b"}),
        ([{"TEXT": {"REGEX": "^[A-Z]{2,}$"}}], "IBM Ibm I", {"IBM"}),
        ([{"ORTH": "x", "OP": "{2,3}"}], "x x x x", {"x x", "x x x"}),
        ([{"IS_PUNCT": True, "OP": "*"}], "a b", set()),  # nothing is no match
    ],
)  # fmt: skip
def test_matches_by_hand(pattern, text, expected):
    assert found(pattern, text) == expected


WORDS = ["a", "A", "b", "Acme", "ACME", "12", "3.5", "seven", "!", ",", "-", "x1", "21st", "Ä", "ab", "1/2", "straße"]
FLAG_NAMES = ["IS_ALPHA", "IS_ASCII", "IS_DIGIT", "IS_LOWER", "IS_UPPER", "IS_TITLE", "IS_PUNCT", "LIKE_NUM"]


def random_token(rng: random.Random) -> dict[str, Any]:
    token: dict[str, Any] = {}
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        key = rng.choice(["ORTH", "LOWER", "TEXT", "SHAPE", "LENGTH", *FLAG_NAMES])
        if key in ("ORTH", "TEXT"):
            token.pop("ORTH", None)
            token.pop("TEXT", None)
        if key in ("ORTH", "LOWER", "TEXT"):
            regex = rng.choice(["^a", "[A-Z]", r"\d+", "b$", ".", "^(?:a|b)+$"])
            some = rng.sample(WORDS, 4)
            token[key] = rng.choice([rng.choice(WORDS), {"IN": some}, {"NOT_IN": some}, {"REGEX": regex}])
        elif key == "SHAPE":
            token[key] = rng.choice(["x", "X", "Xxxx", "dd", "xx", {"IN": ["x", "dd"]}])
        elif key == "LENGTH":
            token[key] = rng.choice([1, 2, {">=": 2}, {"<": 2}])
        else:
            token[key] = rng.random() < 0.7
    if operator := rng.choice([None, None, "!", "?", "+", "*", "{2}", "{1,2}"]):
        token["OP"] = operator
    return token


def test_the_same_matches_as_spacy():
    """A thousand random patterns over random words. Matches of no token, which spaCy has for some, don't count."""
    spacy = pytest.importorskip("spacy", reason="spaCy, whose Matcher is the second opinion, is not installed")
    from spacy.matcher import Matcher as Theirs
    from spacy.tokens import Doc as TheirDoc

    vocab = spacy.blank("en").vocab
    rng = random.Random(0)
    n_matches = 0
    for _ in range(1000):
        pattern = [random_token(rng) for _ in range(rng.randint(1, 3))]
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 7))]
        theirs = Theirs(vocab)
        theirs.add("X", [pattern])
        expected = {(start, end) for _, start, end in theirs(TheirDoc(vocab, words=words)) if end > start}
        made = make_pattern({"label": "X", "pattern": pattern}, syntok())
        assert {(start, end) for start, end, _ in Matcher([made])(Doc(words))} == expected, (pattern, words)
        n_matches += len(expected)
    assert n_matches > 1000


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"pattern": "Acme"}, "no label"),
        ({"label": "X"}, "no tokens"),
        ({"label": "X", "pattern": []}, "no tokens"),
        ({"label": "X", "pattern": ["Acme"]}, "token 0 of the pattern is no object"),
        ({"label": "X", "pattern": [{"LOWR": "a"}]}, "did you mean 'LOWER'?"),
        ({"label": "X", "pattern": [{"TAG": "NN"}]}, "unknown key 'TAG'"),
        ({"label": "X", "pattern": [{"LOWER": {"FUZZY": "a"}}]}, "unknown key 'FUZZY'"),
        ({"label": "X", "pattern": [{"OP": "**"}]}, r"OP is '\*\*'"),
        ({"label": "X", "pattern": [{"OP": "{3,2}"}]}, "OP is"),
        ({"label": "X", "pattern": [{"IS_ALPHA": 1}]}, "true or false"),
        ({"label": "X", "pattern": [{"LOWER": {"IN": "ab"}}]}, "no list of texts"),
        ({"label": "X", "pattern": [{"LOWER": {"REGEX": "("}}]}, "no regular expression"),
        ({"label": "X", "pattern": [{"LOWER": {"REGEX": "a" * 500}}]}, "no short text"),
        ({"label": "X", "pattern": [{"LENGTH": "3"}]}, "LENGTH"),
        ({"label": "X", "pattern": [{}] * 65}, "65 tokens"),
        ({"label": "X", "pattern": "a", "confidence": 2}, "confidence is 2"),
        ({"label": "X", "pattern": "a", "priority": 2}, "no key 'priority'"),
    ],
)
def test_faults_are_named_with_their_place(record, message):
    with pytest.raises(RunnerError, match=message) as caught:
        make_pattern(record, syntok(), "p.jsonl:3")
    assert str(caught.value).startswith("p.jsonl:3: ")
    assert len(str(caught.value).splitlines()) <= 2


def test_a_regular_expression_that_never_ends_is_stopped():
    pattern = make_pattern(
        {"label": "X", "pattern": [{"TEXT": {"REGEX": "^(a|a|aa)+(a|aa)+$"}}]}, syntok(), "p.jsonl:1"
    )
    started = time.perf_counter()
    with pytest.raises(RunnerError, match="takes too long over 'aaaa"):
        list(Matcher([pattern])(Doc(["a" * 199 + "!"])))
    assert time.perf_counter() - started < 5


def test_any_number_of_tokens_ends_after_a_while():
    doc = Doc(["x"] * 1000)
    pattern = make_pattern({"label": "X", "pattern": [{}, {"OP": "*"}, {"OP": "*"}]}, syntok())
    started = time.perf_counter()
    n = sum(1 for _ in Matcher([pattern])(doc))
    assert n == sum(min(MAX_SPAN, 1000 - start) for start in range(1000))
    assert time.perf_counter() - started < 10


def test_a_file_of_patterns(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"label": "ORG", "pattern": "Acme", "id": "acme", "confidence": 0.5}\n\n', encoding="utf8")
    (pattern,) = read_patterns(path, syntok())
    assert (pattern.label, pattern.confidence, pattern.id) == ("ORG", 0.5, "acme")
    path.write_text('{"label": "ORG", "pattern": "Acme"}\nnonsense\n', encoding="utf8")
    with pytest.raises(RunnerError, match=re.escape(f"{path}:2")):
        read_patterns(path, syntok())
