"""Tokenizers lose no character, whatever the text; the default cuts English as the treebanks do."""

import builtins
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.corpus import tokenizer
from runner.corpus.doc import Doc
from runner.corpus.tokenizer import MARKS, MAY_BE_MARK, by_piece, cover, spacy, syntok, uncached_syntok, whitespace
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
    assert "declarative-runner[spacy]" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी भाषा है।", ["हिन्दी", "भाषा", "है", "।"]),
        ("cafe\u0301, re\u0301sume\u0301!", ["cafe\u0301", ",", "re\u0301sume\u0301", "!"]),
        (
            "Zu\u00adsam\u00admen\u00adarbeit tut gut\u00ad.",
            ["Zu\u00adsam\u00admen\u00adarbeit", "tut", "gut\u00ad", "."],
        ),
        ("কলকাতা, किताबें", ["কলকাতা", ",", "किताबें"]),
        ("می\u200cخواهم مُحَمَّد", ["می\u200cخواهم", "مُحَمَّد"]),
        (
            "👨\u200d👩\u200d👧 and 👩🏽\u200d🚀 1\ufe0f\u20e3",
            ["👨\u200d👩\u200d👧", "and", "👩🏽\u200d🚀", "1\ufe0f\u20e3"],
        ),
        ("do\u2060n't wo\u200dn't", ["do\u2060", "n't", "wo\u200d", "n't"]),
        ("\u0301 x \u0301y a\u200bb", ["\u0301", "x", "\u0301", "y", "a", "\u200b", "b"]),  # marks of nothing; a break
    ],
)
def test_marks_stay_with_what_they_mark(text, words):
    assert syntok()(text)[0] == words


@given(st.text("aB'-.!9é \n"), st.lists(st.sampled_from("\u00ad\u0301\u0940\u200d\u20dd\ufe0f\U0001f3fd"), min_size=1))
def test_marks_change_no_boundary(text, marks):
    marked = "".join(c if c.isspace() else c + marks[i % len(marks)] for i, c in enumerate(text))
    bare = [word.translate(dict.fromkeys(map(ord, marks))) for word in syntok()(marked)[0]]
    assert bare == syntok()(text)[0]


def test_the_quick_look_passes_over_no_mark():
    import regex

    marks = regex.compile(MARKS)
    assert not [c for c in map(chr, range(0x110000)) if marks.match(c) and not MAY_BE_MARK.match(c)]


KNOWN = syntok()  # its memory fills from test to test
ANEW = uncached_syntok()


@given(st.one_of(TEXTS, st.lists(TEXTS).map(" ".join)))
def test_words_by_piece_are_those_of_the_whole_text(text):
    assert KNOWN(text) == ANEW(text) == KNOWN(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "don't",
                "n't",
                "-",
                "e-",
                "-mail",
                "...",
                "..",
                ".",
                "Mr.",
                "U.S.",
                "(a",
                "b)",
                "!!!",
                "'s",
                "\u00ad",
                "\u0301",
            ]
        )
    ),
    st.lists(st.sampled_from([" ", "\n", "\u00a0", "\u200b", "\x1c", "\x1f", "", "-\n", "\r\n"]), min_size=1),
)
def test_marks_and_hyphens_at_the_edges_of_pieces(pieces, blanks):
    text = "".join(piece + blanks[i % len(blanks)] for i, piece in enumerate(pieces))
    assert KNOWN(text) == ANEW(text)


def test_a_new_list_for_every_text():
    first = KNOWN("Don't go.")
    first[0].append("changed"), first[1].append(True)
    assert KNOWN("Don't go.") == (["Do", "n't", "go", "."], [False, True, False, False])


def test_the_memory_of_pieces_is_bounded(monkeypatch):
    monkeypatch.setattr(tokenizer, "MAX_PIECES", 3)
    cut: list[str] = []

    def counted(text):
        cut.append(text)
        return ANEW(text)

    tokenize = by_piece(counted)
    assert tokenize("a b c a b c")[0] == list("abcabc")
    assert cut == ["a", "b", "c"]
    assert tokenize("d a")[0] == ["d", "a"]  # the fourth piece empties the memory
    assert cut == ["a", "b", "c", "d", "a"]
    tokenize("x" * 65 + " " + "x" * 65)
    assert cut[5:] == ["x" * 65] * 2  # too long to keep


@pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the treebanks")
@pytest.mark.parametrize(
    "name", ["ud_english_ewt", "ud_vietnamese_vtb", "ud_armenian_armtdp", "wnut17", "movie_reviews"]
)
def test_words_by_piece_on_real_text(name):
    folder = Path(MIRROR) / name
    if name == "movie_reviews":
        with zipfile.ZipFile(folder / "movie_reviews.zip") as archive:
            members = [member for member in archive.namelist() if member.endswith(".txt")][::20]
            texts = [archive.read(member).decode("utf8", "replace") for member in members]
    elif name == "wnut17":
        lines = [line.split("\t")[0] for line in (folder / "wnut17train.conll").read_text("utf8").split("\n")]
        texts = " ".join(lines).split("  ")
    else:
        lines = [line for path in folder.glob("*-dev.conllu") for line in path.read_text("utf8").split("\n")]
        texts = [line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")]
    texts.append("\n".join(texts[:200]))
    assert len(texts) > 50
    for text in texts:
        assert KNOWN(text) == ANEW(text)


def test_spacy_follows_the_language_of_the_pipeline():
    pytest.importorskip("spacy")
    text = "Er kam z.B. am 3. Mai"
    german = runner.blank("de", tokenizer={"type": "spacy"})
    assert german.make_doc(text).words == ["Er", "kam", "z.B.", "am", "3.", "Mai"]
    assert runner.blank("en", tokenizer={"type": "spacy"}).make_doc(text).words[2:] == [
        "z.",
        "B.",
        "am",
        "3",
        ".",
        "Mai",
    ]
    assert german.describe()["tokenizer"] == {"type": "spacy", "lang": "de"}


@pytest.mark.parametrize(
    ("lang", "package"), [("ja", "sudachipy"), ("ko", "natto-py"), ("th", "pythainlp"), ("vi", "pyvi")]
)
def test_a_library_that_spacy_needs_is_named(lang, package):
    pytest.importorskip("spacy")
    try:
        spacy(lang)
    except RunnerError as error:
        assert "needs a library" in str(error)  # noqa: PT017
        assert package in str(error)  # noqa: PT017
    else:
        pytest.skip(f"{package} is installed")


@pytest.mark.parametrize(
    ("lang", "hint"), [("DE", "pipeline.lang=de."), ("en-US", "pipeline.lang=en."), ("nope", "lang=xx")]
)
def test_a_language_that_spacy_does_not_know(lang, hint):
    pytest.importorskip("spacy")
    with pytest.raises(RunnerError, match="spaCy has no tokenizer for the language") as caught:
        spacy(lang)
    assert hint in str(caught.value)


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
