"""Tokenizers lose no character, whatever the text; the default cuts English as the treebanks do."""

import builtins
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.corpus.doc import Doc
from runner.corpus.tokenizer import cover, spacy, syntok, whitespace
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="aB.!?'’-_ \t\n\u00a0\u200b\u2028\x1c\u0301🙂(\"$", max_size=40),
)


@given(TEXTS)
@pytest.mark.parametrize("factory", [syntok, whitespace])
def test_no_character_is_lost(factory, text):
    words, spaces = factory()(text)
    assert len(words) == len(spaces)
    assert all(word.split() == [word] for word in words)
    assert " ".join(Doc(words, spaces).text.split()) == " ".join(text.split())


def test_text_with_single_spaces_comes_back_as_it_was():
    text = "Don't sell it (yet), said Dr. Who… 3.5% off at http://a.example/b?c=d#e !! "
    assert Doc(*syntok()(text)).text == text


def test_english():
    words, spaces = syntok()("We don't buy McDonald's iPhones in New York-based shops!!! Why?")
    assert words == ["We", "do", "n't", "buy", "McDonald", "'s", "iPhones", "in", "New", "York", "-", "based",
                     "shops", "!!!", "Why", "?"]  # fmt: skip
    assert spaces[:4] == [True, False, True, True]


def test_empty_texts_have_no_words():
    assert syntok()("") == ([], [])
    assert syntok()(" \n ") == ([], [])


def test_cover_mends_what_a_library_loses():
    # The library dropped the zero-width space, ran "b c" together, and made up a token that is not there.
    assert cover("a\u200bb c d", [(0, "a"), (2, "b c"), (5, "X"), (6, "d")]) == (
        ["a", "\u200bb", "c", "d"],
        [False, True, True, False],
    )


def test_spacy_missing_is_a_clear_error(monkeypatch):
    real_import = builtins.__import__

    def without_spacy(name, *args, **kwargs):
        if name == "spacy":
            raise ImportError("No module named 'spacy'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_spacy)
    with pytest.raises(RunnerError, match="needs spaCy") as caught:
        spacy()
    assert "pip install spacy" in str(caught.value)


@pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with UD English EWT")
def test_f_score_on_ewt_is_what_the_module_says():
    tokenize = syntok()
    correct = n_predicted = n_gold = 0
    text, forms, ranges = "", [], {}
    path = Path(MIRROR) / "ud_english_ewt/en_ewt-ud-dev.conllu"
    for line in path.read_text("utf-8").split("\n"):
        columns = line.split("\t")
        if line.startswith("# text = "):
            text, forms, ranges = line.removeprefix("# text = "), [], {}
        elif columns[0].isdigit():
            forms.append(columns[1])
        elif "-" in columns[0] and not line.startswith("#"):
            first, last = columns[0].split("-")
            ranges[int(first), int(last)] = columns[1]
        elif not line and forms:
            for (first, last), surface in sorted(ranges.items(), reverse=True):
                if "".join(forms[first - 1 : last]) != surface:
                    forms[first - 1 : last] = [surface]
            predicted, gold = spans(tokenize(text)[0]), spans(forms)
            correct += len(predicted & gold)
            n_predicted += len(predicted)
            n_gold += len(gold)
            forms = []
    assert n_gold > 25_000
    assert 2 * correct / (n_predicted + n_gold) == pytest.approx(0.9799, abs=0.0001)


def spans(words):
    found, position = set(), 0
    for word in words:
        word = "".join(word.split())
        found.add((position, position + len(word)))
        position += len(word)
    return found
